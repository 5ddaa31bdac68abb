"""The HTTP application: JSON and CSV under /v1 over the published snapshot."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.middleware.gzip import GZipMiddleware

import evervalue
from evervalue.api.errors import HANDLED, handle
from evervalue.api.middleware import KnownHosts, SecurityHeaders
from evervalue.api.routes import router
from evervalue.api.settings import ServerSettings
from evervalue.api.snapshots import SnapshotReader
from evervalue.core.errors import EvervalueError


def create_app(data_dir: Path, settings: ServerSettings | None = None) -> FastAPI:
    """The application for one data directory; it serves whatever is published there, now and later.

    Parameters
    ----------
    data_dir
        The project's data directory, which `evervalue run` publishes into.
    settings
        What differs from the defaults.
    """
    chosen = settings or ServerSettings()
    reader = SnapshotReader(data_dir, chosen)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        with suppress(EvervalueError):  # nothing published yet: the first request after a run opens it
            await run_in_threadpool(_warm, reader)
        yield
        reader.close()

    app = FastAPI(
        title="Evervalue",
        version=evervalue.__version__,
        summary="Who is worth what, how sure we are, and whom to act on next.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/v1/openapi.json",
    )
    app.state.reader = reader
    app.state.settings = chosen
    app.include_router(router)
    for kind in HANDLED:
        app.add_exception_handler(kind, handle)
    app.add_middleware(GZipMiddleware, minimum_size=1024, compresslevel=5)
    app.add_middleware(KnownHosts, allowed=chosen.allowed_hosts)
    app.add_middleware(SecurityHeaders)
    return app


def _warm(reader: SnapshotReader) -> None:
    with reader.lease():
        pass
