"""The tables of a source that is followed: each is copied whole once, then brought to date, and has a position.

A table that is copied while its stream goes on stands where the stream does, and may show later changes already; the
position that the source had behind the copy is where it agrees with the source again.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from evervalue.core.errors import InputError
from evervalue.core.progress import Progress
from evervalue.core.text import count
from evervalue.sources import keyed
from evervalue.sources.applied import Applied
from evervalue.sources.changes import positions
from evervalue.sources.changes.copied import is_followed, replace_by
from evervalue.sources.changes.positions import Position
from evervalue.sources.changes.stage import Segment, load, restage
from evervalue.sources.changes.wanted import Wanted
from evervalue.sources.databases.connection import Address
from evervalue.sources.databases.reader import Range, Reader
from evervalue.sources.databases.tables import Table
from evervalue.sources.keyed import KeyedTable
from evervalue.warehouse.duckdb import Connection


class FollowedTables(ABC):
    """What all kinds of sources do alike; how a table is described and read is each kind's own."""

    kind: str
    """Of positions."""

    def __init__(
        self, source: str, address: Address, wanted: Mapping[str, Wanted], temp: Path, progress: Progress
    ) -> None:
        self.source = source
        self.address = address
        self.wanted = dict(wanted)
        self.temp = temp
        self.progress = progress
        self.applied: dict[str, Applied] = {}
        """What became of each feed's changes since the follower was made."""

    @abstractmethod
    def table(self, feed: str) -> Table:
        """The table of a feed as it was described last."""

    @abstractmethod
    def stored_columns(self, feed: str, table: Table) -> Iterable[str]:
        """The columns of a table that raw.columns tells of."""

    @abstractmethod
    def goes_on(self, feed: str, shape: str) -> bool:
        """Whether a table is the one that was stored with this shape; tells of it where it is not."""

    def begin_anew(self, con: Connection, run_id: str) -> None:
        """What is stored is older than anything that comes now, also where the new stream counts from less."""
        positions.forget(con, self.source)
        for feed in self.wanted:
            table = self.table(feed)
            keyed.begin_anew(con, feed, table.key, [(c.name, c.type) for c in table.columns], run_id)

    def copy_missing(
        self, con: Connection, copy: Callable[[str], Applied], commit: Callable[[], None]
    ) -> None:
        """Copy every table that is not stored, was read otherwise since, or is another one by now."""
        for feed in self.wanted:
            held = positions.read(con, self.source, feed)
            keyed.refuse_another_key(con, feed, self.table(feed).key)
            if held and held.shape and is_followed(con, feed) and self.goes_on(feed, held.shape):
                continue
            self.gather({feed: copy(feed)})
            commit()

    def replace(
        self,
        con: Connection,
        feed: str,
        reader: Reader,
        table: Table,
        *,
        lsn: int,
        run_id: str,
        end: Callable[[], int],
    ) -> tuple[Applied, KeyedTable, int]:
        """What became of the rows that were live, the table, and where it agrees with the source.

        `end` tells that place, once the rows are copied.
        """
        path = self.temp / f"copy-{keyed.part_id(feed)}.csv.zst"
        self.progress.doing(f"Reading {table.name}")
        try:
            copied = reader.copy(table, Range(), path)
            agrees_from = end()
            made, held = replace_by(con, feed, table, path, copied, lsn=lsn, run_id=run_id)
        finally:
            path.unlink(missing_ok=True)
        self.progress.step(f"Read {table.name}", detail=count(copied.rows, "row"))
        return made, held, agrees_from

    def apply(self, con: Connection, segment: Segment, *, run_id: str, converging: bool = False) -> Applied:
        """What became of the changes of one table.

        Raises
        ------
        InputError
            Not every change is accounted for.
        """
        table = self.table(segment.feed)
        staged, chosen = load(con, segment, {c.name: c.type for c in table.columns})
        held = KeyedTable(con, segment.feed, segment.shape.key, chosen.items())
        staged = restage(con, staged, held)
        made = held.apply(staged, run_id=run_id, converging=converging)
        con.execute(f"drop table {staged}")
        made.note_brought(con)
        if made.parts != made.read or made.read != segment.rows:
            raise InputError(
                f"{segment.feed}: {segment.rows:,} changes came and {made.parts:,} are accounted for. Nothing was kept."
            )
        self.register(held, table, run_id)
        return made

    def register(self, held: KeyedTable, table: Table, run_id: str) -> None:
        """Tell raw.files and raw.columns what is live."""
        types = {c.name: c.stored_type for c in table.columns}
        names = self.stored_columns(held.feed, table)
        held.register(table.name, {n: types[n] for n in names if n in types}, run_id=run_id)

    def gather(self, counts: Mapping[str, Applied]) -> None:
        """Add what became of a batch's changes."""
        for feed, made in counts.items():
            self.applied.setdefault(feed, Applied()).add(made)

    def note(
        self,
        con: Connection,
        feed: str,
        shape: str,
        run_id: str,
        *,
        lsn: int | None = None,
        agrees_from: int = 0,
    ) -> None:
        """Keep a table's shape, and where it stands where it was copied."""
        at = positions.read(con, self.source, feed)
        if lsn is not None:
            at = Position(self.kind, lsn=lsn, next_lsn=agrees_from)
        assert at is not None
        positions.write(con, self.source, replace(at, shape=shape), run_id=run_id, feed=feed)

    def agrees_from(self, con: Connection, feed: str) -> int:
        """The position from which a table agrees with the source."""
        held = positions.read(con, self.source, feed)
        return held.next_lsn if held else 0

    def settled(self, con: Connection) -> int:
        """The position from which all tables agree with the source."""
        return max([self.agrees_from(con, feed) for feed in self.wanted] or [0])
