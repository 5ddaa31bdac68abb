"""Which right a route needs, and who asks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from starlette.requests import Request

from evervalue.governance.roles import LOCAL, Right, Who

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])


def needs(right: Right) -> Callable[[Endpoint], Endpoint]:
    """Marks an endpoint with the right that it needs. A reading route without a mark needs READ."""

    def marked(endpoint: Endpoint) -> Endpoint:
        endpoint.__dict__["needs_right"] = right
        return endpoint

    return marked


def who_of(request: Request) -> Who:
    """Who asks."""
    who: Who = getattr(request.state, "who", LOCAL)
    return who
