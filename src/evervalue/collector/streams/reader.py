"""What the loop asks of a stream, whatever its protocol: records in order, and how far each of its parts is read.

A reader keeps no checkpoint of its own. It begins behind the positions that stand in the event log, which were written
in one transaction with the events they cover; what the stream's server remembers of us is for its own tools to show.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from evervalue.collector.log import Position

Positions = Callable[[], Sequence[Position]]
"""Asks the log how far the streams of the source are read, now."""
Settle = Callable[[], None]
"""Waits until what was read before is written."""


class Moved(Exception):
    """The stream must be opened again at the positions of the log: nothing is wrong, and nobody need be told."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record of a stream."""

    body: bytes
    arrived_us: int
    """When the stream took it, microseconds since 1970, UTC."""
    name: str
    """Names it among all records of all streams: the same whenever it is delivered again."""
    place: tuple[str, str] | None = None
    """Stream and part, where the part is read in order."""
    position: str = ""
    """How far the part is read once this record is."""


@dataclass(frozen=True, slots=True)
class Lost:
    """Records that are gone before they were read."""

    part: str
    says: str


@dataclass(slots=True)
class Chunk:
    """What one reading brought, and how far the stream is read with it."""

    records: list[Record] = field(default_factory=list)
    positions: dict[tuple[str, str], str] = field(default_factory=dict)
    """Positions once all of the records are read; they come after those of the records."""
    lost: list[Lost] = field(default_factory=list)
    receipt: Any = None
    """What the reader wants back once all of it is stored."""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to write."""
        return not (self.records or self.positions or self.lost)


@dataclass(frozen=True, slots=True)
class Part:
    """How far one part of a stream is read, for people."""

    name: str
    position: str
    behind_records: int | None = None
    """Records that wait in it; None where its protocol does not tell."""
    behind_seconds: float | None = None
    """How long the oldest record that waits has been there; None where its protocol does not tell."""


class Reader(Protocol):
    """A stream. Everything is called by one thread."""

    def open(self, positions: Positions, settle: Settle) -> None:
        """Begin behind the positions of the log, or where the settings say.

        Raises
        ------
        SourceUnavailable
            It cannot be reached, is not there, or does not let us read.
        """
        ...

    def read(self) -> Chunk:
        """What came next; after about a second it is returned though it be empty.

        Raises
        ------
        SourceUnavailable
            The stream does not answer any more.
        Moved
            It must be opened again.
        """
        ...

    def stored(self, receipt: Any) -> None:
        """Takes note that all of a chunk is on disk."""
        ...

    def parts(self, positions: Sequence[Position]) -> list[Part]:
        """How far each part is read, and how much waits in it; opens and closes what it needs itself.

        Raises
        ------
        SourceUnavailable
            It cannot be told.
        """
        ...

    def check(self) -> str:
        """What is found there, in a sentence, after each kind of request that reading needs was made once.

        Raises
        ------
        SourceUnavailable
            It cannot be reached, is not there, or does not let us read.
        """
        ...

    def close(self) -> None:
        """Let go of everything; may be called at any time."""
        ...


def of_stream(positions: Sequence[Position], stream: str) -> Mapping[str, str]:
    """Part: position, of one stream."""
    return {p.part: p.position for p in positions if p.stream == stream}


def began_anew(positions: Sequence[Position], stream: str) -> bool:
    """Whether an earlier stream of this name was read, which has since been deleted and made again.

    What tells the two apart stands behind the last `#` of the stream's name.
    """
    name = stream.rpartition("#")[0]
    return any(p.stream != stream and p.stream.rpartition("#")[0] == name for p in positions)
