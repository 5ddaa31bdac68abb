"""What people keep (notes, views), opened once for an application and only when it is first asked for."""

from __future__ import annotations

import threading
from typing import Protocol, TypeVar

from starlette.requests import Request

from evervalue.core.clock import Clock
from evervalue.state.notes import Notes
from evervalue.state.store import Schema, Store
from evervalue.state.views import Views


class Part(Protocol):
    """One matter of the state."""

    SCHEMA: Schema

    def __init__(self, store: Store, clock: Clock) -> None: ...


Kept = TypeVar("Kept", bound=Part)
_lock = threading.Lock()


def notes_of(request: Request) -> Notes:
    """The notes on customers."""
    return _kept(request, Notes)


def views_of(request: Request) -> Views:
    """The saved views."""
    return _kept(request, Views)


def _kept(request: Request, kind: type[Kept]) -> Kept:
    state = request.app.state
    name = f"kept_{kind.SCHEMA.part}"
    with _lock:
        if not hasattr(state, name):
            store = Store(state.reader.publisher.data_dir, kind.SCHEMA)
            setattr(state, name, kind(store, state.clock))
    found: Kept = getattr(state, name)
    return found
