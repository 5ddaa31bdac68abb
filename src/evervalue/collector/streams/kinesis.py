"""Amazon Kinesis Data Streams: every shard in order, the parents of a split or merge before their children.

A position is `SEQUENCE@MS`, the last record's sequence number and the instant (milliseconds since 1970) up to which
the shard is read; `@MS` where it began at an instant and no record came yet; `end` once a closed shard is read out.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evervalue.collector.log import Position
from evervalue.collector.stamps import written
from evervalue.collector.streams.aggregated import records_in
from evervalue.collector.streams.kinesis_client import ExpiredIterator, Throttled, client, told
from evervalue.collector.streams.reader import (
    Chunk,
    Lost,
    Part,
    Positions,
    Record,
    Settle,
    began_anew,
    of_stream,
)
from evervalue.collector.streams.settings import StreamSettings
from evervalue.core.clock import Clock
from evervalue.core.text import count, span

END = "end"
PARENTS = ("ParentShardId", "AdjacentParentShardId")
"""A split has one parent, a merge two."""
MOST_RECORDS = 5000
"""Of one request; a shard gives at most 10 MB at once."""
PAUSE_SECONDS = 0.25
"""Between two requests to a shard: it answers five a second, to all who read it."""
IDLE_SECONDS = 1.0
LIST_SECONDS = 30.0
"""How often new shards are looked for while none was read out."""
NOTE_SECONDS = 300.0
"""How often the position of a shard that brings nothing is written, so that it is known how far it was read."""


@dataclass
class Shard:
    """A shard that is being read."""

    name: str
    position: str
    iterator: str | None = None
    next_at: float = 0.0
    """By the monotonic clock: when it may be asked again."""
    noted_at: float = 0.0
    read_to_ms: int = 0


class KinesisReader:
    """A stream of Kinesis.

    Parameters
    ----------
    settings
        Region, name and options.
    clock
        Tells how far behind a shard is read.
    """

    def __init__(self, settings: StreamSettings, clock: Clock) -> None:
        self._settings, self._clock = settings, clock
        self._client: Any = None
        self._stream = ""
        self._retention_ms = 0
        self._shards: dict[str, Shard] = {}
        self._positions: dict[str, str] = {}
        self._first: Chunk | None = None
        self._listed_at = 0.0
        self._is_new = True

    def open(self, positions: Positions, settle: Settle) -> None:
        """Begin behind the positions of the log, or where the settings say."""
        self.close()
        self._client = client(self._settings)
        self._summary()
        known = positions()
        self._positions = dict(of_stream(known, self._stream))
        self._is_new = not self._positions and not began_anew(known, self._stream)
        self._first = Chunk()
        self._list(self._first)
        self._is_new = False

    def read(self) -> Chunk:
        """The next records of the shard whose turn it is."""
        if self._first is not None:
            chunk, self._first = self._first, None
            if not chunk.is_empty:
                return chunk
        chunk = Chunk()
        if time.monotonic() - self._listed_at > LIST_SECONDS:
            self._list(chunk)
        shard = min(self._shards.values(), key=lambda s: s.next_at, default=None)
        wait = IDLE_SECONDS if shard is None else shard.next_at - time.monotonic()
        if wait > 0:
            time.sleep(min(wait, IDLE_SECONDS))
        if shard is not None and shard.next_at <= time.monotonic():
            self._ask(shard, chunk)
        return chunk

    def stored(self, receipt: Any) -> None:
        """Nothing: Kinesis keeps no account of who read what."""

    def parts(self, positions: Sequence[Position]) -> list[Part]:
        """How far each shard is read, and how old what waits in it is."""
        self._client = client(self._settings)
        try:
            self._summary()
            known, found = of_stream(positions, self._stream), []
            for told_of in self._all():
                name = told_of["ShardId"]
                at = known.get(name)
                if at is None or at == END:
                    found.append(Part(name, "read out" if at else "not begun", 0 if at else None))
                    continue
                shard = Shard(name, at)
                self._begin(shard)
                answer = self._records(shard, 1)
                behind = int(answer.get("MillisBehindLatest") or 0) / 1000
                found.append(
                    Part(name, at.partition("@")[0] or f"from {_instant(_read_to(at))}", None, behind)
                )
            return found
        finally:
            self.close()

    def check(self) -> str:
        """What is found, after each kind of request was made once."""
        self._client = client(self._settings)
        try:
            hours = self._summary()
            shards = list(self._all())
            if shards:
                shard = Shard(shards[-1]["ShardId"], "")
                self._begin(shard)
                self._records(shard, 1)
            said = f"{count(len(shards), 'shard')}, records are kept for {span(hours * 3600)}"
            return f"{self._settings.where} can be read: {said}."
        finally:
            self.close()

    def close(self) -> None:
        """Let go of the connection."""
        if self._client is not None:
            self._client.close()
        self._client = None
        self._shards = {}

    def _summary(self) -> int:
        """Hours that records are kept; learns the stream's identity."""
        with told(self._settings, "DescribeStreamSummary"):
            found = self._client.describe_stream_summary(StreamName=self._settings.name)
        summary = found["StreamDescriptionSummary"]
        created = int(summary["StreamCreationTimestamp"].timestamp())
        self._stream = f"kinesis:{self._settings.hosts}/{self._settings.name}#{created}"
        hours = int(summary["RetentionPeriodHours"])
        self._retention_ms = hours * 3_600_000
        return hours

    def _all(self) -> Iterator[Mapping[str, Any]]:
        """Every shard that has not fallen out of retention, open or closed."""
        asked: dict[str, Any] = {"StreamName": self._settings.name}
        while asked:
            with told(self._settings, "ListShards"):
                found = self._client.list_shards(**asked)
            yield from found["Shards"]
            asked = {"NextToken": found["NextToken"]} if found.get("NextToken") else {}

    def _list(self, chunk: Chunk) -> None:
        """Begin the shards that may be read now: those whose parents are read out."""
        listed = {shard["ShardId"]: shard for shard in self._all()}
        self._listed_at = time.monotonic()
        self._check_gone(listed, chunk)
        for name, told_of in sorted(listed.items()):
            parents = [str(told_of[key]) for key in PARENTS if told_of.get(key) in listed]
            is_closed = told_of["SequenceNumberRange"].get("EndingSequenceNumber") is not None
            if name not in self._positions:
                at = self._start(is_closed=is_closed)
                self._positions[name] = at
                chunk.positions[self._stream, name] = at
            if any(self._positions.get(parent) != END for parent in parents):
                continue
            if self._positions[name] != END and name not in self._shards:
                self._shards[name] = Shard(
                    name, self._positions[name], read_to_ms=_read_to(self._positions[name])
                )

    def _start(self, *, is_closed: bool) -> str:
        """Where a shard begins that was never read."""
        if self._is_new and self._settings.start == "newest":
            return END if is_closed else f"@{self._now_ms()}"
        at = self._settings.start_at
        if self._is_new and at is not None:
            return f"@{int(at.timestamp() * 1000)}"
        return "@0"  # children of what was read, or of a stream that was made anew: everything in them is new

    def _check_gone(self, listed: Mapping[str, Any], chunk: Chunk) -> None:
        """Tells of shards that fell out of retention before they were read out."""
        for name, at in list(self._positions.items()):
            if name not in listed and at != END:
                since = _instant(_read_to(at)) if _read_to(at) else "its beginning"
                chunk.lost.append(
                    Lost(
                        name,
                        f"The shard {name} of {self._settings.where} is gone, read up to {since}; what came to it "
                        "later fell out of retention before it was read.",
                    )
                )
                self._positions[name] = END
                chunk.positions[self._stream, name] = END
                self._shards.pop(name, None)

    def _begin(self, shard: Shard) -> None:
        sequence = shard.position.partition("@")[0]
        at_ms = _read_to(shard.position)
        asked: dict[str, Any] = {"ShardIteratorType": "TRIM_HORIZON"}
        if sequence:
            asked = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": sequence}
        elif at_ms:
            asked = {
                "ShardIteratorType": "AT_TIMESTAMP",
                "Timestamp": dt.datetime.fromtimestamp(at_ms / 1000, dt.UTC),
            }
        with told(self._settings, "GetShardIterator"):
            found = self._client.get_shard_iterator(
                StreamName=self._settings.name, ShardId=shard.name, **asked
            )
        shard.iterator = found["ShardIterator"]

    def _records(self, shard: Shard, most: int) -> Mapping[str, Any]:
        for again in (True, False):
            if shard.iterator is None:
                self._begin(shard)
            try:
                with told(self._settings, "GetRecords"):
                    found: Mapping[str, Any] = self._client.get_records(
                        ShardIterator=shard.iterator, Limit=most
                    )
                    return found
            except ExpiredIterator:
                if not again:
                    raise
                shard.iterator = None  # five minutes have passed; the position is still good
        raise AssertionError

    def _ask(self, shard: Shard, chunk: Chunk) -> None:
        """The next records of a shard, and where it then stands."""
        self._check_lost(shard, chunk)
        began = time.monotonic()
        try:
            answer = self._records(shard, MOST_RECORDS)
        except Throttled:
            shard.next_at = began + IDLE_SECONDS
            return
        key = (self._stream, shard.name)
        for one in answer["Records"]:
            arrived_us = int(one["ApproximateArrivalTimestamp"].timestamp() * 1_000_000)
            sequence = one["SequenceNumber"]
            shard.position = f"{sequence}@{arrived_us // 1000}"
            name = f"{self._stream}|{shard.name}|{sequence}"
            held = records_in(one["Data"])
            if held is None:
                chunk.records.append(Record(one["Data"], arrived_us, name, key, shard.position))
                continue
            last = len(held) - 1  # the position stands for all of them, and moves with the last
            chunk.records += [
                Record(body, arrived_us, f"{name}|{n}", key if n == last else None, shard.position)
                for n, body in enumerate(held)
            ]
        behind_ms = int(answer.get("MillisBehindLatest") or 0)
        shard.read_to_ms = max(shard.read_to_ms, self._now_ms() - behind_ms)
        shard.iterator = answer.get("NextShardIterator") or None
        is_idle = not answer["Records"] and behind_ms == 0
        shard.next_at = began + (IDLE_SECONDS if is_idle else PAUSE_SECONDS)
        if shard.iterator is None:
            shard.position = END
            del self._shards[shard.name]
            self._listed_at = -LIST_SECONDS  # its children may be begun
        elif began - shard.noted_at > NOTE_SECONDS or answer["Records"]:
            shard.position = f"{shard.position.partition('@')[0]}@{shard.read_to_ms}"
        if self._positions[shard.name] != shard.position:
            shard.noted_at = began
            self._positions[shard.name] = chunk.positions[key] = shard.position

    def _check_lost(self, shard: Shard, chunk: Chunk) -> None:
        """Tells where what is next in a shard has fallen out of retention before it was read."""
        oldest_ms = self._now_ms() - self._retention_ms
        if 0 < shard.read_to_ms < oldest_ms:
            lost = f"{_instant(shard.read_to_ms)} to {_instant(oldest_ms)}"
            chunk.lost.append(
                Lost(
                    shard.name,
                    f"What came to {shard.name} of {self._settings.where} from {lost} fell out of retention "
                    f"({span(self._retention_ms / 1000)}) before it was read; how many records, Kinesis does not tell.",
                )
            )
            shard.read_to_ms = oldest_ms
            shard.position = f"@{oldest_ms}"
            shard.iterator = None

    def _now_ms(self) -> int:
        return int(self._clock.now().timestamp() * 1000)


def _read_to(position: str) -> int:
    return int(position.partition("@")[2] or 0)


def _instant(ms: int) -> str:
    return written(ms * 1000)
