"""A real MariaDB server for tests: Debian's binaries, a data folder of its own, the binary log on."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pymysql  # type: ignore[import-untyped]

from tests.support import unprivileged

PASSWORD = "a secret of the tests"
PLACES = ("mariadbd", "/usr/sbin/mariadbd", "/usr/local/sbin/mariadbd", "/opt/homebrew/bin/mariadbd")


class MariaDB:
    """One server. It may be stopped and started again; what was committed stays, and so does the port."""

    host = "127.0.0.1"
    user = "root"
    password = PASSWORD

    def __init__(self) -> None:
        self.binary = binary()
        self.folder = unprivileged.own_folder("ev-my-")
        self.port = unprivileged.free_port()
        self.data = self.folder / "data"
        self.socket = self.folder / "socket"
        self.log = self.folder / "log"
        self._process: subprocess.Popen[bytes] | None = None
        atexit.register(self.remove)

    def start(self) -> MariaDB:
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
            stop=signal.SIGTERM,
        )
        self._wait(None if first else PASSWORD)
        if first:
            with self._as_owner() as con, con.cursor() as cursor:
                for host in ("localhost", "127.0.0.1"):
                    cursor.execute(f"create or replace user root@'{host}' identified by %s", [PASSWORD])
                    cursor.execute(f"grant all on *.* to root@'{host}' with grant option")
        return self

    def stop(self, *, immediate: bool = False) -> None:
        """Stops the server; with `immediate` as by a crash: killed, recovery at the next start."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGKILL if immediate else signal.SIGTERM)
        self._process.wait(60)
        self._process = None

    def restart(self, *, immediate: bool = False) -> None:
        """Stops and starts the server."""
        self.stop(immediate=immediate)
        self.start()

    def remove(self) -> None:
        """Stops the server and takes its folder away."""
        self.stop(immediate=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def running(self) -> bool:
        """Whether its process is there."""
        return self._process is not None and self._process.poll() is None

    def dsn(self, database: str = "", user: str | None = None, password: str | None = None) -> str:
        """Address of a database over TCP, with a password."""
        user, password = user or self.user, self.password if password is None else password
        return f"mysql://{user}:{quote(password, safe='')}@{self.host}:{self.port}/{database}"

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
    def _as_owner(self, password: str | None = None) -> Iterator[pymysql.Connection[Any]]:
        con = pymysql.connect(
            unix_socket=str(self.socket),
            user=self.user,
            password=password or "",
            autocommit=True,
            connect_timeout=5,
        )
        try:
            yield con
        finally:
            con.close()

    def _wait(self, password: str | None, seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while True:
            try:
                with socket.socket(socket.AF_UNIX) as probe:  # pymysql leaves one open where it fails
                    probe.connect(str(self.socket))
                with self._as_owner(password):
                    return
            except (OSError, pymysql.err.OperationalError):
                if not self.running or time.monotonic() > end:
                    said = self.log.read_text("utf-8", "replace")[-3000:]
                    self.stop(immediate=True)
                    raise RuntimeError(f"MariaDB did not start:\n{said}") from None
                time.sleep(0.05)


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
