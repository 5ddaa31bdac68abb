"""What a feed is: one table that is read into the raw zone, from wherever it lies."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from evervalue.core.progress import Progress
from evervalue.sources.report import SourceReport
from evervalue.warehouse.duckdb import Connection


@dataclass(frozen=True)
class Context:
    """What every feed needs to know of the load it is part of."""

    con: Connection
    """The warehouse, with a transaction begun."""
    base: Path
    """Folder of evervalue.toml, which paths are relative to."""
    run_id: str
    known_at: dt.datetime
    """Instant of the load, UTC without a zone; what is read now is known from then on."""
    progress: Progress
    temp: Path
    """Folder for copies that are read and thrown away."""
    full_refresh: bool = False
    """Whether everything is to be read again, also what has not changed."""


@dataclass(frozen=True)
class Brought:
    """What a feed did to its raw table."""

    changed: bool
    """Whether any row came, went or changed."""
    touched: str | None = None
    """Temporary table (file_id text, line bigint) of the rows that did; None means any row may have."""


class Feed(Protocol):
    """One table on its way into the raw zone."""

    name: str
    """Its raw table is `raw."name"`."""

    def bring(self, context: Context, report: SourceReport) -> Brought:
        """Bring the raw table in step with the source; `report` is told what was found."""
        ...

    def settle(self) -> None:
        """What it brought is committed: take away, or acknowledge, what was kept in case it was not."""
        ...

    def check(self, base: Path) -> str:
        """What is there, in a few words, after looking: the source is reached, lets us in and holds the table.

        Raises
        ------
        EvervalueError
            What is wrong, and how it is mended.
        """
        ...

    def sample(self, context: Context, rows: int) -> bool:
        """Whether all of the table was read into the raw table, where about `rows` rows were asked for."""
        ...
