"""Files of changes as a feed: each is applied once, in any order, and not before it is whole."""

from __future__ import annotations

import datetime as dt
import gzip
import io
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import zstandard

from evervalue.core.errors import InputError
from evervalue.core.text import count, listing
from evervalue.sources import raw_zone
from evervalue.sources.applied import Applied
from evervalue.sources.changes import debezium, dms, seen_objects
from evervalue.sources.changes.feed import since_mapped, words
from evervalue.sources.changes.lag import last_known
from evervalue.sources.changes.stage import Shape, Stage, load, misfit_types, restage
from evervalue.sources.feed import Brought, Context
from evervalue.sources.files import FoundFile
from evervalue.sources.finding import find
from evervalue.sources.keyed import KeyedTable
from evervalue.sources.report import SourceReport
from evervalue.sources.systems import TableSettings
from evervalue.warehouse.duckdb import Connection, quoted

ROWS_A_BATCH = 200_000
Made = tuple[Applied, list[int | None], dt.datetime | None]
"""What became of the changes of a file, its first and last position, and when its newest change was committed."""


class HalfWritten(Exception):
    """The file ends in the middle of something; its writer is not done."""


class ChangeFilesFeed:
    """The change files of one table, of Debezium or of DMS."""

    def __init__(self, name: str, system: str, settings: TableSettings, format: str) -> None:
        self.name = name
        self.system = system
        self.settings = settings
        self.format = format
        self.where = f"sources.{name}"
        self.stored: dict[str, str] = {}

    def bring(self, context: Context, report: SourceReport) -> Brought:
        """Apply the files that were not applied yet; all of them with a full refresh."""
        con = context.con
        if context.full_refresh:
            self._start_over(con)
        done = {
            row[0]: row[1]
            for row in raw_zone.run(
                con, "select sha256, path from raw.change_files where feed = ?", [self.name]
            ).fetchall()
        }
        found = find(
            self.settings,
            context,
            self.name,
            self.where,
            set(done.values()),
            known=seen_objects.seen(con, self.name),
        )
        report.said += found.notes
        self._refuse_reloaded(found.files, done)
        total = Applied()
        waiting = []
        for file in found.files:
            if file.sha256 in done:
                if done[file.sha256] == file.shown:
                    report.files_unchanged.append(file.shown)
                else:
                    report.files_same_content[file.shown] = done[file.sha256]
                seen_objects.note(con, self.name, file, context.run_id)
                file.let_go()
                continue
            try:
                made = self._apply(context, file.here())
            except HalfWritten:
                waiting.append(file.shown)
                continue
            seen_objects.note(con, self.name, file, context.run_id)
            file.let_go()
            done[file.sha256] = file.shown
            report.files_new.append(file.shown)
            total.add(made)
        if waiting:
            report.said.append(
                f"{self.where}: {count(len(waiting), 'file')} not written to the end yet ({listing(waiting, 3)}), to "
                "be read in the next load. Where its writer is done, write it again."
            )
        report.changes = words(total)
        report.behind_seconds = last_known(con, "", [self.name], context.known_at)
        if total.refused:
            report.said.append(
                f"{self.where}: {count(total.refused, 'change')} leave out values that are not known here, for example "
                f"of {total.example}. They wait for the change before; where that never comes, take a new snapshot."
            )
        return since_mapped(con, self.name, self.system)

    def settle(self) -> None:
        """Nothing was kept."""

    def check(self, base: Path) -> str:
        """How many files there are."""
        from evervalue.sources.file_feed import FileFeed

        return FileFeed(self.name, self.settings, {}, self.where).check(base)

    def sample(self, context: Context, rows: int) -> bool:
        """All changes are needed to tell a row, so all are applied."""
        self.bring(context, SourceReport(self.name, ""))
        return True

    def _start_over(self, con: Connection) -> None:
        known = raw_zone.run(con, "select key_columns from raw.keyed where feed = ?", [self.name]).fetchone()
        if known:
            KeyedTable(
                con, self.name, json.loads(known[0]), [(k, "VARCHAR") for k in json.loads(known[0])]
            ).forget()
        raw_zone.run(con, "delete from raw.change_files where feed = ?", [self.name])
        seen_objects.forget(con, self.name)

    def _refuse_reloaded(self, files: list[FoundFile], done: dict[str, str]) -> None:
        """A full load written again tells other rows at the position of the first: which is newer is unknown."""
        if self.format != "dms":
            return
        here = {file.shown: file.sha256 for file in files}
        before = {path: sha for sha, path in done.items()}
        anew = [p for p, sha in here.items() if dms.is_load(Path(p)) and p in before and before[p] != sha]
        if anew:
            raise InputError(
                f"{self.where}: the full load {listing(anew, 3)} was written again since it was read. Take the changes "
                "from before it out of the folder and read everything anew: evervalue run --full-refresh"
            )

    def _apply(self, context: Context, file: FoundFile) -> Applied:
        made, span, newest = (self._dms if self.format == "dms" else self._debezium)(context, file)
        at = None if newest is None else newest.isoformat(" ")
        raw_zone.run(
            context.con,
            "insert into raw.change_files values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [self.name, file.shown, file.sha256, file.bytes, made.read, *span, at, context.run_id],
        )
        context.progress.step(f"Applied {file.shown}", detail=count(made.read, "change"))
        return made

    def _table(self, con: Connection, key: tuple[str, ...], columns: dict[str, str]) -> KeyedTable:
        if not key:
            raise InputError(
                f"{self.where}: which columns name a row? The changes do not say. Set key = [...] for the table."
            )
        return KeyedTable(con, self.name, key, columns.items())

    def _put(self, context: Context, table: KeyedTable, staged: str) -> Applied:
        con = context.con
        staged = restage(con, staged, table)
        made = table.apply(staged, run_id=context.run_id)
        con.execute(f"drop table {staged}")
        made.note_brought(con)
        stored = {c: self.stored.get(c, t) for c, t in table.types.items()}
        table.register(self.settings.path, stored, run_id=context.run_id)
        return made

    # Debezium

    def _debezium(self, context: Context, file: FoundFile) -> Made:
        stage = Stage(context.temp / "changes")
        total = Applied()
        span: list[int | None] = [None, None]
        key = self.settings.key
        types: dict[str, str] = {}
        held: list[debezium.Event] = []
        columns: dict[str, None] = {}
        newest: dt.datetime | None = None

        def flush() -> None:
            nonlocal held
            if not held:
                return
            chosen = key or self._known_key(context.con)
            if not chosen:
                self._table(context.con, (), {})
            lacking = [k for k in chosen if k not in columns]
            if lacking:
                raise InputError(
                    f"{self.where}: {file.shown} has no column '{lacking[0]}', which the key names. It has "
                    f"{listing(columns, 12)}."
                )
            names = tuple(columns)
            segment = stage.segment(self.name, Shape(chosen, names))
            for one in held:
                old = None
                if one.old is not None and all(one.old.get(k) is not None for k in chosen):
                    old = [_bytes(one.old[k]) for k in chosen]
                stage.add(
                    segment, one.op.encode(), one.lsn, one.ordinal,
                    [_bytes(one.row.get(c)) for c in names], old, one.unchanged,
                )  # fmt: skip
            stage.close()
            engine = {c: "VARCHAR" if t in ("number", "text", "") else t for c, t in types.items()}
            staged, fitted = load(context.con, segment, engine)
            self.stored |= {c: t for c, t in types.items() if t}
            total.add(self._put(context, self._table(context.con, chosen, fitted), staged))
            stage.clear()
            held = []

        place = 0
        # All lines are looked at before any is applied: a file that is cut off changes nothing.
        for place, line in enumerate(_lines(file), start=1):
            if line.strip():
                self._event(line, file, place)
        for place, line in enumerate(_lines(file), start=1):
            one = self._event(line, file, place) if line.strip() else None
            if one is None:
                continue
            held.append(one)
            if one.committed_at is not None:
                newest = max(newest or one.committed_at, one.committed_at)
            key = key or one.key
            columns |= dict.fromkeys(one.row)
            for name, told in one.types.items():
                types[name] = told if types.get(name, told) == told else _both(types[name], told)
            span = [min(span[0] or one.lsn, one.lsn), max(span[1] or one.lsn, one.lsn)]
            if len(held) >= ROWS_A_BATCH:
                flush()
        flush()
        return total, span, newest

    def _event(self, line: str, file: FoundFile, place: int) -> debezium.Event | None:
        try:
            return debezium.event(line, f"{self.where}: {file.shown}", place)
        except json.JSONDecodeError as error:
            if not line.endswith("\n"):
                raise HalfWritten from None
            raise InputError(
                f"{self.where}: line {place:,} of {file.shown} is no JSON ({error.msg}). Nothing of the file was taken."
            ) from None

    def _known_key(self, con: Connection) -> tuple[str, ...]:
        known = raw_zone.run(con, "select key_columns from raw.keyed where feed = ?", [self.name]).fetchone()
        return tuple(json.loads(known[0])) if known else ()

    # DMS

    def _dms(self, context: Context, file: FoundFile) -> Made:
        con = context.con
        _refuse_half(file)
        arrived = dms.read(con, file, self.where)
        lsn, ordinal = dms.positions(con, arrived, file, self.where)
        key = self.settings.key or self._known_key(con)
        names = {n.lower(): n for n in arrived.columns}
        lacking = [k for k in key if k.lower() not in names]
        if not key or lacking:
            if lacking:
                raise InputError(
                    f"{self.where}: {file.shown} has no column '{lacking[0]}', which the key names. It has "
                    f"{listing(arrived.columns, 12)}."
                )
            self._table(con, (), {})
        op = f"upper(trim({quoted(arrived.op)}))" if arrived.op else "'I'"
        bad = con.execute(
            f"select {op}, _n from _dms where coalesce({op}, '') not in ('I', 'U', 'D') order by _n limit 1"
        ).fetchone()
        if bad:
            raise InputError(
                f"{self.where}: row {bad[1]:,} of {file.shown} has the operation '{bad[0]}'; I, U and D are known. "
                "Where the file has no header, let DMS write one (AddColumnName = true)."
            )
        key = tuple(names[k.lower()] for k in key)
        known = {n: t for n, t in raw_zone.column_types(con, self.name).items() if n in arrived.columns}
        types = known | {n: t for n, t in arrived.columns.items() if n not in known or t != "VARCHAR"}
        fitted = (
            misfit_types(con, "_dms", {n: n for n in types}, types) if file.format != "parquet" else types
        )
        table = self._table(con, key, fitted)
        cells = ", ".join(
            f"try_cast({quoted(n)} as {table.types[n]}) as {quoted(n)}" for n in arrived.columns
        )
        old = ", ".join(f"null::{table.types[k]} as {quoted(f'_old {k}')}" for k in key)
        con.execute(
            f"create or replace temp table _staged as select lower({op}) as _op, {lsn} as _lsn, {ordinal} as _ordinal, "
            f"[]::varchar[] as _unchanged, {old}, {cells} from _dms"
        )
        span = con.execute("select min(_lsn), max(_lsn) from _staged").fetchone() or (None, None)
        newest = dms.newest_at(con, arrived)
        con.execute("drop table _dms")
        self.stored |= {n: "text" if t == "VARCHAR" else t for n, t in arrived.columns.items()}
        return self._put(context, table, "_staged"), list(span), newest


def _both(held: str, told: str) -> str:
    """The type of a column whose cells tell two."""
    numbers = {"BIGINT", "INTEGER", "SMALLINT", "number", "DOUBLE"}
    return "number" if held in numbers and told in numbers else "text"


def _bytes(cell: str | None) -> bytes | None:
    return None if cell is None else str(cell).encode()


def _lines(file: FoundFile) -> Iterator[str]:
    """Lines with their ends; HalfWritten where a packed file is cut off."""
    try:
        with file.path.open("rb") as raw:
            plain: Any = raw
            if file.compression == "gzip":
                plain = gzip.GzipFile(fileobj=raw)
            elif file.compression == "zstd":
                plain = zstandard.ZstdDecompressor().stream_reader(raw)
            with io.TextIOWrapper(plain, "utf-8") as lines:
                yield from lines
    except (EOFError, zlib.error, zstandard.ZstdError):
        raise HalfWritten from None
    except UnicodeDecodeError as error:
        raise InputError(f"{file.shown} is not UTF-8 (byte {error.start:,}). Write it again.") from None


def _refuse_half(file: FoundFile) -> None:
    """HalfWritten, where a file of DMS does not end as one does that is done."""
    if file.format == "parquet":
        with file.path.open("rb") as raw:
            begin = raw.read(4)
            raw.seek(max(0, file.path.stat().st_size - 4))
            if begin != b"PAR1" or raw.read(4) != b"PAR1" or file.path.stat().st_size < 12:
                raise HalfWritten
        return
    last = "\n"
    for line in _lines(file):
        last = line
    if not last.endswith("\n"):
        raise HalfWritten
