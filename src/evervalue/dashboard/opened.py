"""The published snapshot for pages that have something to say without one, too."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from starlette.requests import Request

from evervalue.api.snapshots import Reading, SnapshotUnreadable
from evervalue.core.errors import NothingPublished
from evervalue.dashboard.view import reader_of


@contextmanager
def opened(request: Request) -> Iterator[Reading | None]:
    """A reading of the current snapshot; None where nothing is published or it cannot be opened."""
    with ExitStack() as stack:
        try:
            reading = stack.enter_context(reader_of(request).lease())
        except (NothingPublished, SnapshotUnreadable):
            reading = None
        yield reading
