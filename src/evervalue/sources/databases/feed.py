"""A table of a database as a feed: one snapshot, by ranges of its key; what has not changed is not read again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from evervalue.core.errors import InputError, SourceUnavailable
from evervalue.core.text import count, listing
from evervalue.sources import raw_zone
from evervalue.sources.databases import placing, ranges
from evervalue.sources.databases.ranges import Known, Part
from evervalue.sources.databases.reader import Bound, Fingerprint, Range, Reader, Stopped
from evervalue.sources.databases.staging import Staged, Staging, folder
from evervalue.sources.databases.tables import TEXT, Table, refuse_clashes, with_key
from evervalue.sources.feed import Brought, Context
from evervalue.sources.relation import check_columns
from evervalue.sources.report import SourceReport
from evervalue.sources.wider import wider_type
from evervalue.warehouse.duckdb import Connection, literal, quoted

RANGE_ROWS = 100_000
"""About how many rows a range has; one that has grown to twice as many is parted."""
FORMAT = "table"


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


@dataclass(frozen=True)
class Looked:
    """What was found of a range, and done about it."""

    part: Part
    fingerprint: Fingerprint
    staged: Staged | None = None
    """A copy of it; None where it has not changed, or is to be parted first."""
    too_long: bool = False
    reused: bool = False
    """Whether the copy is one of a load that was broken off."""


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
            return _Load(self, reader, context, report).bring()

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
        raw_zone.note_columns(con, self.name, whole.file_id, _stored(table, columns), table.key)
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


class _Load:
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
        tell_schema(self.context, self.report, self.feed, table)
        self._widen([(c.name, c.type) for c in table.columns])
        self.con.execute(f"create or replace temp table {self.touched} (file_id varchar, line bigint)")
        self.staging.open()
        self.feed.keep(self.staging)
        key, known = ranges.known(self.con, self.name)
        if known and key != list(table.order):
            self._forget_all(known, key)
            known = []
        self.known = {one.file_id: one for one in known}
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

    def _part(self, within: Range) -> Part:
        return ranges.part(self.feed.system, self.name, self.table, within)

    def _read(self, bounds: list[Bound]) -> None:
        """Look at every range, several at a time, and place those that have changed, in order."""
        pool = ThreadPoolExecutor(self.reader.workers, thread_name_prefix="evervalue-read")
        waiting: list[Future[Looked]] = []
        try:
            waiting = [
                pool.submit(self._look, self._part(one), True) for one in ranges.ranges_between(bounds)
            ]
            waiting.reverse()
            while waiting:
                looked = waiting.pop().result()
                if looked.too_long:
                    waiting += reversed([
                        pool.submit(self._look, self._part(one), False) for one in self._parted(looked)
                    ])  # fmt: skip
                elif looked.staged is None:
                    before = self.known[looked.part.file_id]
                    self.report.files_unchanged.append(looked.part.path)
                    self.done.append((before, None))
                else:
                    self._place(looked, looked.staged)
        except Stopped:
            # Another range failed first, and tells why.
            failed = (one.exception() for one in waiting if not one.cancel())
            raise next((error for error in failed if error and not isinstance(error, Stopped)), None) or (
                SourceUnavailable(f"{self.feed.where}: reading {self.table.name} was broken off. Run again.")
            ) from None
        except BaseException:
            for one in waiting:
                one.cancel()
            self.reader.close()
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _parted(self, looked: Looked) -> list[Range]:
        within = looked.part.range
        bounds = self.reader.boundaries(self.table, within, self.feed.range_rows)
        return ranges.ranges_between([bound for bound in bounds if bound != within.upper], within)

    def _look(self, part: Part, may_be_parted: bool) -> Looked:
        """Ask the database what a range holds, and copy it where that is news. Runs beside other ranges."""
        if not self.reader.fingerprints:
            return self._copy_whole(part)
        fingerprint = self.reader.fingerprint(self.table, part.range)
        if self._is_current(part, fingerprint):
            return Looked(part, fingerprint)
        if may_be_parted and fingerprint.rows > 2 * self.feed.range_rows:
            return Looked(part, fingerprint, too_long=True)
        staged = self.staging.find(part)
        if (
            staged is not None
            and (staged.content, staged.schema_hash) == (fingerprint.content, self.schema_hash)
            and staged.copied.rows == fingerprint.rows
        ):
            return Looked(part, fingerprint, staged, reused=True)
        return Looked(part, fingerprint, self._copy(part, fingerprint))

    def _is_current(self, part: Part, fingerprint: Fingerprint) -> bool:
        known = self.known.get(part.file_id)
        return (
            known is not None
            and (known.content, known.schema_hash) == (fingerprint.content, self.schema_hash)
            and not self.context.full_refresh
        )

    def _copy(self, part: Part, fingerprint: Fingerprint) -> Staged:
        self.staging.drop(part)
        path = self.staging.place(part)
        copied = self.reader.copy(self.table, part.range, path)
        if copied.rows != fingerprint.rows:
            raise InputError(
                f"{self.feed.where}: {count(copied.rows, 'row')} of {part.path} were read where the database had "
                f"counted {fingerprint.rows:,} in the same snapshot. Run again; if it stays so, its storage engine "
                "has no snapshots."
            )
        staged = Staged(path, fingerprint.content, self.schema_hash, copied, fingerprint.unfit)
        self.staging.keep(part, staged)
        return staged

    def _copy_whole(self, part: Part) -> Looked:
        """A range of a database that can tell nothing without handing it over."""
        path = self.staging.place(part)
        copied = self.reader.copy(self.table, part.range, path)
        fingerprint = Fingerprint(copied.rows, copied.content)
        if self._is_current(part, fingerprint):
            path.unlink(missing_ok=True)
            return Looked(part, fingerprint)
        return Looked(part, fingerprint, Staged(path, copied.content, self.schema_hash, copied, ()))

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
            return self._place(replace(looked, reused=False), self._copy(part, looked.fingerprint))
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
        tell_key(self.report, self.feed, self.table, now, before)
        for one in known:
            self._forget(one.file_id)

    def _forget(self, file_id: str) -> None:
        forget_part(self.con, self.name, file_id, self.touched, self.context.run_id)
        self.changed = True


def _stored(table: Table, columns: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The columns with what their cells were written as, where they are of the types given."""
    known = {column.name: column for column in table.columns}
    return [
        (
            name,
            known[name].stored_type
            if type == known[name].type
            else "number"
            if known[name].number
            else "text",
        )
        for name, type in columns
    ]


def tell_schema(context: Context, report: SourceReport, feed: TableFeed, table: Table) -> None:
    """Say what became of columns since the table was read last."""
    held: dict[str, set[str]] = {}
    for name, type in raw_zone.run(
        context.con,
        "select distinct column_name, stored_type from raw.columns where source = ?",
        [feed.name],
    ).fetchall():
        held.setdefault(str(name), set()).add(str(type))
    if not held:
        return
    now = {column.name: column for column in table.columns}
    shown = table.name
    for name in held.keys() - now.keys():
        report.said.append(
            f"{feed.where}: {shown} has no column '{name}' any more; its cells are empty from this run on."
        )
    for name, column in now.items():
        if name not in held:
            context.progress.step(f"{shown} has a new column '{name}'", detail=column.database_type)
        elif column.stored_type not in held[name]:
            before = next(iter(sorted(held[name])))
            if column.stored_type in ("text", "number") or TEXT in (
                wider_type(before, column.type), column.type,
            ):  # fmt: skip
                report.said.append(
                    f"{feed.where}: the type of {shown}.{name} changed from {before.lower()} to "
                    f"{column.database_type}; both are kept as text from this run on."
                )
            else:
                context.progress.step(f"{shown}.{name} was widened", detail=column.database_type)


def note_part(
    con: Connection,
    feed: str,
    part: Part,
    table: Table,
    columns: list[tuple[str, str]],
    *,
    rows: int,
    bytes: int,
    content: str,
    run_id: str,
) -> None:
    """Write a part into raw.files, and its columns with the types it was read with into raw.columns."""
    _unregister(con, feed, part.file_id)
    schema_hash = table.schema_hash()
    raw_zone.run(
        con,
        "insert into raw.files (source, file_id, path, sha256, bytes, format, reader, rows_read, run_id, status) "
        "values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            *(feed, part.file_id, part.path, ranges.sha256(part, content, schema_hash), bytes, FORMAT),
            *(schema_hash, rows, run_id, "loaded"),
        ],
    )
    raw_zone.note_columns(con, feed, part.file_id, _stored(table, columns), table.key)


def _unregister(con: Connection, feed: str, file_id: str) -> None:
    for table in ("files", "columns"):
        raw_zone.run(con, f"delete from raw.{table} where source = ? and file_id = ?", [feed, file_id])


def forget_part(con: Connection, feed: str, file_id: str, touched: str, run_id: str) -> None:
    """Move the rows of a part to the past, and take it out of raw.files."""
    raw_zone.forget(con, feed, file_id, run_id)
    _unregister(con, feed, file_id)
    con.execute(f"insert into {touched} values ({literal(file_id)}, null)")


def tell_key(
    report: SourceReport, feed: TableFeed, table: Table, key: Sequence[str], before: Sequence[str]
) -> None:
    """Say that a table is read by another key than before."""
    report.said.append(
        f"{feed.where}: {table.name} is now kept under the key {listing(key) or 'of no column'} (before: "
        f"{listing(before) or 'no column'}), so all of it is read again."
    )
