"""Signs of life: `/healthz` (the process answers), `/readyz` (it can work, or what is missing) and `/metrics`."""

from __future__ import annotations

import logging
import shutil
from dataclasses import dataclass

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from evervalue.api.access import anybody, who_of
from evervalue.api.cells import to_json
from evervalue.api.errors import Problem, respond
from evervalue.api.metrics import CONTENT, rendered
from evervalue.api.proxy import is_local
from evervalue.api.queries import events
from evervalue.api.snapshots import Statement
from evervalue.core.errors import EvervalueError, NothingPublished
from evervalue.governance.roles import Right
from evervalue.state.store import Store
from evervalue.warehouse.duckdb import EngineError

log = logging.getLogger("evervalue.api")
router = APIRouter(include_in_schema=False)
NEVER_KEPT = {"Cache-Control": "no-store"}
ALIVE = Statement("select count(*) as n from run.settings where $ready", {"ready": True})
LEAST_FREE_BYTES = 50_000_000
RETRY_SECONDS = "5"


@dataclass(frozen=True)
class Part:
    """One thing that the server needs."""

    part: str
    ok: bool
    says: str = "as it should be"
    needed: bool = True
    """Without it nothing can be shown or kept; else people read on, and somebody should look."""


@router.get("/healthz")
@anybody
async def alive() -> Response:
    """`ok`, as long as the process answers."""
    return PlainTextResponse("ok\n", headers=NEVER_KEPT)


@router.get("/readyz")
@anybody
def ready(request: Request) -> Response:
    """Whether requests should be sent here; else which part is missing and what to do, with status 503."""
    parts = [_snapshot(request), _state(request), *_collector(request)]
    missing = [part for part in parts if part.needed and not part.ok]
    if not missing:
        told = {"ready": True, "parts": [vars(part) for part in parts]}
        return Response(
            to_json({"data": told, "meta": {}}), media_type="application/json", headers=NEVER_KEPT
        )
    problem = Problem(
        503,
        "not-ready",
        "The server is not ready",
        " ".join(part.says for part in missing),
        errors=[{"where": part.part, "says": part.says} for part in parts if not part.ok],
        headers={"Retry-After": RETRY_SECONDS},
    )
    return respond(request, problem)


@router.get("/metrics")
@anybody
def metrics(request: Request) -> Response:
    """What the server counts, for Prometheus: without a key from this machine alone."""
    if not is_local(request) and not who_of(request).may(Right.READ):
        says = "Metrics are told to this machine, and elsewhere to who sends an API key that may read."
        return respond(request, Problem(403, "forbidden", "Not for everybody", says))
    state = request.app.state
    text = rendered(state.workers.all(), state.clock.now().timestamp())
    return Response(text, media_type=CONTENT, headers=NEVER_KEPT)


def _snapshot(request: Request) -> Part:
    try:
        with request.app.state.reader.lease() as reading:
            reading.result(ALIVE, keep=False)
            return Part("snapshot", True, f"run {reading.run_id} is open")
    except NothingPublished:
        return Part("snapshot", False, "Nothing is published yet: run 'evervalue run' in the project.")
    except (EvervalueError, EngineError, OSError) as error:
        log.error("not ready: %s", error)
        return Part(
            "snapshot", False,
            "The published run cannot be read: 'evervalue publish --rollback' points readers to the run before, "
            "'evervalue run' publishes a new one.",
        )  # fmt: skip


def _state(request: Request) -> Part:
    folder = request.app.state.reader.publisher.data_dir
    store: Store = request.app.state.health_store
    try:
        with store.write() as change:
            change.row("select 1 as one")
        free = shutil.disk_usage(folder).free
    except (EvervalueError, OSError) as error:
        log.error("not ready: %s", error)
        return Part(
            "state", False,
            "What people keep (state.db in the data directory) cannot be written: check that the disk has room and "
            "that the user who serves may write there.",
        )  # fmt: skip
    if free < LEAST_FREE_BYTES:
        return Part("state", False, "The disk of the data directory is full: make room on it.")
    return Part("state", True)


def _collector(request: Request) -> list[Part]:
    """The collector, where one has run here; pages are worth reading without it."""
    state = request.app.state
    try:
        found = events.present(state.clock, state.reader.publisher.data_dir, state.live.log).collector
    except EvervalueError as error:
        log.error("the collector cannot be asked after: %s", error)
        return [Part("collector", False, "The event log cannot be read.", needed=False)]
    if found is None:
        return []
    if found.state != "alarm":
        return [Part("collector", True, needed=False)]
    says = "The collector takes no events: see 'Sources' in the dashboard, and the collector's log."
    return [Part("collector", False, says, needed=False)]
