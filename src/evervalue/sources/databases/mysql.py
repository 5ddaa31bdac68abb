"""MySQL and MariaDB under one snapshot: fingerprints and copies of key ranges, rows written as CSV by the server."""

from __future__ import annotations

import queue
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from evervalue.core.errors import EvervalueError, InputError, SettingsError, SourceUnavailable
from evervalue.core.text import listing
from evervalue.sources.databases import mysql_facts as facts
from evervalue.sources.databases.connection import Address
from evervalue.sources.databases.mysql_errors import driver, refusal
from evervalue.sources.databases.packed import packed
from evervalue.sources.databases.reader import Bound, Copied, Fingerprint, Range, Stopped
from evervalue.sources.databases.tables import Table

SESSION = (
    (
        "set session time_zone = '+00:00', sql_mode = 'NO_BACKSLASH_ESCAPES', group_concat_max_len = 1000000, "
        "net_write_timeout = 600, net_read_timeout = 600, wait_timeout = 28800"
    ),
    "set session transaction isolation level repeatable read",
)
BEGIN = "start transaction with consistent snapshot, read only"
SILENCE_SECONDS = 600
LOCK_SECONDS = 2
"""Longest time that other sessions may wait because we want a lock for a moment."""
OPTIONS = ("ssl", "ssl_ca", "ssl_cert", "ssl_key", "unix_socket", "connect_timeout", "read_timeout")
ROWS_BETWEEN_LOOKS = 2000


class MySqlReader:
    """A MySQL or MariaDB database under one snapshot."""

    kind = "mysql"
    fingerprints = True

    def __init__(self, address: Address, workers: int = 3) -> None:
        """Nothing is asked of the database yet; `workers` connections may read at the same time."""
        self.address = address
        self.workers = workers
        self._wanted = workers
        self._idle: queue.LifoQueue[Any] = queue.LifoQueue()
        self._all: list[Any] = []
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._opened = False
        self._lost: SourceUnavailable | None = None
        """Why a connection was lost: the others wait for it in vain."""

    def open(self) -> None:
        """Take the snapshot, unless it is there.

        Several connections see the same state where the user may lock all tables for a moment; else one reads all.
        """
        if self._opened:
            return
        self._stop.clear()
        self._lost = None
        self._opened = True
        try:
            self._begin()
        except driver().err.MySQLError as error:
            raise refusal(error, self.address) from None

    def close(self) -> None:
        """Let the snapshot go; whatever is under way ends."""
        self._stop.set()
        self._opened = False
        busy: list[Any] = []
        idle = set()
        while True:
            try:
                idle.add(id(self._idle.get_nowait()))
            except queue.Empty:
                break
        with self._lock:
            connections, self._all = self._all, []
        for con in connections:
            if id(con) in idle:
                with suppress(Exception):
                    con.close()
            else:
                busy.append(con)
        if busy:
            with suppress(driver().err.MySQLError):
                helper = self._connect()
                for con in busy:
                    with suppress(driver().err.MySQLError):
                        helper.kill(con.thread_id())
                helper.close()
            with self._lock:
                self._all = []
        self._idle = queue.LifoQueue()

    def describe(self, table: str) -> Table:
        """What is known of a table."""
        with self._session(f"looking at {table}") as cursor:
            parts = self.address.parts()
            return facts.describe(
                cursor, table, parts.get("database", ""), parts.get("user", ""), self.address.where
            )

    def boundaries(self, table: Table, within: Range, rows: int) -> list[Bound]:
        """Every `rows`-th key of a range, one after the other by the index; none where the key cannot be compared."""
        if not facts.can_be_parted(table):
            return []
        order = ", ".join(facts.quoted(name) for name in table.key)
        texts = ", ".join(facts.key_text(column) for column in table.key_columns)
        found: list[Bound] = []
        with self._session(f"parting {table.name}") as cursor:
            while True:
                rest = Range(found[-1] if found else within.lower, within.upper)
                cursor.execute(
                    f"select {texts} from {table.address} where {facts.within(table, rest)} "
                    f"order by {order} limit 1 offset {rows - 1}"
                )
                row = cursor.fetchone()
                if row is None:
                    return found
                found.append(tuple(str(cell) for cell in row))

    def fingerprint(self, table: Table, range: Range) -> Fingerprint:
        """What a range holds: the number of rows, and the sum of each half of their hashes."""
        half = "sum(cast(conv({}(hash, 16), 16, 10) as unsigned))"
        with self._session(f"looking at {table.name}") as cursor:
            cursor.execute(
                f"select count(*), {half.format('left')}, {half.format('right')} from "
                f"(select md5({facts.line(table)}) as hash from {table.address} "
                f"where {facts.within(table, range)}) as hashed"
            )
            rows, one, other = cursor.fetchone()
        return Fingerprint(int(rows), f"{rows}:{one or 0}:{other or 0}")

    def copy(self, table: Table, range: Range, path: Path, *, most: int | None = None) -> Copied:
        """Write a range, or its first rows, to a file, ordered by the key."""
        order = ", ".join(facts.quoted(name) for name in table.key)
        query = (
            f"select {facts.line(table)} from {table.address} where {facts.within(table, range)}"
            f"{' order by ' + order if order else ''}{f' limit {most}' if most else ''}"
        )
        with self._session(f"reading {table.name}", streamed=True) as cursor, packed(path) as out:
            out.header(len(table.columns))
            cursor.execute(query)
            for (line,) in cursor:
                if line is None:
                    raise InputError(
                        f"{self.address.where}: a row of {table.name} is longer than the server's max_allowed_packet "
                        "lets it write. Raise it there, or read a view without the long columns."
                    )
                out.write(line + b"\n")
                if out.rows % ROWS_BETWEEN_LOOKS == 0 and self._stop.is_set():
                    raise Stopped
        return Copied(out.rows, out.bytes, out.longest)

    def logged(self) -> tuple[str, int] | None:
        """The binary log and the place in it up to which the snapshot shows everything; None where it is not told."""
        with self._session("asking for the position of the snapshot") as cursor:
            cursor.execute("show status like 'binlog_snapshot_%'")
            told = {str(name).lower(): str(value) for name, value in cursor.fetchall()}
        file, place = told.get("binlog_snapshot_file"), told.get("binlog_snapshot_position")
        return (file, int(place)) if file and place else None

    def count(self, table: Table) -> int:
        """All rows of a table."""
        with self._session(f"counting {table.name}") as cursor:
            cursor.execute(f"select count(*) from {table.address}")
            return int(cursor.fetchone()[0])

    def check(self, table: str, *, changes: bool) -> list[str]:
        """What was found, in sentences."""
        from evervalue.sources.databases.mysql_check import check

        found = self.describe(table)
        with self._session(f"looking at {table}") as cursor:
            return check(cursor, found, self.address.where, changes=changes)

    def _begin(self) -> None:
        locker = None
        self.workers = 1
        try:
            if self._wanted > 1:
                locker = self._connect()
                try:
                    with locker.cursor() as cursor:
                        cursor.execute(f"set session lock_wait_timeout = {LOCK_SECONDS}")
                        cursor.execute("flush tables with read lock")
                    self.workers = self._wanted
                except driver().err.MySQLError:
                    pass  # not allowed, or somebody writes for long: one connection reads everything
            for _ in range(self.workers):
                con = self._connect()
                with con.cursor() as cursor:
                    cursor.execute(BEGIN)
                self._all.append(con)
                self._idle.put(con)
        finally:
            if locker is not None:
                locker.close()  # which gives the lock back

    @contextmanager
    def _session(self, doing: str, *, streamed: bool = False) -> Iterator[Any]:
        """A cursor under the snapshot. Where it fails the snapshot is lost, and everything must be begun anew."""
        self.open()
        pymysql = driver()
        con = self._take()
        cursor = con.cursor(pymysql.cursors.SSCursor if streamed else pymysql.cursors.Cursor)
        try:
            yield cursor if streamed else _TextCursor(cursor)
            cursor.close()
            self._give_back(con)
        except EvervalueError:
            if streamed:  # rows are still under way
                self._drop(con, cursor)
                self._stop.set()
            else:
                self._give_back(con)
            raise
        except pymysql.err.MySQLError as error:
            self._drop(con, cursor)
            if self._stop.is_set():
                raise Stopped from None
            self._lost = refusal(error, self.address, doing)
            raise self._lost from None
        except BaseException:
            self._drop(con, cursor)
            self._stop.set()
            raise

    def _drop(self, con: Any, cursor: Any) -> None:
        """Closes a connection without reading what is still under way."""
        result = getattr(cursor, "_result", None)
        if result is not None:
            result.unbuffered_active = False
        cursor.connection = None
        with suppress(Exception):
            con._force_close()

    def _give_back(self, con: Any) -> None:
        if self._stop.is_set():
            con.close()  # the snapshot was let go meanwhile
        else:
            self._idle.put(con)

    def _take(self) -> Any:
        while not self._stop.is_set():
            if self._lost is not None:
                raise SourceUnavailable(*self._lost.args)
            with suppress(queue.Empty):
                return self._idle.get(timeout=0.2)
        raise Stopped

    def _connect(self) -> Any:
        pymysql = driver()
        parts = self.address.parts()
        known = {"host", "port", "user", "password", "database"}
        unknown = [name for name in parts if name not in known and name not in OPTIONS]
        if unknown:
            raise SettingsError(
                f"{self.address.where}.connection has the options {listing(unknown)}, which are not known; known are "
                f"{listing(OPTIONS, 9)}."
            )
        options: dict[str, Any] = {
            "host": parts.get("host", "localhost"),
            "port": int(parts.get("port", 3306)),
            "user": parts.get("user"),
            "password": parts.get("password", ""),
            "database": parts.get("database"),
            "unix_socket": parts.get("unix_socket"),
            "connect_timeout": int(parts.get("connect_timeout", 15)),
            "read_timeout": int(parts.get("read_timeout", SILENCE_SECONDS)),
        }
        if any(name.startswith("ssl") for name in parts):
            options["ssl"] = tls(parts)
        con = pymysql.connect(
            **{name: value for name, value in options.items() if value is not None},
            charset="utf8mb4",
            use_unicode=False,
            conv={},
            autocommit=True,
            program_name="evervalue",
        )
        try:
            with con.cursor() as cursor:
                for statement in SESSION:
                    cursor.execute(statement)
        except BaseException:
            con.close()
            raise
        return con


class _TextCursor:
    """A cursor whose cells are text. The connection hands over bytes, which copies want."""

    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor

    def execute(self, statement: str, values: Any = None) -> None:
        """Runs a statement."""
        self._cursor.execute(statement, values)

    def fetchone(self) -> Any:
        """The next row."""
        row = self._cursor.fetchone()
        return None if row is None else self._text(row)

    def fetchall(self) -> Any:
        """All rows."""
        return [self._text(row) for row in self._cursor.fetchall()]

    @staticmethod
    def _text(row: Any) -> tuple[Any, ...]:
        return tuple(cell.decode() if isinstance(cell, bytes) else cell for cell in row)


def tls(parts: dict[str, str]) -> ssl.SSLContext:
    """How the connection is encrypted; what the options do not name is the system's."""
    context = ssl.create_default_context(cafile=parts.get("ssl_ca"))
    if "ssl_cert" in parts:
        context.load_cert_chain(parts["ssl_cert"], parts.get("ssl_key"))
    return context
