"""Which right a route needs, who asks, and what they sent. `api/guard.py` holds every request to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from starlette.datastructures import FormData
from starlette.requests import Request

from evervalue.governance.roles import NOBODY, Right, Who

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])
MARK = "needs_right"
ANYBODY = "anybody"


def needs(right: Right) -> Callable[[Endpoint], Endpoint]:
    """Marks an endpoint with the right that it needs.

    A reading route without a mark needs READ; one that changes something and has no mark is refused to everybody.
    """

    def marked(endpoint: Endpoint) -> Endpoint:
        endpoint.__dict__[MARK] = right
        return endpoint

    return marked


def anybody(endpoint: Endpoint) -> Endpoint:
    """Marks an endpoint that needs no sign-in: signing in itself, files that are the same for all, signs of life."""
    endpoint.__dict__[MARK] = ANYBODY
    return endpoint


def who_of(request: Request) -> Who:
    """Who asks; nobody where no guard has let anybody in."""
    who: Who = getattr(request.state, "who", NOBODY)
    return who


def form_of(request: Request) -> FormData:
    """The fields of the form that was sent, without the guard's own; empty where none was.

    The guard has read it already, so that endpoints need neither to wait for it nor a library that parses it.
    """
    form: FormData = getattr(request.state, "form", FormData())
    return form
