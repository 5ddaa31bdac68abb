"""A PostgreSQL database that several collectors share: how it is reached, and the tables that they keep there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Protocol

from evervalue.core.errors import MissingExtra, StorageError

LAYOUT = 1
SCHEMA = """
create schema if not exists evervalue;
create table if not exists evervalue.layout (version integer not null);
create table if not exists evervalue.source (
    source_id integer generated always as identity primary key,
    name text not null unique
);
create table if not exists evervalue.event (
    seq bigint generated always as identity primary key,
    source_id integer not null,
    message_id bytea not null,
    type text not null,
    at_us bigint not null,
    received_us bigint not null,
    who bytea,
    body bytea,
    unique (source_id, message_id)
);
create index if not exists event_who on evervalue.event (source_id, who) where body is not null;
create table if not exists evervalue.refused (
    refused_id bigint generated always as identity primary key,
    source_id integer not null,
    received_us bigint not null,
    code text not null,
    says text not null,
    body bytea not null
);
create table if not exists evervalue.tally (
    source_id integer primary key,
    accepted bigint not null,
    stored bigint not null,
    duplicate bigint not null,
    quarantined bigint not null
);
create table if not exists evervalue.position (
    source_id integer not null,
    stream text not null,
    part text not null,
    position text not null,
    moved_us bigint not null,
    primary key (source_id, stream, part)
);
create table if not exists evervalue.write_key (
    key_hash bytea primary key,
    source text not null,
    shown text not null,
    created_at text not null,
    revoked_at text
);
"""
"""Texts that senders choose are kept as their bytes: PostgreSQL's text knows no NUL, and JSON does."""
LOCK = 0x65766572_76616C75
"""Of the one who writes: an advisory lock of the database, held to the end of a transaction."""
PATIENCE_SECONDS = 15
"""How long a server that does not answer, or another writer, is waited for."""
NO_LONGER = ("off", "local")
"""Settings of synchronous_commit that do not wait for every disk that the server itself would wait for."""


class Database(Protocol):
    """Where a database is, as the settings say it."""

    @property
    def text(self) -> str:
        """Its address, with the password."""

    def shown(self) -> str:
        """Its address without the password."""

    def redacted(self, text: str) -> str:
        """A text with every secret of the address blotted out."""


class Shared:
    """One connection to the database, opened anew after it failed. Each thread needs its own.

    Raises
    ------
    MissingExtra
        The library is not installed.
    StorageError
        The database cannot be reached, or a later version of Evervalue made its tables.
    """

    def __init__(self, database: Database, gone: Callable[[], None] = lambda: None) -> None:
        self.database = database
        self._gone = gone
        self._con: Any = None

    def rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """The rows of one statement, which stands for itself and may be said twice."""
        if self._con is not None and self._con.closed:
            self.close()
        with self.told() as con:
            cursor = con.execute(sql, values, binary=True)
            return cursor.fetchall() if cursor.description else []

    @contextmanager
    def written(self) -> Iterator[Any]:
        """A transaction of the one who writes: no other begins to before this one is on disk, and seen by all."""
        with self.told() as con, con.transaction():
            con.execute("select pg_advisory_xact_lock(%s)", (LOCK,))
            yield con

    @contextmanager
    def told(self) -> Iterator[Any]:
        """The connection; what fails is told as our own error."""
        psycopg = driver()
        try:
            if self._con is None:
                self._con = self._opened(psycopg)
            yield self._con
        except psycopg.Error as error:
            self.close()
            said = self.database.redacted(" ".join(str(error).split()))
            raise StorageError(
                f"The event log {self.database.shown()} could not be used: {said}. Events are refused with 503 until "
                "it can be; senders try again."
            ) from None

    def close(self) -> None:
        """Let the connection go."""
        if self._con is not None:
            with suppress(Exception):
                self._con.close()
            self._con = None
        self._gone()

    def _opened(self, psycopg: Any) -> Any:
        con = psycopg.connect(
            self.database.text, autocommit=True, connect_timeout=PATIENCE_SECONDS, keepalives_idle=PATIENCE_SECONDS,
            tcp_user_timeout=PATIENCE_SECONDS * 1000, application_name="evervalue collector",
        )  # fmt: skip
        try:
            for name in ("lock_timeout", "idle_in_transaction_session_timeout"):
                con.execute("select set_config(%s, %s, false)", (name, f"{PATIENCE_SECONDS}s"))
            if con.execute("show synchronous_commit").fetchone()[0] in NO_LONGER:
                con.execute("set synchronous_commit = on")
            self._made_ready(con)
        except BaseException:
            con.close()
            raise
        return con

    def _made_ready(self, con: Any) -> None:
        there = con.execute("select to_regclass('evervalue.layout') is not null").fetchone()[0]
        found = con.execute("select max(version) from evervalue.layout").fetchone()[0] if there else None
        if found is not None and found > LAYOUT:
            raise StorageError(
                f"The tables in {self.database.shown()} were made by a later version of Evervalue (layout {found}, "
                f"ours is {LAYOUT}). Install that version again."
            )
        if found is None:
            with con.transaction():
                con.execute("select pg_advisory_xact_lock(%s)", (LOCK,))  # two collectors that start at once
                con.execute(SCHEMA)
                con.execute(
                    "insert into evervalue.layout select %s where not exists (select 1 from evervalue.layout)",
                    (LAYOUT,),
                )


def driver() -> Any:
    """The module psycopg.

    Raises
    ------
    MissingExtra
        It is not installed.
    """
    try:
        import psycopg
    except ImportError:
        raise MissingExtra(
            "An event log in PostgreSQL needs psycopg: pip install 'evervalue[postgres]'."
        ) from None
    return psycopg
