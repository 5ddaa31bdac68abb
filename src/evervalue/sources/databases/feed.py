"""A table of a database as a feed: one snapshot, by ranges of its key; what has not changed is not read again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from evervalue.core.errors import SourceUnavailable
from evervalue.sources import raw_zone
from evervalue.sources.databases import placing, ranges
from evervalue.sources.databases.parts import FORMAT, stored
from evervalue.sources.databases.reader import Range, Reader
from evervalue.sources.databases.staging import Staging
from evervalue.sources.databases.table_load import TableLoad
from evervalue.sources.databases.tables import TEXT, refuse_clashes, with_key
from evervalue.sources.feed import Brought, Context
from evervalue.sources.relation import check_columns
from evervalue.sources.report import SourceReport

RANGE_ROWS = 100_000
"""About how many rows a range has; one that has grown to twice as many is parted."""


class Snapshot:
    """The reader of one system, which its tables share: what they bring is true of one instant."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.waiting: set[str] = set()
        """Feeds that have not been brought yet."""

    @contextmanager
    def of(self, feed: str) -> Iterator[Reader]:
        """The reader; it is closed behind the last feed, and behind the first that fails."""
        try:
            yield self.reader
        except BaseException:
            self.reader.close()
            raise
        self.waiting.discard(feed)
        if not self.waiting:
            self.reader.close()


class TableFeed:
    """One table of a database."""

    def __init__(
        self,
        name: str,
        *,
        system: str,
        table: str,
        snapshot: Snapshot,
        key: tuple[str, ...] = (),
        wanted: Mapping[str, str] | None = None,
        optional: bool = False,
        range_rows: int = RANGE_ROWS,
    ) -> None:
        """Nothing is asked of the database yet.

        Parameters
        ----------
        name
            Name of the feed.
        system
            Name of the system, for paths and messages.
        table
            The table as the settings name it.
        snapshot
            What it is read through; shared with the other tables of the system.
        key
            Columns that name a row; default: the table's own key.
        wanted
            Setting: column that the table must have.
        optional
            Whether it is left out, with what is looked up in it, where it is not there.
        range_rows
            Rows of a range.
        """
        self.name = name
        self.system = system
        self.table = table
        self.where = f"sources.{system}"
        self.snapshot = snapshot
        self.key = key
        self.wanted = wanted or {}
        self.optional = optional
        self.range_rows = range_rows
        self._staging: Staging | None = None
        snapshot.waiting.add(name)

    def bring(self, context: Context, report: SourceReport) -> Brought:
        """Bring the raw table in step with the table.

        Every range is looked at by the database itself, and copied only where it has changed. Copies are kept until
        the load is done: where it is broken off, the next one takes a snapshot of its own and copies only what was not
        copied, or has changed since.
        """
        with self.snapshot.of(self.name) as reader:
            if absent := self._absent(reader):
                report.said.append(absent)
                return Brought(changed=False)
            return TableLoad(self, reader, context, report).bring()

    def _absent(self, reader: Reader) -> str:
        """That the table is not there, in a sentence, where it may be left out; else nothing."""
        if not self.optional:
            return ""
        reader.open()  # what cannot be reached is not absent
        try:
            reader.describe(self.table)
        except SourceUnavailable as error:
            return f"{self.name} is left out: {error}"
        return ""

    def check(self, base: Path, *, changes: bool = False) -> str:
        """What is there: version, user, columns, key, about how many rows; and what `changes` need."""
        del base
        try:
            if absent := self._absent(self.snapshot.reader):
                return absent
            return "; ".join(self.snapshot.reader.check(self.table, changes=changes))
        finally:
            self.snapshot.reader.close()

    def sample(self, context: Context, rows: int) -> bool:
        """Whether the rows read are all there are, where `rows` rows were asked for."""
        con, reader = context.con, self.snapshot.reader
        try:
            if self._absent(reader):
                return True
            table = with_key(reader.describe(self.table), self.key, self.where)
            refuse_clashes(table, self.where)
            check_columns(self.where, self.wanted, table.name, [column.name for column in table.columns])
            path = context.temp / f"{len(list(context.temp.iterdir()))}.csv.zst"
            copied = reader.copy(table, Range(), path, most=rows)
        finally:
            reader.close()
        whole = ranges.part(self.system, self.name, table, Range())
        columns = [(column.name, column.type) for column in table.columns]
        types = placing.widen(con, self.name, columns, table.name)
        if (
            placing.fill(con, self.name, types, whole.file_id, path, table, copied, context.run_id)
            != copied.rows
        ):
            unfit = placing.unfit(con, path, table, copied)
            columns = [(name, TEXT if name in unfit else type) for name, type in columns]
            types = placing.widen(con, self.name, columns, table.name)
            placing.fill(con, self.name, types, whole.file_id, path, table, copied, context.run_id)
        raw_zone.note_columns(con, self.name, whole.file_id, stored(table, columns), table.key)
        raw_zone.run(
            con,
            "insert into raw.files by name select ? as source, ? as file_id, ? as path, ? as sha256, ? as bytes, "
            "? as format, '' as reader, ? as rows_read, ? as run_id, 'loaded' as status",
            [self.name, whole.file_id, whole.path, "", copied.bytes, FORMAT, copied.rows, context.run_id],
        )
        return copied.rows < rows

    def settle(self) -> None:
        """Take away what was kept for the case that the load is broken off; it is committed."""
        if self._staging is not None:
            self._staging.clear()
            self._staging = None

    def keep(self, staging: Staging) -> None:
        """Remember where copies are, for `settle`."""
        self._staging = staging
