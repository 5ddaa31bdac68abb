"""A real MariaDB server for tests: Debian's binaries, a data folder of its own, the binary log on."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import pymysql  # type: ignore[import-untyped]

from tests.support import unprivileged
from tests.support.server import PASSWORD, Server

PLACES = ("mariadbd", "/usr/sbin/mariadbd", "/usr/local/sbin/mariadbd", "/opt/homebrew/bin/mariadbd")


class MariaDB(Server):
    """The server that `make test` found or installed."""

    user = "root"
    called = "MariaDB"
    scheme = "mysql"

    def __init__(self) -> None:
        self.binary = binary()
        super().__init__("ev-my-")
        self.socket = self.folder / "socket"
        self._owner_password: str | None = None
        """None until the first start has set it."""

    def start(self) -> Self:
        """Starts the server, initialising its data folder the first time, and waits until it answers."""
        if self.running:
            return self
        first = not self.data.exists()
        if first:
            self._initialise()
        options = {
            "datadir": self.data, "socket": self.socket, "port": self.port, "bind-address": self.host,
            "pid-file": self.folder / "pid", "tmpdir": self.folder,
            "server-id": 1, "log-bin": "binlog", "binlog-format": "ROW", "binlog-row-image": "FULL",
            "binlog-row-metadata": "FULL", "gtid-strict-mode": 1,
            "character-set-server": "utf8mb4", "default-time-zone": "-05:00",
            "innodb-flush-log-at-trx-commit": 2, "sync-binlog": 0, "innodb-buffer-pool-size": "128M",
            "skip-name-resolve": 1,
        }  # fmt: skip
        # A zone that is not UTC, so that a reader which trusts the server's is caught.
        self._process = unprivileged.serve(
            [self.binary, "--no-defaults", *(f"--{name}={value}" for name, value in options.items())],
            self.folder,
            self.log,
            stop=self.stops,
        )
        self._wait((OSError, pymysql.err.OperationalError))
        if first:
            with self._as_owner() as con, con.cursor() as cursor:
                for host in ("localhost", "127.0.0.1"):
                    cursor.execute(f"create or replace user root@'{host}' identified by %s", [PASSWORD])
                    cursor.execute(f"grant all on *.* to root@'{host}' with grant option")
            self._owner_password = PASSWORD
        return self

    @contextmanager
    def connected(self, database: str | None = None, **options: Any) -> Iterator[pymysql.Connection[Any]]:
        """A connection of the superuser, every statement committed at once."""
        con = pymysql.connect(
            host=self.host,
            port=self.port,
            user=self.user,
            password=self.password,
            database=database,
            autocommit=True,
            charset="utf8mb4",
            client_flag=pymysql.constants.CLIENT.MULTI_STATEMENTS,
            **options,
        )
        try:
            yield con
        finally:
            con.close()

    def execute(self, statement: str, database: str | None = None) -> list[tuple[Any, ...]]:
        """Runs SQL as the superuser; the rows of the last of its statements, which `;` parts."""
        with self.connected(database) as con, con.cursor() as cursor:
            cursor.execute(statement)
            rows = list(cursor.fetchall())
            while cursor.nextset():
                rows = list(cursor.fetchall())
            return rows

    def fresh_database(self, name: str) -> str:
        """Address of a new, empty database; one of that name is gone."""
        self.execute(f"create or replace database `{name}`")
        return self.dsn(name)

    def fresh_user(self, name: str, password: str = PASSWORD, rights: str = "", on: str = "*.*") -> None:
        """Makes a user who may log in and nothing else, or with `rights` such as 'select'."""
        self.execute(f"create or replace user `{name}`@'%' identified by '{password}'")
        if rights:
            self.execute(f"grant {rights} on {on} to `{name}`@'%'")

    def _initialise(self) -> None:
        install = shutil.which("mariadb-install-db") or self.binary.parents[1] / "bin" / "mariadb-install-db"
        options = ["--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve"]
        base = self.binary.resolve().parents[1]
        unprivileged.run(
            [install, "--no-defaults", f"--datadir={self.data}", f"--basedir={base}", *options],
            self.folder,
            {"PATH": f"{base / 'sbin'}:{os.environ.get('PATH', '')}"},
        )

    @contextmanager
    def _as_owner(self) -> Iterator[pymysql.Connection[Any]]:
        con = pymysql.connect(
            unix_socket=str(self.socket),
            user=self.user,
            password=self._owner_password or "",
            autocommit=True,
            connect_timeout=5,
        )
        try:
            yield con
        finally:
            con.close()

    def _ask(self) -> None:
        with socket.socket(socket.AF_UNIX) as probe:  # pymysql leaves one open where it fails
            probe.connect(str(self.socket))
        with self._as_owner():
            pass


def binary() -> Path:
    """The server that `make test` found or installed.

    Raises
    ------
    FileNotFoundError
        There is none.
    """
    asked = os.environ.get("EVERVALUE_MARIADB")
    for name in [asked] if asked else PLACES:
        if found := shutil.which(name):
            return Path(found)
    raise FileNotFoundError("no MariaDB server; `make test` installs it or says how")
