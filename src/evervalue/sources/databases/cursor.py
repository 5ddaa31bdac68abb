"""A table followed by a column that grows when a row is written: only rows at or after the last value are read.

What it cannot see: rows that were deleted, rows whose column was not set, and rows of a transaction that was committed
after rows with a later value had been read.
"""

from __future__ import annotations

from dataclasses import replace

from evervalue.core.errors import InputError, MissingColumns
from evervalue.core.text import count, did_you_mean
from evervalue.sources import raw_zone
from evervalue.sources.databases import placing, ranges
from evervalue.sources.databases.feed import TableFeed
from evervalue.sources.databases.parts import forget_part, note_part
from evervalue.sources.databases.ranges import Known
from evervalue.sources.databases.reader import Range
from evervalue.sources.databases.tables import TEXT, Table, refuse_clashes, with_key
from evervalue.sources.databases.telling import tell_key, tell_schema
from evervalue.sources.feed import Brought, Context
from evervalue.sources.relation import check_columns
from evervalue.sources.report import SourceReport
from evervalue.warehouse.duckdb import quoted


class CursorFeed(TableFeed):
    """One table of a database, of which rows are read whose cursor has grown."""

    cursor: str = ""
    """The column that grows."""

    def bring(self, context: Context, report: SourceReport) -> Brought:
        """Bring rows at or after the last value of the cursor; everything the first time and with --full-refresh."""
        with self.snapshot.of(self.name):
            return self._bring(context, report)

    def _bring(self, context: Context, report: SourceReport) -> Brought:
        con, reader = context.con, self.snapshot.reader
        table = with_key(reader.describe(self.table), self.key, self.where)
        refuse_clashes(table, self.where)
        check_columns(self.where, self.wanted, table.name, [column.name for column in table.columns])
        cursor = self._check(table)
        report.said += table.warnings
        raw_zone.come_back(con, self.name)
        tell_schema(context, report, self.name, self.where, table)
        before = raw_zone.column_types(con, self.name)
        columns = [(column.name, column.type) for column in table.columns]
        types = placing.widen(con, self.name, columns, table.name)
        touched = f"temp.{quoted('touched~' + self.name)}"
        con.execute(f"create or replace temp table {touched} (file_id varchar, line bigint)")
        key, found = ranges.known(con, self.name)
        by = [*table.key, f"{cursor}, as it grows"]
        if found and key != by:
            tell_key(report, self.where, table, by, key)
            found = []
        if not found:  # what another way of reading has brought
            for file in raw_zone.files_of(con, self.name):
                forget_part(con, self.name, file.file_id, touched, context.run_id)
        known = found[0] if found else None
        whole = (
            known is None
            or context.full_refresh
            or not known.content
            or known.schema_hash != table.schema_hash()
        )
        part = ranges.part(self.system, self.name, table, Range())
        path = context.temp / f"{part.file_id}.csv.zst"
        if whole or known is None:
            copied = reader.copy(table, Range(), path)
        else:
            by_cursor = replace(table, key=(cursor,), key_is_sure=False)
            copied = reader.copy(by_cursor, Range(lower=(known.content,), closed=True), path)

        def put() -> placing.Placed | None:
            return placing.exchange(
                con, self.name, types, part.file_id, path, table, copied, context.run_id,
                next_line=known.next_line if known else 1, touched=touched, whole=whole,
            )  # fmt: skip

        placed = put()
        if placed is None:
            unfit = placing.unfit(con, path, table, copied)
            columns = [(name, TEXT if name in unfit else type) for name, type in columns]
            types = placing.widen(con, self.name, columns, table.name)
            placed = put()
        path.unlink(missing_ok=True)
        if placed is None:
            raise InputError(f"{self.where}: not every row of {table.name} could be taken over. Run again.")
        rows, last = self._state(context, cursor, report, table)
        note_part(
            con,
            self.name,
            part,
            table,
            columns,
            rows=rows,
            bytes=copied.bytes,
            content=last,
            run_id=context.run_id,
        )
        now = Known(part.file_id, None, rows, last, table.schema_hash(), placed.next_line)
        ranges.keep(con, self.name, by, [(now, context.run_id)], context.run_id)
        (report.files_replaced if known else report.files_new).append(part.path)
        context.progress.step(f"Read {self.name}", detail=f"{count(copied.rows, 'row')} since the last load")
        after = raw_zone.column_types(con, self.name)
        same = all(after[name] == type for name, type in before.items())
        return Brought(bool(placed.rows_come or placed.rows_gone) or known is None, touched if same else None)

    def _check(self, table: Table) -> str:
        names = {column.name.lower(): column for column in table.columns}
        column = names.get(self.cursor.lower())
        if column is None:
            raise MissingColumns(
                f"{self.where}: {table.name} has no column '{self.cursor}'"
                f"{did_you_mean(self.cursor, [c.name for c in table.columns])}, which the setting `cursor` names."
            )
        if column.type == TEXT or column.type in ("BOOLEAN", "DOUBLE"):
            raise InputError(
                f"{self.where}: {table.name}.{column.name} is of the type {column.database_type}, which does not grow "
                'reliably. A cursor is a whole number, a date or an instant; or use capture = "snapshot".'
            )
        if not table.key:
            raise InputError(
                f"{self.where}: {table.name} has no key, so a row that was changed cannot be told from a new one. Name "
                'its key in `key`, or use capture = "snapshot".'
            )
        return column.name

    def _state(self, context: Context, cursor: str, report: SourceReport, table: Table) -> tuple[int, str]:
        """How many rows are live, and the highest cursor among them, as text."""
        row = context.con.execute(
            f"select count(*), max({quoted(cursor)})::varchar, count(*) - count({quoted(cursor)}) "
            f"from {raw_zone.table(self.name)}"
        ).fetchone()
        rows, last, empty = row or (0, None, 0)
        if empty:
            report.said.append(
                f"{self.where}: {count(empty, 'row')} of {table.name} have no {cursor}, so changes to them are "
                "seen with --full-refresh only."
            )
        return int(rows), str(last or "")
