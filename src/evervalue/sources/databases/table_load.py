"""One table of a database in one load: every range that has changed is placed, and what is gone goes to the past."""

from __future__ import annotations

from contextlib import closing, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

from evervalue.core.errors import InputError
from evervalue.core.text import count, listing
from evervalue.sources import raw_zone
from evervalue.sources.databases import placing, ranges
from evervalue.sources.databases.looking import Looked, Looking
from evervalue.sources.databases.parts import forget_part, note_part
from evervalue.sources.databases.ranges import Known, Part
from evervalue.sources.databases.reader import Bound, Range, Reader
from evervalue.sources.databases.staging import Staged, Staging, folder
from evervalue.sources.databases.tables import TEXT, refuse_clashes, with_key
from evervalue.sources.databases.telling import tell_key, tell_schema
from evervalue.sources.feed import Brought, Context
from evervalue.sources.relation import check_columns
from evervalue.sources.report import SourceReport
from evervalue.warehouse.duckdb import Connection, literal, quoted

if TYPE_CHECKING:
    from evervalue.sources.databases.feed import TableFeed


class TableLoad:
    """One table in one load."""

    def __init__(self, feed: TableFeed, reader: Reader, context: Context, report: SourceReport) -> None:
        self.feed, self.reader, self.context, self.report = feed, reader, context, report
        self.con: Connection = context.con
        self.name = feed.name
        self.staging = Staging(folder(self.con, context.temp, feed.name))
        self.touched = f"temp.{quoted('touched~' + feed.name)}"
        self.changed = False
        self.done: list[tuple[Known, str | None]] = []

    def bring(self) -> Brought:
        """Bring the raw table in step with the table; see `TableFeed.bring`."""
        self.context.progress.doing(f"Reading {self.name}")
        table = with_key(self.reader.describe(self.feed.table), self.feed.key, self.feed.where)
        refuse_clashes(table, self.feed.where)
        check_columns(
            self.feed.where, self.feed.wanted, table.name, [column.name for column in table.columns]
        )
        self.table = table
        self.schema_hash = table.schema_hash()
        self.report.said += table.warnings
        raw_zone.come_back(self.con, self.name)
        types = raw_zone.column_types(self.con, self.name)
        tell_schema(self.context, self.report, self.name, self.feed.where, table)
        self._widen([(c.name, c.type) for c in table.columns])
        self.con.execute(f"create or replace temp table {self.touched} (file_id varchar, line bigint)")
        self.staging.open()
        self.feed.keep(self.staging)
        key, known = ranges.known(self.con, self.name)
        if known and key != list(table.order):
            self._forget_all(known, key)
            known = []
        self.known = {one.file_id: one for one in known}
        self.looking = Looking(
            self.reader, table, self.staging, self.known, system=self.feed.system, feed=self.name,
            range_rows=self.feed.range_rows, anew=self.context.full_refresh,
        )  # fmt: skip
        self._read(self._known_bounds(known) if known else self._bounds())
        self._drop_parts_that_are_gone()
        rows = sum(one.rows for one, _ in self.done)
        if not table.key_is_sure and (there := self.reader.count(table)) != rows:
            raise InputError(
                f"{self.feed.where}: {table.name} has {count(there, 'row')}, of which the ranges of its key "
                f"{listing(table.key)} hold {rows:,}. Some rows have an empty key; name other columns in `key`."
            )
        ranges.keep(self.con, self.name, table.order, self.done, self.context.run_id)
        self.context.progress.step(f"Read {self.name}", detail=count(rows, "row"))
        after = raw_zone.column_types(self.con, self.name)
        same = all(after[name] == type for name, type in types.items())  # else every cell may read otherwise
        return Brought(self.changed or not same, self.touched if same else None)

    def _bounds(self) -> list[Bound]:
        kept = self.staging.bounds(self.table.order, self.schema_hash)
        if kept is None:
            kept = self.reader.boundaries(self.table, Range(), self.feed.range_rows)
            self.staging.keep_bounds(self.table.order, self.schema_hash, kept)
        return kept

    def _known_bounds(self, known: list[Known]) -> list[Bound]:
        bounds = [one.lower for one in known if one.lower is not None]
        if not self.reader.fingerprints:  # nothing will tell that the last one has grown before it is read
            last = Range(known[-1].lower)
            bounds += self.reader.boundaries(self.table, last, 2 * self.feed.range_rows)
        return bounds

    def _read(self, bounds: list[Bound]) -> None:
        """Place the ranges that have changed, in order, while others are looked at."""
        with closing(self.looking.at(bounds)) as found:
            for looked in found:
                if looked.staged is not None:
                    self._place(looked, looked.staged)
                    continue
                self.report.files_unchanged.append(looked.part.path)
                self.done.append((self.known[looked.part.file_id], None))

    def _place(self, looked: Looked, staged: Staged) -> None:
        part, known = looked.part, self.known.get(looked.part.file_id)
        self.context.progress.doing(f"Reading {self.name}: {part.path}, {count(staged.copied.rows, 'row')}")
        columns = [(c.name, TEXT if c.name in staged.unfit else c.type) for c in self.table.columns]
        if staged.unfit:
            self._widen(columns)
        placed = self._put(part, staged, known)
        if placed is None:
            unfit = placing.unfit(self.con, staged.path, self.table, staged.copied)
            columns = [(name, TEXT if name in unfit else type) for name, type in columns]
            self._widen(columns)
            placed = self._put(part, staged, known)
        if placed is None and looked.reused:
            # What a load left behind that was broken off is damaged: it is copied again.
            return self._place(replace(looked, reused=False), self.looking.copy(part, looked.fingerprint))
        if placed is None:
            raise InputError(
                f"{self.feed.where}: not every row of {part.path} could be taken over: the copy has "
                f"{count(staged.copied.rows, 'row')}, and fewer could be read from it. Nothing was changed; tell us."
            )
        self._register(part, staged, columns, known, placed)
        return None

    def _widen(self, columns: list[tuple[str, str]]) -> None:
        self.types = placing.widen(self.con, self.name, columns, self.table.name)

    def _put(self, part: Part, staged: Staged, known: Known | None) -> placing.Placed | None:
        with (
            placing.one_thread(self.con) if staged.copied.rows <= 4 * self.feed.range_rows else nullcontext()
        ):
            return self._put_rows(part, staged, known)

    def _put_rows(self, part: Part, staged: Staged, known: Known | None) -> placing.Placed | None:
        if known is None and self.table.key_is_sure:
            inserted = placing.fill(
                self.con, self.name, self.types, part.file_id, staged.path, self.table, staged.copied,
                self.context.run_id,
            )  # fmt: skip
            if inserted != staged.copied.rows:
                return None
            if inserted:
                self.con.execute(f"insert into {self.touched} values ({literal(part.file_id)}, null)")
            return placing.Placed(inserted, 0, inserted + 1)
        return placing.exchange(
            self.con, self.name, self.types, part.file_id, staged.path, self.table, staged.copied, self.context.run_id,
            next_line=known.next_line if known else 1, touched=self.touched,
        )  # fmt: skip

    def _register(
        self,
        part: Part,
        staged: Staged,
        columns: list[tuple[str, str]],
        known: Known | None,
        placed: placing.Placed,
    ) -> None:
        self.changed = self.changed or bool(placed.rows_come or placed.rows_gone) or known is None
        note_part(
            self.con,
            self.name,
            part,
            self.table,
            columns,
            rows=staged.copied.rows,
            bytes=staged.copied.bytes,
            content=staged.content,
            run_id=self.context.run_id,
        )
        one = Known(
            part.file_id,
            part.range.lower,
            staged.copied.rows,
            staged.content,
            self.schema_hash,
            placed.next_line,
        )
        self.done.append((one, self.context.run_id))
        (self.report.files_replaced if known else self.report.files_new).append(part.path)

    def _drop_parts_that_are_gone(self) -> None:
        here = {one.file_id for one, _ in self.done}
        for file in raw_zone.files_of(self.con, self.name):
            if file.file_id not in here:
                self._forget(file.file_id)

    def _forget_all(self, known: list[Known], key: list[str]) -> None:
        """Take every part out: under another key rows are parted otherwise."""
        before, now = [name.partition(", as ")[0] for name in key], list(self.table.key)
        if before == now:  # the same columns, sorted otherwise
            before, now = key, list(self.table.order)
        tell_key(self.report, self.feed.where, self.table, now, before)
        for one in known:
            self._forget(one.file_id)

    def _forget(self, file_id: str) -> None:
        forget_part(self.con, self.name, file_id, self.touched, self.context.run_id)
        self.changed = True
