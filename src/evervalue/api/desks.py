"""What routes and pages of the Act pages share: the decisions and the audiences of the application."""

from __future__ import annotations

import threading

from starlette.requests import Request

from evervalue.api.audiences import Desk
from evervalue.state import audiences, decisions
from evervalue.state.store import Store

_lock = threading.Lock()


def decisions_of(request: Request) -> decisions.Decisions:
    """What people decided about recommended actions; the file is opened when it is first asked for."""
    state = request.app.state
    with _lock:
        if not hasattr(state, "decisions"):
            store = Store(state.reader.publisher.data_dir, decisions.SCHEMA)
            state.decisions = decisions.Decisions(store, state.clock)
    found: decisions.Decisions = state.decisions
    return found


def audiences_of(request: Request) -> Desk:
    """The audiences; the file is opened when it is first asked for."""
    state = request.app.state
    with _lock:
        if not hasattr(state, "audiences"):
            store = Store(state.reader.publisher.data_dir, audiences.SCHEMA)
            state.audiences = Desk(audiences.Audiences(store, state.clock))
    found: Desk = state.audiences
    return found
