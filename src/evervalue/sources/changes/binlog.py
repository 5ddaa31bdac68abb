"""A MySQL or MariaDB source that is followed: a snapshot of every table, then its binary log.

The position is read before the snapshot is taken, so a copy may show changes that the log brings again. Each of them
sets whole rows, in the order of commits, so at the position read after the copy the rows are the source's. No lock is
taken for it. A position is the log's number and the place in it; behind another server, which global transaction ids
lead to, a number in front tells that everything is later.
"""

from __future__ import annotations

import datetime as dt
import json
import re
import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from evervalue.core.errors import InputError, MissingExtra, SourceUnavailable
from evervalue.core.progress import Progress
from evervalue.core.text import count, listing
from evervalue.sources import keyed
from evervalue.sources.changes import positions
from evervalue.sources.changes.binlog_cells import RANGES, text
from evervalue.sources.changes.binlog_server import AGAIN, BinlogServer, gtids, number
from evervalue.sources.changes.copied import is_followed, refuse_twice, replace_by
from evervalue.sources.changes.positions import Position
from evervalue.sources.changes.stage import Cell, Shape, Stage, load, restage
from evervalue.sources.changes.wanted import Wanted
from evervalue.sources.databases.connection import Address
from evervalue.sources.databases.mysql import MySqlReader
from evervalue.sources.databases.mysql_errors import driver, refusal
from evervalue.sources.databases.reader import Range
from evervalue.sources.databases.tables import Table, refuse_clashes, with_key
from evervalue.sources.keyed import Applied, KeyedTable
from evervalue.warehouse.duckdb import Connection

BATCH_ROWS = 200_000
BATCH_BYTES = 256 << 20
UNREADABLE = ("uuid", "inet4", "inet6", "vector")
"""Types of MariaDB that the reader of the log does not know."""
RESHAPES = re.compile(r"^\s*(?:/\*.*?\*/\s*)?(alter|rename|drop|create)\b", re.I | re.S)
TRUNCATES = re.compile(r"^\s*(?:/\*.*?\*/\s*)?truncate\b", re.I | re.S)


class BinlogChanges:
    """One source's log, applied to the tables of a warehouse that is given for each batch."""

    def __init__(
        self,
        source: str,
        address: Address,
        tables: Mapping[str, Wanted],
        *,
        server_id: int | None = None,
        temp: Path,
        progress: Progress,
        batch_rows: int = BATCH_ROWS,
    ) -> None:
        self.source = source
        self.address = address
        self.tables = dict(tables)
        self.server_id = server_id or 1 + zlib.crc32(source.encode()) % (2**31)
        self.progress = progress
        self.batch_rows = batch_rows
        self.stage = Stage(temp / f"stream-{source}")
        self.applied: dict[str, Applied] = {}
        self.position = Position("binlog")
        self.committed_at: dt.datetime | None = None
        self._temp = temp
        self._described: dict[str, Table] = {}
        self._feeds: dict[tuple[str, str], str] = {}
        self.server = BinlogServer(address)
        self._stream: Any = None
        self._anew: set[str] = set()
        self._pending: Position | None = None
        self._gtid: dict[str, str] = {}
        self._told: set[str] = set()
        self._full = True

    def open(self, con: Connection, *, run_id: str, full_refresh: bool, commit: Callable[[], None]) -> None:
        """Bring every table to where the log can be read from; `commit` is called after each table copied."""
        _library()
        self.server.connect()
        self._describe()
        held = positions.read(con, self.source)
        if full_refresh and held is not None:
            positions.forget(con, self.source)
            for feed, table in self._described.items():
                keyed.begin_anew(con, feed, table.key, [(c.name, c.type) for c in table.columns], run_id)
            held = None
        if held is None:
            self.position = self.server.now()
        else:
            self.position = self.server.verified(held)
        positions.write(con, self.source, self.position, run_id=run_id)
        self._gtid = gtids(self.position.gtid)
        for feed in self.tables:
            stored = positions.read(con, self.source, feed)
            keyed.refuse_another_key(con, feed, self._described[feed].key)
            here = is_followed(con, feed)
            if stored is None or not here or stored.shape != _shape(self._described[feed]):
                if stored is not None and here:
                    self.progress.step(
                        f"{self._described[feed].name} is read again", detail="its columns changed"
                    )
                self._copy(con, feed, self.position.next_lsn, run_id)
                commit()
        self._pending, self._anew = None, set()
        self.stage.clear()

    def close(self) -> None:
        """End the connections."""
        self._end_stream()
        self.server.close()
        self.stage.clear()

    # Reading

    def read(self, *, until: int | None, seconds: float, stop: Callable[[], bool] = lambda: False) -> bool:
        """Take in whole transactions until a batch is full or the log ends; whether anything is to be applied."""
        import time

        end = time.monotonic() + seconds
        while True:
            ended = self._read_to_end(stop)
            if stop() and self._open_transaction:
                self._end_stream()
                return False
            if self.stage.rows >= self.batch_rows or self.stage.bytes >= BATCH_BYTES:
                return True
            if (ended and until is not None) or time.monotonic() > end or stop():
                return self._anything
            time.sleep(min(0.2, max(0.0, end - time.monotonic())))

    @property
    def reached(self) -> int:
        """Everything before this position has come."""
        return (self._pending or self.position).next_lsn

    @property
    def moved(self) -> bool:
        """Whether the log went on with nothing of ours in it."""
        return self._pending is not None

    @property
    def _anything(self) -> bool:
        return bool(self.stage.rows or self._anew or self._pending)

    def target(self, con: Connection) -> int:
        """Where the log ends now, or where all tables agree with the source, whichever comes later."""
        return max(self.server.now().next_lsn, self.settled(con))

    def settled(self, con: Connection) -> int:
        """The position from which all tables agree with the source."""
        held = [positions.read(con, self.source, feed) for feed in self.tables]
        return max([p.next_lsn for p in held if p] or [0])

    def behind(self) -> int | None:
        """Bytes of the log that are not applied; None where it went on to another file."""
        now, here = self.server.now().next_lsn, self.reached
        return max(0, now - here) if now >> 32 == here >> 32 else None

    def followed_elsewhere(self, con: Connection) -> bool:
        """Never: a log may be read by many."""
        return False

    def acknowledge(self) -> None:
        """Nothing: the server keeps its log as long as it is set to."""

    def look_again(self) -> bool:
        """Whether a table was reshaped by a statement that the log does not show."""
        return False

    def check(self, feed: str) -> list[str]:
        """What is there of a table, in sentences."""
        reader = MySqlReader(self.address, 1)
        try:
            return reader.check(self.tables[feed].table, changes=True)
        finally:
            reader.close()

    def _read_to_end(self, stop: Callable[[], bool]) -> bool:
        """Whether the log's end was reached; False where the batch is full or it is time to end."""
        if self._stream is None:
            self._begin_stream()
        pymysql = driver()
        while True:
            try:
                event = self._stream.fetchone()
            except pymysql.err.MySQLError as error:
                self._end_stream()
                raise self._broken(error) from None
            if event is None:
                if not self._open_transaction and self._at() > self.reached:
                    # What came behind the last transaction was none of ours.
                    self._pending = replace(
                        self._pending or self.position, next_lsn=self._at(), slot=self._stream.log_file
                    )
                self._end_stream()
                return True
            self._take(event)
            if not self._open_transaction and (
                self.stage.rows >= self.batch_rows or self.stage.bytes >= BATCH_BYTES or stop()
            ):
                return False
            if stop():
                return False

    def _take(self, event: Any) -> None:
        name = type(event).__name__
        if name in ("WriteRowsEvent", "UpdateRowsEvent", "DeleteRowsEvent"):
            self._rows(event, name)
        elif name in ("GtidEvent", "MariadbGtidEvent"):
            self._begin(event)
            self._next_gtid = event.gtid
        elif name == "QueryEvent":
            statement = (
                event.query if isinstance(event.query, str) else event.query.decode("utf-8", "replace")
            )
            if statement.strip().upper() == "BEGIN":
                if not self._open_transaction:
                    self._begin(event)
            elif statement.strip().upper() == "COMMIT":
                self._commit(event)
            else:
                self._statement(statement, _text(event.schema))
                self._commit(event)
        elif name == "XidEvent":
            self._commit(event)

    def _begin(self, event: Any) -> None:
        self._open_transaction = True
        self._ordinal = 0
        self._lsn = self._at()
        del event

    def _commit(self, event: Any) -> None:
        self._open_transaction = False
        if self._next_gtid:
            self._gtid |= gtids(self._next_gtid) if self.server.mariadb else {}
            self._next_gtid = ""
        at = (
            dt.datetime.fromtimestamp(event.timestamp, dt.UTC).replace(tzinfo=None)
            if event.timestamp
            else None
        )
        self.committed_at = at or self.committed_at
        self._pending = replace(
            self.position, lsn=self._lsn, ordinal=self._ordinal, next_lsn=self._at(), slot=self._stream.log_file,
            gtid=",".join(sorted(self._gtid.values())) or self.position.gtid, committed_at=self.committed_at,
        )  # fmt: skip

    def _at(self) -> int:
        return self.server.epoch << 56 | number(self._stream.log_file) << 32 | int(self._stream.log_pos)

    def _rows(self, event: Any, name: str) -> None:
        feed = self._feeds.get((str(event.schema).lower(), str(event.table).lower()))
        if feed is None:
            return
        if not self._open_transaction:
            self._begin(event)
        table = self._described[feed]
        columns = list(event.columns)
        known = self._full and all(c.name and not str(c.name).startswith("UNKNOWN_COL") for c in columns)
        names = [str(c.name) for c in columns] if known else [c.name for c in table.columns]
        if len(names) != len(columns) or (known and set(names) != {c.name for c in table.columns}):
            self._anew.add(feed)
        if len(names) != len(columns) or any(k not in names for k in table.key):
            return  # the table is read again behind this batch
        bases = {c.name: c.extra for c in table.columns}
        segment = self.stage.segment(feed, Shape(table.key, tuple(names)))
        places = [names.index(k) for k in table.key]
        op = {"WriteRowsEvent": b"i", "UpdateRowsEvent": b"u", "DeleteRowsEvent": b"d"}[name]

        def cells(values: Mapping[str, Any], missing: Mapping[str, str]) -> list[Cell]:
            out: list[Cell] = []
            for (key, value), column, own in zip(values.items(), columns, names, strict=True):
                why = str(missing.get(key, ""))
                if value is None and why in RANGES:
                    self._say_zero(feed)
                if value is None and why == "cols bitmap":
                    raise SourceUnavailable(
                        f"{self.address.where}: the log leaves out columns that did not change. Let an administrator "
                        f"run: SET GLOBAL binlog_row_image = 'FULL'; {AGAIN}"
                    )
                shown = text(
                    value, bases.get(own, ""), missing=why,
                    digits=int(getattr(column, "fsp", 0) or 0), members=getattr(column, "set_values", None),
                )  # fmt: skip
                out.append(None if shown is None else shown.encode())
            return out

        for row in event.rows:
            self._ordinal += 1
            old: list[Cell] | None = None
            if op == b"u":
                before = cells(row["before_values"], row["before_none_sources"])
                old = [before[i] for i in places]
                new = cells(row["after_values"], row["after_none_sources"])
            else:
                new = cells(row["values"], row["none_sources"])
            self.stage.add(segment, op, self._lsn, self._ordinal, new, old)

    def _say_zero(self, feed: str) -> None:
        if feed not in self._told:
            self._told.add(feed)
            self.progress.warn(
                f"{feed} holds dates with zeros in them. The log's reader does not tell 2024-00-00 from 0000-00-00, so "
                "such dates are kept as 0000-00-00 until the table is read again."
            )

    def _statement(self, statement: str, schema: str) -> None:
        """A statement that is logged as text: it may empty or reshape a table."""
        if not self._open_transaction:
            self._begin(None)
        truncates = TRUNCATES.match(statement)
        if not truncates and not RESHAPES.match(statement):
            return
        for (database, name), feed in self._feeds.items():
            if not re.search(rf"(?<![\w$])`?{re.escape(name)}`?(?![\w$])", statement, re.I):
                continue
            if database != schema.lower() and database not in statement.lower():
                continue
            if truncates:
                self._ordinal += 1
                table = self._described[feed]
                names = tuple(c.name for c in table.columns)
                segment = self.stage.segment(feed, Shape(table.key, names))
                self.stage.add(segment, b"t", self._lsn, self._ordinal, [None] * len(names))
            else:
                self._anew.add(feed)

    # Applying

    def apply(self, con: Connection, *, run_id: str) -> dict[str, Applied]:
        """Bring what is pending into the tables; rows and position are the caller's one transaction."""
        self.stage.close()
        counts: dict[str, Applied] = {}
        for segment in self.stage.segments:
            if segment.rows:
                table = self._described[segment.feed]
                staged, chosen = load(con, segment, {c.name: c.type for c in table.columns})
                held = KeyedTable(con, segment.feed, segment.shape.key, chosen.items())
                staged = restage(con, staged, held)
                made = held.apply(staged, run_id=run_id)
                con.execute(f"drop table {staged}")
                made.note_brought(con)
                if made.parts != made.read or made.read != segment.rows:
                    raise InputError(
                        f"{segment.feed}: {segment.rows:,} changes came and {made.parts:,} are accounted for. Nothing "
                        "was kept."
                    )
                self._register(held, table, run_id)
                counts.setdefault(segment.feed, Applied()).add(made)
        position = self._pending or self.position
        for feed in sorted(self._anew):
            self._describe_one(feed)
            self.progress.step(f"{self._described[feed].name} is read again", detail="its columns changed")
            counts.setdefault(feed, Applied()).add(self._copy(con, feed, position.next_lsn, run_id))
        positions.write(con, self.source, position, run_id=run_id)
        self._next = position
        for feed, made in counts.items():
            self.applied.setdefault(feed, Applied()).add(made)
        return counts

    def done(self, *, committed: bool) -> None:
        """The next batch may come."""
        del committed
        self.position = self._next
        self._pending, self._anew = None, set()
        self.stage.clear()

    def _copy(self, con: Connection, feed: str, lsn: int, run_id: str) -> Applied:
        reader = MySqlReader(self.address, 1)
        path = self._temp / f"copy-{keyed.part_id(feed)}.csv.zst"
        try:
            reader.open()
            table = self._described[feed]
            self.progress.doing(f"Reading {table.name}")
            copied = reader.copy(table, Range(), path)
            agrees_from = self.server.now().next_lsn
            made, held = replace_by(con, feed, table, path, copied, lsn=lsn, run_id=run_id)
        finally:
            reader.close()
            path.unlink(missing_ok=True)
        self._register(held, table, run_id)
        positions.write(
            con, self.source, Position("binlog", lsn=lsn, next_lsn=agrees_from, shape=_shape(table)),
            run_id=run_id, feed=feed,
        )  # fmt: skip
        self.applied.setdefault(feed, Applied()).add(made)
        self.progress.step(f"Read {table.name}", detail=count(copied.rows, "row"))
        return made

    def _register(self, held: KeyedTable, table: Table, run_id: str) -> None:
        held.register(table.name, {c.name: c.stored_type for c in table.columns}, run_id=run_id)

    # What is there

    def _describe(self) -> None:
        for feed in self.tables:
            self._describe_one(feed)
        (metadata,) = self.server.ask("select @@global.binlog_row_metadata")
        self._full = str(metadata).upper() == "FULL"
        named = [
            f"{t.name}.{c.name}"
            for t in self._described.values()
            for c in t.columns
            if c.extra in ("enum", "set")
        ]
        if named and not self._full:
            raise SourceUnavailable(
                f"{self.address.where}: the log holds numbers in place of the names of {listing(named, 3)}. Let an "
                "administrator run: SET GLOBAL binlog_row_metadata = 'FULL'; and write it into the server's settings."
            )

    def _describe_one(self, feed: str) -> None:
        wanted = self.tables[feed]
        reader = MySqlReader(self.address, 1)
        try:
            reader.open()
            table = with_key(reader.describe(wanted.table), wanted.key, self.address.where)
        finally:
            reader.close()
        refuse_clashes(table, self.address.where)
        if not table.key:
            raise SourceUnavailable(
                f"{self.address.where}: {table.name} has no key, so changes do not say which row they mean. Give it a "
                "primary key, or name columns that are unique together in the setting `key`."
            )
        strange = [c.name for c in table.columns if c.extra in UNREADABLE]
        if strange:
            raise SourceUnavailable(
                f"{self.address.where}: {table.name} has columns of types that cannot be read from the log "
                f'({listing(strange)}). Read the table with capture = "snapshot".'
            )
        for warning in table.warnings:
            self.progress.warn(warning)
        self._described[feed] = table
        database, _, name = table.name.partition(".")
        refuse_twice(
            self._feeds.get((database.lower(), name.lower()), feed), feed, table.name, self.address.where
        )
        self._feeds[database.lower(), name.lower()] = feed

    # The stream

    _open_transaction = False
    _next_gtid = ""
    _lsn = 0
    _ordinal = 0

    def _begin_stream(self) -> None:
        library = _library()
        events = library.row_event, library.event
        start = self._pending or self.position
        by_gtid: dict[str, Any] = (
            {"auto_position": start.gtid, "is_mariadb": self.server.mariadb}
            if self.server.by_gtid
            else {"log_file": start.slot, "log_pos": start.next_lsn & 0xFFFFFFFF, "resume_stream": True}
        )
        self._stream = library.BinLogStreamReader(
            connection_settings=self.server.settings(),
            server_id=self.server_id,
            blocking=False,
            only_events=[
                events[0].WriteRowsEvent, events[0].UpdateRowsEvent, events[0].DeleteRowsEvent,
                events[1].QueryEvent, events[1].XidEvent, events[1].GtidEvent, events[1].MariadbGtidEvent,
            ],
            enable_logging=False,
            pymysql_wrapper=_open,
            **by_gtid,
        )  # fmt: skip
        self._open_transaction = False

    def _end_stream(self) -> None:
        if self._stream is not None:
            with suppress(Exception):
                self._stream.close()
            self._stream = None

    def _broken(self, error: Any) -> SourceUnavailable:
        if error.args and error.args[0] == 1236:
            return SourceUnavailable(
                f"{self.address.where}: the log does not go on from what was followed ({error.args[1]}), so changes "
                f"are lost. {AGAIN}"
            )
        return refusal(error, self.address, "reading the log")


def _open(**settings: Any) -> Any:
    """A connection for the library, which still calls the database `db`."""
    database = settings.pop("db", None)
    return driver().connect(**settings, **({"database": database} if database else {}))


def _library() -> Any:
    try:
        import pymysqlreplication  # type: ignore[import-untyped]
        import pymysqlreplication.event  # type: ignore[import-untyped]
        import pymysqlreplication.row_event  # type: ignore[import-untyped]
    except ImportError:
        raise MissingExtra(
            "Following a binary log needs mysql-replication: pip install 'evervalue[mysql]'."
        ) from None
    return pymysqlreplication


def _text(said: str | bytes) -> str:
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else said


def _shape(table: Table) -> str:
    return json.dumps([[c.name, c.database_type] for c in table.columns])
