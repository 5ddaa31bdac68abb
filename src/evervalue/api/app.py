"""The HTTP application: JSON and CSV under /v1 over the published snapshot."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response

import evervalue
from evervalue.api import health
from evervalue.api.compare import Comparisons
from evervalue.api.door import SignInDoor
from evervalue.api.errors import HANDLED, handle
from evervalue.api.guard import Guard
from evervalue.api.limits import Limited
from evervalue.api.live import Live, OpenLog
from evervalue.api.metrics import Metered, Meters, resident_bytes
from evervalue.api.middleware import Heads, Incidents, KnownHosts, SecurityHeaders
from evervalue.api.openapi import Described
from evervalue.api.proxy import Proxied
from evervalue.api.routes import ROUTERS
from evervalue.api.settings import ServerSettings
from evervalue.api.snapshots import SnapshotReader
from evervalue.api.stream import Streams
from evervalue.api.workers import Told, Workers
from evervalue.core.clock import Clock, SystemClock
from evervalue.core.errors import EvervalueError
from evervalue.governance.people import People
from evervalue.governance.settings import Access
from evervalue.state.store import Store

PROFILES_AT_ONCE = 4
"""Whole profiles of the API that a process makes side by side: threads that wait for one another's turn make none the
faster, and the one that is passed over keeps its reader waiting for long."""
ErrorAnswer = Callable[[Request, Exception], Response]


def create_app(
    data_dir: Path,
    settings: ServerSettings | None = None,
    *,
    answer: ErrorAnswer = handle,
    warm: Callable[[], None] | None = None,
    clock: Clock | None = None,
    open_log: OpenLog | None = None,
    access: Access | None = None,
) -> FastAPI:
    """The application for one data directory; it serves whatever is published there, now and later.

    Parameters
    ----------
    data_dir
        The project's data directory, which `evervalue run` publishes into.
    settings
        What differs from the defaults.
    answer
        Turns an error into a response; the JSON problem unless pages have a better one.
    warm
        What else to do before the first request.
    clock
        Tells how old the snapshot and its sources are; the machine's own unless a test gives another.
    open_log
        Opens the event log for a thread, or gives None where there is none; default: the file in `data_dir`.
    access
        How people are let in; without it the door is open, and everybody the local admin.
    """
    chosen = settings or ServerSettings()
    reader = SnapshotReader(data_dir, chosen)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        with suppress(EvervalueError):  # nothing published yet: the first request after a run opens it
            await run_in_threadpool(_open, reader)
        if warm is not None:
            await run_in_threadpool(warm)
        gc.collect()
        gc.freeze()  # what is there now stays: walking over it again and again would hold up requests
        workers.begin()
        yield
        workers.end()
        streams.close()
        app.state.comparisons.close()
        reader.close()
        people.store.close()

    app = Described(
        title="Evervalue",
        version=evervalue.__version__,
        summary="Who is worth what, how sure we are, and whom to act on next.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/v1/openapi.json",
        redirect_slashes=False,
    )
    meters = Meters()

    def told() -> Told:
        count = {"streams": streams.count, "resident_bytes": resident_bytes()}
        return {**meters.told(), **reader.told(), **count}

    app.state.meters = meters
    app.state.workers = workers = Workers(chosen.workers_folder, told)
    app.state.health_store = Store(data_dir)
    app.state.reader = reader
    app.state.comparisons = Comparisons(reader.publisher, chosen)
    app.state.live = Live(data_dir, open_log)
    app.state.streams = streams = Streams(app.state.live, reader.publisher.current_id)
    app.state.profiles = asyncio.Semaphore(PROFILES_AT_ONCE)
    app.state.settings = chosen
    app.state.clock = clock or SystemClock()
    for router in (*ROUTERS, health.router):
        app.include_router(router)
    for kind in HANDLED:
        app.add_exception_handler(kind, answer)
    app.state.people = people = People(data_dir, app.state.clock, access)
    app.add_middleware(Guard, answer=answer, door=SignInDoor(people) if access else None)
    app.add_middleware(Incidents, answer=answer)
    app.add_middleware(GZipMiddleware, minimum_size=1024, compresslevel=5)
    app.add_middleware(KnownHosts, answer=answer, allowed=chosen.allowed_hosts)
    app.add_middleware(Limited, answer=answer, limits=chosen.limits, turned_away=meters.limited)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(Metered, meters=meters)
    app.add_middleware(Proxied, prefix=chosen.prefix, trusted=chosen.trusted_proxies)
    app.add_middleware(Heads)
    return app


def _open(reader: SnapshotReader) -> None:
    with reader.lease():
        pass
