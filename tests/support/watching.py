"""A collector with its watch, whose beats are given by the test and whose clock stands where the test puts it."""

from __future__ import annotations

import datetime as dt
import io
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from evervalue.collector.keys import WriteKeys
from evervalue.collector.log import LOG, EventLog
from evervalue.collector.watch import Watch
from evervalue.core import logs
from evervalue.core.clock import FixedClock
from tests.support.collecting import Collecting, collecting

NOW = dt.datetime(2026, 3, 30, 10, tzinfo=dt.UTC)


@dataclass
class Watching:
    """A collector, its watch, its clock, and what was written of them."""

    web: Collecting
    watch: Watch
    clock: FixedClock
    written: io.StringIO

    def after(self, **time: float) -> None:
        """Let time pass."""
        self.clock.at += dt.timedelta(**time)

    def beat(self, *, canary: bool = False, minute: bool = False) -> None:
        """One beat of the watch."""
        self.watch.beat(canary=canary, minute=minute)

    def lines(self) -> list[str]:
        """What was written, without instants and levels."""
        return [line.split(" evervalue.collector ", 1)[-1] for line in self.written.getvalue().splitlines()]

    def page(self, name: str) -> int:
        """Send a page view; the answer's status."""
        return self.web.send("/v1/page", {"userId": "u", "messageId": name}).status


@contextmanager
def watching(
    data_dir: Path,
    *,
    at: dt.datetime = NOW,
    open_log: Callable[[], EventLog] | None = None,
    silences: Mapping[str, float] | None = None,
) -> Iterator[Watching]:
    """A collector with its watch, until the end of the block."""
    clock, written = FixedClock(at), io.StringIO()
    handler = logs.setup("text", written)
    keys = WriteKeys(data_dir, clock)
    try:
        with collecting(
            data_dir, clock=clock, open_log=open_log or (lambda: EventLog(data_dir / LOG))
        ) as web:
            watch = Watch(web.app, keys, data_dir, clock, lambda: silences or {})
            watch.listens_at("127.0.0.1", web.port, web.url)
            yield Watching(web, watch, clock, written)
    finally:
        keys.close()
        handler.close()
        logging.getLogger().removeHandler(handler)
