"""The file that holds what people keep (accounts, notes, views, decisions): SQLite in WAL mode, `state.db`.

Every part declares its tables as a `Schema`, whose versions only ever grow, and asks in plain SQL with `?` for values.
Times are texts in UTC (ISO 8601), so that they sort.
"""

from __future__ import annotations

import datetime as dt
import os
import queue
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evervalue.core.errors import StorageError

Row = dict[str, Any]
NAME = "state.db"
BUSY_SECONDS = 10.0
KEPT_OPEN = 8
VERSIONS = (
    "create table if not exists schema_version (part text primary key, version integer not null) strict"
)


@dataclass(frozen=True)
class Schema:
    """The tables of one part; `versions[n]` brings them from version n to n + 1, as one script of statements."""

    part: str
    versions: tuple[str, ...]


class Transaction:
    """What may be done between the begin and the commit of a change."""

    def __init__(self, con: sqlite3.Connection) -> None:
        self._con = con

    def rows(self, sql: str, *values: object) -> list[Row]:
        """The rows of a query, by column name."""
        cursor = self._con.execute(sql, values)
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def row(self, sql: str, *values: object) -> Row | None:
        """The first row, or None."""
        found = self.rows(sql, *values)
        return found[0] if found else None

    def run(self, sql: str, *values: object) -> int:
        """Executes one statement; how many rows it changed."""
        return self._con.execute(sql, values).rowcount

    def run_many(self, sql: str, values: list[tuple[object, ...]]) -> None:
        """Executes one statement for each of the values."""
        self._con.executemany(sql, values)


class Store:
    """The state of a project. Any number of threads and processes may use one file at the same time."""

    def __init__(self, data_dir: Path, *schemas: Schema) -> None:
        """Nothing is opened before it is first needed; `schemas` are brought up to date then."""
        self.path = data_dir / NAME
        self._schemas = schemas
        self._free: queue.LifoQueue[sqlite3.Connection] = queue.LifoQueue()
        self._ready = False

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """Questions of one moment.

        Raises
        ------
        StorageError
            The file cannot be read.
        """
        with self._opened() as con:
            con.execute("begin")
            try:
                yield Transaction(con)
            finally:
                con.execute("rollback")

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        """A change, which is whole or not at all; changes of others wait for it.

        Raises
        ------
        StorageError
            The file cannot be written.
        """
        with self._opened() as con:
            con.execute("begin immediate")
            try:
                yield Transaction(con)
                con.execute("commit")
            finally:
                if con.in_transaction:
                    con.execute("rollback")

    def close(self) -> None:
        """Let the file go."""
        while not self._free.empty():
            self._free.get_nowait().close()

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        try:
            con = self._take()
            try:
                yield con
            finally:
                if self._free.qsize() < KEPT_OPEN:
                    self._free.put(con)
                else:
                    con.close()
        except sqlite3.IntegrityError:
            raise  # a promise of the tables, which their own part knows how to tell
        except sqlite3.Error as error:
            raise StorageError(
                f"{self.path} cannot be used ({error}). It holds what people keep in the dashboard: check that the "
                "disk has room and that the file may be written."
            ) from None

    def _take(self) -> sqlite3.Connection:
        try:
            return self._free.get_nowait()
        except queue.Empty:
            pass
        if not self._ready:
            _for_its_owner_alone(self.path)
        if not self._ready:
            _for_its_owner_alone(self.path)
        con = sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        try:
            con.execute("pragma foreign_keys = on")
            con.execute("pragma synchronous = full")
            if not self._ready:
                self._prepare(con)
                self._ready = True
        except BaseException:
            con.close()
            raise
        return con

    def _prepare(self, con: sqlite3.Connection) -> None:
        con.execute("pragma journal_mode = wal")
        con.execute("begin immediate")
        try:
            con.execute(VERSIONS)
            for schema in self._schemas:
                found = con.execute(
                    "select version from schema_version where part = ?", (schema.part,)
                ).fetchone()
                at = int(found[0]) if found else 0
                if at > len(schema.versions):
                    raise StorageError(
                        f"{self.path} was written by a newer version of Evervalue ({schema.part} is at {at}, this one "
                        f"knows {len(schema.versions)}). Install the newer one again."
                    )
                for script in schema.versions[at:]:
                    for statement in _statements(script):
                        con.execute(statement)
                con.execute(
                    "insert into schema_version (part, version) values (?, ?) "
                    "on conflict (part) do update set version = excluded.version",
                    (schema.part, len(schema.versions)),
                )
            con.execute("commit")
        finally:
            if con.in_transaction:
                con.execute("rollback")


def _for_its_owner_alone(path: Path) -> None:
    """Makes the file where it is not there; nobody else may read it, nor what SQLite keeps beside it."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        for one in (path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")):
            if one.exists() and one.stat().st_mode & 0o077:
                one.chmod(0o600)
    except OSError:
        pass  # not ours to change, or no place to write: opening it says so


def stamp(moment: dt.datetime) -> str:
    """An instant as the store keeps it.

    >>> stamp(dt.datetime(2024, 1, 2, 3, 4, 5, tzinfo=dt.UTC))
    '2024-01-02T03:04:05Z'
    """
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _statements(script: str) -> Iterator[str]:
    text = ""
    for piece in script.split(";"):
        text += piece + ";"
        if sqlite3.complete_statement(text):  # a semicolon may stand within a text or a trigger
            if text.strip(" \n;"):
                yield text
            text = ""
