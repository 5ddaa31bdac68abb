"""The loop stores what a stream brings once, whatever fails on the way: the disk, the stream, the room to wait in."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from evervalue.collector.log import Delivery, EventLog, Position
from evervalue.collector.streams import consumer as module
from evervalue.collector.streams.consumer import Consumer, stopped
from evervalue.collector.streams.reader import Chunk, Positions, Record, Settle, of_stream
from evervalue.collector.writer import Done, Writer
from evervalue.core.clock import SystemClock
from evervalue.core.errors import SourceUnavailable, StorageError
from tests.support.streaming import Log, body, message, until

PLACE = ("told", "0")


class Told:
    """A stream of one part whose records a test wrote down; it fails before the chunks that are named."""

    def __init__(self, bodies: Sequence[bytes], at_once: int = 10, fails: Sequence[int] = ()) -> None:
        self.bodies, self.at_once, self.fails = bodies, at_once, list(fails)
        self.opened = 0
        self.receipts: list[int] = []
        self.at = 0

    def open(self, positions: Positions, settle: Settle) -> None:
        self.opened += 1
        self.at = int(of_stream(positions(), PLACE[0]).get(PLACE[1], 0))

    def read(self) -> Chunk:
        if self.at in self.fails:
            self.fails.remove(self.at)
            raise SourceUnavailable("sources.web.stream: gone for now.")
        first, self.at = self.at, min(self.at + self.at_once, len(self.bodies))
        records = [
            Record(self.bodies[n], 1_700_000_000_000_000, f"told|{n}", PLACE, str(n + 1))
            for n in range(first, self.at)
        ]
        return Chunk(records, receipt=self.at if records else None)

    def stored(self, receipt: Any) -> None:
        self.receipts.append(receipt)

    def parts(self, positions: Sequence[Position]) -> list[Any]:
        raise NotImplementedError

    def check(self) -> str:
        raise NotImplementedError

    def close(self) -> None:
        pass


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Log:
    monkeypatch.setattr(module, "SHORTEST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(module, "LONGEST_PAUSE_SECONDS", 0.05)
    return Log(tmp_path)


def read_whole(told: Told, log: Log, writer: Writer, put: Any = None) -> Consumer:
    """The consumer, after all of the stream is on disk."""
    consumer = Consumer("web", told, put or writer.put, log.open, SystemClock())
    consumer.start()
    until(lambda: log.positions() == {"0": str(len(told.bodies))})
    until(lambda: told.receipts[-1:] == [len(told.bodies)])
    stopped([consumer])
    writer.close()
    return consumer


BODIES = [body(f"m{n}") if n % 7 else body(None, event="") for n in range(95)]


def test_a_stream_that_fails_is_opened_again_behind_what_is_stored(
    log: Log, caplog: pytest.LogCaptureFixture
) -> None:
    told = Told(BODIES, fails=[0, 30, 30, 70])
    read_whole(told, log, Writer(log.open))
    assert told.opened == 5
    assert told.receipts == [10, 20, 30, 40, 50, 60, 70, 80, 90, 95]
    assert (log.tally().stored, log.tally().duplicate, log.tally().quarantined) == (81, 0, 14)
    said = [r.getMessage() for r in caplog.records if r.name == "evervalue.streams"]
    assert sum("is not read just now: sources.web.stream: gone" in line for line in said) == 3, (
        "the same is said once"
    )
    assert sum("is read again" in line for line in said) == 3


class Failing(EventLog):
    """A log whose disk is full now and then."""

    writes = 0

    def write(self, deliveries: Sequence[Delivery]) -> None:
        Failing.writes += 1
        if Failing.writes % 3 == 0:
            raise StorageError("The disk is full.")
        super().write(deliveries)


def test_what_the_disk_refused_is_read_again_and_stored_once(log: Log) -> None:
    told = Told(BODIES)
    log.open().close()
    read_whole(told, log, Writer(lambda: Failing(log.path)))
    assert Failing.writes > 12
    assert (log.tally().stored, log.tally().duplicate, log.tally().quarantined) == (81, 0, 14)
    assert told.receipts == sorted(set(told.receipts)), "nothing is told to be stored twice, or before it is"


def test_where_there_is_no_room_it_is_waited_for(log: Log) -> None:
    writer, asked = Writer(log.open), iter(range(10_000))

    def put(delivery: Delivery, done: Done) -> bool:
        return next(asked) % 4 == 3 and writer.put(delivery, done)

    read_whole(Told(BODIES), log, writer, put)
    assert (log.tally().accepted, log.tally().duplicate) == (95, 0)
    assert next(asked) >= 40


def test_records_that_are_small_only_while_packed_are_written_in_pieces(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", 1_000_000)
    sizes: list[int] = []
    batch = [message(None, properties={"x": "y" * 20_000}) for _ in range(20)]
    told = Told([gzip.compress(json.dumps({"batch": batch}).encode())] * 30, at_once=30)
    writer = Writer(log.open)

    def put(delivery: Delivery, done: Done) -> bool:
        sizes.append(sum(len(e.body) for e in delivery.taken))
        return writer.put(delivery, done)

    read_whole(told, log, writer, put)
    assert log.tally().stored == 600
    assert len(sizes) == 10
    assert max(sizes) < 1_500_000
    assert told.receipts == [30]
