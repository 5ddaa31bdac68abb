"""PostgreSQL under one exported snapshot: fingerprints and copies of key ranges, by several connections at once."""

from __future__ import annotations

import queue
import select
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from evervalue.core.errors import EvervalueError, InputError, SourceUnavailable
from evervalue.sources.databases import postgres_facts as facts
from evervalue.sources.databases.connection import Address
from evervalue.sources.databases.packed import FILLER, packed
from evervalue.sources.databases.postgres_errors import driver, failed, refusal, told
from evervalue.sources.databases.postgres_facts import literal, quoted
from evervalue.sources.databases.reader import Bound, Copied, Fingerprint, Range, Stopped
from evervalue.sources.databases.tables import Table

SESSION = """
set timezone = 'UTC'; set datestyle = 'ISO, MDY'; set intervalstyle = 'postgres'; set extra_float_digits = 1;
set bytea_output = 'hex'; set lc_monetary = 'C'; set client_min_messages = 'warning';
set statement_timeout = '1h'; set lock_timeout = '60s'; set idle_in_transaction_session_timeout = 0;
"""
"""How values are written must not depend on who asks; a snapshot must outlive the ranges read under it."""
SILENCE_SECONDS = 600.0
"""Longest time without a byte of a copy."""
CTID = "ctid"
PAGE_BYTES = 8192


class PostgresReader:
    """A PostgreSQL database under one snapshot."""

    kind = "postgres"
    fingerprints = True

    def __init__(self, address: Address, workers: int = 3, snapshot: str | None = None) -> None:
        """Nothing is asked of the database yet.

        Parameters
        ----------
        workers
            Connections that read at the same time.
        snapshot
            Name of a snapshot that somebody else holds, such as the creator of a replication slot.
        """
        self.address = address
        self.workers = workers
        self._given = snapshot
        self._snapshot = snapshot
        self._opened = False
        self._idle: queue.LifoQueue[Any] = queue.LifoQueue()
        self._all: list[Any] = []
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._of_record = True
        self._lost = False
        """Whether a connection was lost, which another may wait for in vain."""

    def open(self) -> None:
        """Take the snapshot, unless it is there."""
        if self._opened:
            return
        self._stop.clear()
        self._opened = True
        self._lost = False
        with told(self.address):
            holder = self._connect()
            if self._given is None:
                try:
                    (self._snapshot,) = holder.execute("select pg_export_snapshot()").fetchone()
                except driver().Error:
                    # A standby, or a pooler between us, may not export one: one connection reads everything.
                    holder.rollback()
                    self._snapshot = None
                    self.workers = 1
            self._of_record = holder.info.server_version >= 140000
        self._idle.put(holder)

    def close(self) -> None:
        """Let the snapshot go; whatever is under way ends."""
        self._stop.set()
        with self._lock:
            connections, self._all = self._all, []
        for con in connections:
            if con.info.transaction_status == driver().pq.TransactionStatus.ACTIVE:
                with suppress(driver().Error):
                    con.cancel_safe(timeout=5)
            else:
                con.close()
        self._opened = False
        self._idle = queue.LifoQueue()

    def describe(self, table: str) -> Table:
        """What is known of a table."""
        with self._session(f"looking at {table}") as con:
            return facts.describe(con, table, self.address.where)

    def boundaries(self, table: Table, within: Range, rows: int) -> list[Bound]:
        """Every `rows`-th key of a range; of a table without key its blocks, as many as hold about so many rows."""
        with self._session(f"parting {table.name}") as con:
            if not table.key:
                return self._blocks(con, table, within, rows)
            keys = ", ".join(quoted(name) for name in table.key)
            texts = ", ".join(f"{quoted(name)}::text" for name in table.key)
            found = con.execute(
                f"select {texts} from (select {keys}, row_number() over (order by {keys}) as place "
                f"from {table.address} where {_within(table, within)}) as numbered "
                f"where place % {rows} = 0 order by place"
            ).fetchall()
            return [tuple(row) for row in found]

    def fingerprint(self, table: Table, range: Range) -> Fingerprint:
        """What a range holds."""
        row_hash = facts.row_hash(table, of_record=self._of_record)
        columns = "".join(f"{quoted(column.name)}, " for column in table.columns)
        with self._session(f"looking at {table.name}") as con:
            rows, one, other, unfit = con.execute(
                "select count(*), sum(hashint8extended(_hash, 1)), sum(hashint8extended(_hash, 2)), "
                f"{facts.unfit(table)} from (select {columns}{row_hash} as _hash from {table.address} "
                f"where {_within(table, range)} offset 0) as _rows"
            ).fetchone()
        return Fingerprint(
            int(rows),
            f"{rows}:{one or 0}:{other or 0}",
            tuple(column.name for column, bad in zip(table.columns, unfit, strict=True) if bad),
        )

    def copy(self, table: Table, range: Range, path: Path, *, most: int | None = None) -> Copied:
        """Write a range, or its first rows, to a file, ordered by the key."""
        order = ", ".join(quoted(name) for name in table.key) or (CTID if table.kind == "table" else "")
        chosen = ", ".join(
            f"{quoted(c.name)}::text" if c.extra == "bpchar" else quoted(c.name) for c in table.columns
        )
        chosen += f", {FILLER}" if len(table.columns) == 1 else ""
        query = (
            f"copy (select {chosen} from {table.address} where {_within(table, range)}"
            f"{' order by ' + order if order else ''}{f' limit {most}' if most else ''}) "
            "to stdout (format csv, encoding 'UTF8')"
        )
        with self._session(f"reading {table.name}") as con, packed(path) as out:
            out.header(len(table.columns))
            told_rows = self._stream(con, query, out.write_all)
        if told_rows != out.rows:
            raise InputError(
                f"{self.address.where}: the database sent {out.rows:,} rows of {table.name} and speaks of "
                f"{told_rows:,}. Run again."
            )
        return Copied(out.rows, out.bytes, out.longest)

    def count(self, table: Table) -> int:
        """All rows of a table."""
        with self._session(f"counting {table.name}") as con:
            return int(con.execute(f"select count(*) from {table.address}").fetchone()[0])

    def check(self, table: str, *, changes: bool) -> list[str]:
        """What was found, in sentences."""
        from evervalue.sources.databases.postgres_check import check

        with self._session(f"looking at {table}") as con:
            return check(con, table, self.address.where, changes=changes)

    @contextmanager
    def _session(self, doing: str) -> Iterator[Any]:
        """A connection under the snapshot. Where it fails the snapshot is lost, and everything must be begun anew."""
        self.open()
        psycopg = driver()
        try:
            con = self._take()
            try:
                yield con
            except EvervalueError:
                self._give_back(con)
                raise
            except BaseException:
                con.close()
                self._lost = True
                raise
            self._give_back(con)
        except psycopg.Error as error:
            if self._stop.is_set():
                raise Stopped from None
            raise refusal(error, self.address, doing) from None

    def _give_back(self, con: Any) -> None:
        if self._stop.is_set():
            con.close()  # the snapshot was let go meanwhile
        else:
            self._idle.put(con)

    def _take(self) -> Any:
        while not self._stop.is_set():
            try:
                return self._idle.get(timeout=0.001 if self._snapshot else 0.2)
            except queue.Empty:
                if self._snapshot:
                    return self._connect(self._snapshot)
            if self._lost:
                raise driver().OperationalError("the connection is lost")
        raise Stopped

    def _connect(self, snapshot: str | None = None) -> Any:
        psycopg = driver()
        con = psycopg.connect(
            self.address.text,
            **_defaults(psycopg, self.address.text),
            application_name="evervalue",
            client_encoding="UTF8",
            autocommit=True,
            prepare_threshold=None,
        )
        try:
            con.execute(SESSION)
            con.autocommit = False
            con.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            con.read_only = True
            if given := snapshot or self._given:
                con.execute(f"set transaction snapshot {literal(given)}")
        except BaseException:
            con.close()
            raise
        with self._lock:
            self._all.append(con)
        return con

    def _blocks(self, con: Any, table: Table, within: Range, rows: int) -> list[Bound]:
        if table.kind != "table":
            return []
        pages = con.execute(
            "select pg_relation_size(%s::oid) / current_setting('block_size')::int", [table.facts["oid"]]
        ).fetchone()[0]
        known = max(table.rows or 0, 0)
        step = max(1, int(int(pages) * rows / known)) if known else 1000
        start = int(within.lower[0].strip("()").partition(",")[0]) if within.lower else 0
        end = int(within.upper[0].strip("()").partition(",")[0]) if within.upper else int(pages)
        return [(f"({block},0)",) for block in range(start + step, end, step)]

    def _stream(self, con: Any, query: str, write: Any) -> int:
        """Hands every row of a COPY to `write`, in lists; returns how many the server says it were."""
        psycopg = driver()
        status = psycopg.pq.ExecStatus
        pg = con.pgconn
        if pg.transaction_status == psycopg.pq.TransactionStatus.IDLE:
            con.execute("select 1")  # begins the transaction
        pg.send_query(query.encode())
        result = self._result(pg)
        if result.status != status.COPY_OUT:
            raise failed(result)
        read = pg.get_copy_data
        some: list[Any] = []
        while True:
            size, row = read(1)
            if size > 0:
                some.append(row)
                continue
            if some:
                write(some)
                some = []
            if size < 0:
                break
            self._wait(pg)
        rows = 0
        while (result := self._result(pg)) is not None:
            if result.status != status.COMMAND_OK:
                raise failed(result)
            rows = int(result.command_tuples or 0)
        return rows

    def _result(self, pg: Any) -> Any:
        while pg.is_busy():
            self._wait(pg)
        return pg.get_result()

    def _wait(self, pg: Any) -> None:
        """Until there is something to read."""
        end = time.monotonic() + SILENCE_SECONDS
        while True:
            if self._stop.is_set():
                raise Stopped
            if select.select([pg.socket], [], [], 0.5)[0]:
                pg.consume_input()
                return
            if time.monotonic() > end:
                raise SourceUnavailable(
                    f"{self.address.where}: the database has sent nothing for {SILENCE_SECONDS / 60:.0f} minutes. "
                    "Look at what it does, and run again."
                )


def _defaults(psycopg: Any, text: str) -> dict[str, Any]:
    """Patience and signs of life, where the connection does not set its own."""
    wanted = {
        "connect_timeout": 15,
        "keepalives_idle": 30,
        "keepalives_interval": 10,
        "keepalives_count": 3,
        "tcp_user_timeout": 60_000,
    }
    given = psycopg.conninfo.conninfo_to_dict(text)
    return {name: value for name, value in wanted.items() if name not in given}


def _within(table: Table, range: Range) -> str:
    """SQL of the rows of a range."""
    if range.lower is None and range.upper is None:
        return "true"
    if not table.key:
        lower = f"ctid >= {literal(range.lower[0])}::tid" if range.lower else "true"
        upper = f"ctid < {literal(range.upper[0])}::tid" if range.upper else "true"
        return f"{lower} and {upper}"
    keys = [quoted(name) for name in table.key]
    tests = []
    for sign, bound in ((">=" if range.closed else ">", range.lower), ("<=", range.upper)):
        if bound is not None:
            values = [
                f"{literal(value)}::{column.database_type}"
                for value, column in zip(bound, table.key_columns, strict=True)
            ]
            left = keys[0] if len(keys) == 1 else f"({', '.join(keys)})"
            right = values[0] if len(values) == 1 else f"({', '.join(values)})"
            tests.append(f"{left} {sign} {right}")
    return " and ".join(tests)
