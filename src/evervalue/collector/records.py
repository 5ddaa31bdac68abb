"""What goes into an event log and what stands in it, and what every log can do, wherever it lies."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from evervalue.collector.messages import Event, Refusal

CANARY = "_canary"
"""The source of the events that a collector sends to itself: only `about` and `forget` know them. Names that users give
begin with a letter."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What one request brought."""

    source: str
    received_us: int
    taken: Sequence[Event]
    refused: Sequence[Refusal] = ()
    positions: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """How far streams are read with it: (stream, part) and the position, as the stream's own reader writes it."""


@dataclass(frozen=True, slots=True)
class Position:
    """How far a part of a stream (a shard, a partition) is read into the log."""

    stream: str
    part: str
    position: str
    moved_us: int
    """When it was written, microseconds since 1970."""


@dataclass(frozen=True, slots=True)
class Stored:
    """An event as it stands in the log."""

    seq: int
    source: str
    message_id: str
    type: str
    at_us: int
    received_us: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Whose:
    """Whose an event is, without the event."""

    seq: int
    source: str
    who: str | None


@dataclass(frozen=True, slots=True)
class Tally:
    """What became of all that a source sent: accepted = stored + duplicate + quarantined."""

    source: str
    accepted: int
    stored: int
    duplicate: int
    quarantined: int


@dataclass(frozen=True, slots=True)
class Refused:
    """An event in quarantine."""

    refused_id: int
    source: str
    received_us: int
    code: str
    says: str
    body: bytes


class Log(Protocol):
    """An event log. An event has a `seq` by which it is read: who has read up to one misses none before it, ever."""

    @property
    def where(self) -> str:
        """Where it lies, as messages name it; without passwords."""

    def write(self, deliveries: Sequence[Delivery]) -> None:
        """Store what came, each event once by its source and messageId; it is on disk when this returns.

        Raises
        ------
        StorageError
            It could not be stored; nothing of it is.
        """

    def read(self, after: int, most: int = 1000) -> list[Stored]:
        """The events behind `after` (a seq), in the order in which they were stored."""

    def of(self, source: str, after: int, at_once: int) -> Iterator[Stored]:
        """The events of one source behind `after`, in the order of the log; `at_once` rows are read at a time."""

    def about(self, source: str, names: Collection[str], after: int) -> list[Stored]:
        """The events of one source behind `after` that are `names`, in the order of the log."""

    def recent(self, source: str, names: Collection[str], most: int) -> list[Stored]:
        """The newest events of one source that are `names`, the newest first."""

    def whose(self, after: int, most: int) -> list[Whose]:
        """Whose the events behind `after` are, in the order of the log."""

    def newest_us(self, after: int) -> int | None:
        """When the newest of the events behind `after` happened, none later than it came; None without any."""

    def before(self, n: int) -> int:
        """The seq behind which the newest `n` events stand."""

    def last(self) -> int:
        """The seq of the newest event; 0 before the first."""

    def named(self, seq: int) -> tuple[str, str] | None:
        """Source and messageId of the event at a place, also where its body has left; None where there is none."""

    def tallies(self) -> list[Tally]:
        """What became of what each source sent, by name."""

    def refused(self, source: str | None, most: int) -> list[Refused]:
        """The newest events in quarantine, of one source or of all, the newest first."""

    def reasons(self, source: str | None) -> list[tuple[str, str, int]]:
        """How many events are in quarantine by source and code, the most first."""

    def forget(self, source: str, before_us: int) -> None:
        """Take the events out of the log that a source sent before an instant (microseconds since 1970)."""

    def let_go(self, source: str, events: Sequence[tuple[int, bytes]]) -> int:
        """How many events lost their bodies: of these (seq and body) all that stand in the log just so.

        They stay known: an event that comes again is a duplicate for ever.
        """

    def give_back(self) -> None:
        """Give the space back that bodies have left, while others write."""

    def positions(self, source: str) -> list[Position]:
        """How far the streams of a source are read, by stream and part."""

    def close(self) -> None:
        """Let it go; it is opened anew where it is used again."""
