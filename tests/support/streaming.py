"""Streams under test: a log that they are read into, and a consumer in a process of its own that may be killed."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evervalue.collector.log import LOG, EventLog, Tally
from evervalue.collector.streams.consumer import Consumer
from evervalue.collector.streams.opening import consuming
from evervalue.collector.streams.settings import StreamSettings, stream_settings
from evervalue.collector.writer import Writer
from evervalue.core.clock import Clock, SystemClock


def message(id: str | None, **more: Any) -> dict[str, Any]:
    """A track event; without an id it has none."""
    named = {} if id is None else {"messageId": id}
    return {"type": "track", "event": "Seen", "userId": "u1", **named, **more}


def body(id: str | None, **more: Any) -> bytes:
    return json.dumps(message(id, **more)).encode()


def settings(url: str, *, source: str = "web", **table: Any) -> StreamSettings:
    found = stream_settings(source, {"kind": "events", "stream": url, **table})
    assert found is not None
    return found


def until(true: Callable[[], Any], seconds: float = 30.0, every: float = 0.02) -> Any:
    """What the call gives once it is true."""
    end = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(every)
    return found


@dataclass
class Log:
    """The event log of a project under test."""

    data_dir: Path

    @property
    def path(self) -> Path:
        return self.data_dir / LOG

    def open(self) -> EventLog:
        self.data_dir.mkdir(parents=True, exist_ok=True)
        return EventLog(self.path)

    def tally(self, source: str = "web") -> Tally:
        log = self.open()
        try:
            return next((t for t in log.tallies() if t.source == source), Tally(source, 0, 0, 0, 0))
        finally:
            log.close()

    def ids(self) -> list[str]:
        """messageIds, in the order of the log."""
        return [str(event["messageId"]) for event in self.events()]

    def events(self) -> list[dict[str, Any]]:
        log = self.open()
        try:
            return [json.loads(e.body) for e in log.read(0, 10_000_000)]
        finally:
            log.close()

    def refused(self) -> list[tuple[str, str]]:
        """Code and sentence of what is in quarantine."""
        log = self.open()
        try:
            con = log._open()
            return [tuple(row) for row in con.execute("select code, says from refused order by refused_id")]
        finally:
            log.close()

    def positions(self, source: str = "web") -> dict[str, str]:
        log = self.open()
        try:
            return {p.part: p.position for p in log.positions(source)}
        finally:
            log.close()

    def stored(self, n: int, seconds: float = 30.0) -> None:
        """Waits until so many events are stored, and not one more."""
        until(lambda: self.tally().stored >= n, seconds)
        assert self.tally().stored == n


@contextmanager
def consumed(*streams: StreamSettings, into: Log, clock: Clock | None = None) -> Iterator[list[Consumer]]:
    """The streams are read into the log until the end of the block."""
    clock = clock or SystemClock()
    writer = Writer(into.open)
    try:
        with consuming({s.source: s for s in streams}, writer.put, into.open, clock) as consumers:
            yield consumers
    finally:
        writer.close()


PROCESS = """
import json, sys, threading
from pathlib import Path
from tests.support.streaming import Log, consumed, settings
told = json.loads(sys.argv[1])
with consumed(settings(told["url"], **told["table"]), into=Log(Path(told["data_dir"]))):
    print("reading", flush=True)
    sys.stdin.read()
"""


@contextmanager
def consumed_apart(one: StreamSettings, into: Log) -> Iterator[subprocess.Popen[str]]:
    """A process that reads the stream until the end of the block, or until it is killed."""
    table = {"start": one.start, "options": dict(one.options)}
    told = json.dumps({"url": one.url, "table": table, "data_dir": str(into.data_dir)})
    process = subprocess.Popen(
        [sys.executable, "-c", PROCESS, told],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "reading\n"
        yield process
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait(30)
        assert process.stdout is not None
        process.stdout.close()


def killed_again_and_again(
    one: StreamSettings, into: Log, n: int, times: int, send: Callable[[Sequence[int]], None]
) -> None:
    """Sends n numbered messages while the process that reads them is killed at ever other instants."""
    share = n // times
    for kill in range(times):
        with consumed_apart(one, into) as process:
            begun = into.tally().stored
            send(range(kill * share, (kill + 1) * share))
            until(lambda begun=begun: into.tally().stored > begun, every=0.002)  # type: ignore[misc]
            time.sleep(0.013 * kill)
            process.kill()
    send(range(times * share, n))
