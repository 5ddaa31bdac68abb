"""What every kind of database can be asked. One reader holds one snapshot; all that it tells is true of one instant."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from evervalue.sources.databases.tables import Table

Bound = tuple[str, ...]
"""A value of the key, each column as text that the database reads back exactly."""


class Stopped(Exception):
    """The load was broken off; a worker ends what it does."""


@dataclass(frozen=True)
class Range:
    """Rows whose key is above `lower` and not above `upper`; None is open."""

    lower: Bound | None = None
    upper: Bound | None = None
    closed: bool = False
    """Whether rows at `lower` belong to it too; for keys of one column."""


@dataclass(frozen=True)
class Fingerprint:
    """What a range holds, told without reading it here."""

    rows: int
    content: str
    """Differs, as surely as 64 bits twice can tell, where any row does."""
    unfit: tuple[str, ...] = ()
    """Columns with a value that their engine type cannot hold, such as an infinite date."""


@dataclass(frozen=True)
class Copied:
    """What was written of a range: CSV, packed with zstd, its first line a header."""

    rows: int
    bytes: int
    """Before packing."""
    longest: int
    """Bytes of the longest row."""
    content: str = ""
    """Hash of what was read, where the database cannot tell a fingerprint of its own."""


class Reader(Protocol):
    """A database under one snapshot."""

    kind: str
    workers: int
    """Ranges that may be read at the same time."""
    fingerprints: bool
    """Whether the database can tell that a range has not changed without handing it over."""

    def open(self) -> None:
        """Take the snapshot, unless it is there."""
        ...

    def close(self) -> None:
        """Let the snapshot go; whatever is under way ends."""
        ...

    def describe(self, table: str) -> Table:
        """What is known of a table.

        Raises
        ------
        SourceUnavailable
            It is not there, or may not be read.
        """
        ...

    def boundaries(self, table: Table, within: Range, rows: int) -> list[Bound]:
        """Keys that part a range into pieces of about `rows` rows, in order; none where it cannot be parted."""
        ...

    def fingerprint(self, table: Table, range: Range) -> Fingerprint:
        """What a range holds."""
        ...

    def copy(self, table: Table, range: Range, path: Path, *, most: int | None = None) -> Copied:
        """Write a range, or its first rows, to a file."""
        ...

    def count(self, table: Table) -> int:
        """All rows of a table."""
        ...

    def check(self, table: str, *, changes: bool) -> list[str]:
        """What was found, in sentences; `changes`: whether they are to be captured.

        Raises
        ------
        SourceUnavailable
            What is wrong, and how it is mended.
        """
        ...
