"""The server behind a binary log: how it is reached, and whether its log goes on from what is stored."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

from evervalue.core.errors import SourceUnavailable
from evervalue.core.text import listing
from evervalue.sources.changes.positions import Position
from evervalue.sources.databases.connection import Address
from evervalue.sources.databases.mysql import tls
from evervalue.sources.databases.mysql_errors import driver, refusal

AGAIN = "Then read everything anew with: evervalue run --full-refresh"


class BinlogServer:
    """One connection, for questions about the log."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self.mariadb = False
        self.epoch = 0
        """Raised whenever another server takes the place of the one before, so that what it logs is later."""
        self.by_gtid = False
        """Whether the log is to be taken up by global transaction ids: its files are another server's."""
        self._sql: Any = None

    def connect(self) -> None:
        """Open the connection."""
        pymysql = driver()
        try:
            self._sql = pymysql.connect(**self.settings(), autocommit=True)
            self.mariadb = "mariadb" in str(self.ask("select version()")[0]).lower()
        except pymysql.err.MySQLError as error:
            raise refusal(error, self.address) from None

    def close(self) -> None:
        """Close the connection."""
        if self._sql is not None:
            with suppress(Exception):
                self._sql.close()
            self._sql = None

    def settings(self) -> dict[str, Any]:
        """What the client needs to connect."""
        parts = self.address.parts()
        wanted: dict[str, Any] = {
            "host": parts.get("host", "localhost"),
            "port": int(parts.get("port", 3306)),
            "user": parts.get("user"),
            "password": parts.get("password", ""),
            "unix_socket": parts.get("unix_socket"),
            "connect_timeout": int(parts.get("connect_timeout", 15)),
            "charset": "utf8mb4",
        }
        if any(name.startswith("ssl") for name in parts):
            wanted["ssl"] = tls(parts)
        return {name: value for name, value in wanted.items() if value is not None}

    def ask(self, statement: str, values: Any = None) -> Any:
        """The first row of an answer."""
        with self._sql.cursor() as cursor:
            cursor.execute(statement, values)
            return cursor.fetchone()

    @contextmanager
    def cursor(self) -> Iterator[Any]:
        """A cursor, for several questions."""
        with self._sql.cursor() as cursor:
            yield cursor

    def _all(self, statement: str) -> list[Any]:
        with self._sql.cursor() as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall())

    def status(self) -> Any:
        """File and place where the log ends, and which databases are left out of it; None where there is no log."""
        try:
            return self.ask("show master status")
        except driver().err.ProgrammingError:
            return self.ask("show binary log status")  # MySQL from 8.4

    def now(self) -> Position:
        """Where the log ends."""
        pymysql = driver()
        try:
            row = self.status()
            if row is None:
                raise SourceUnavailable(
                    f"{self.address.where}: the binary log is off. Set log_bin in the server's settings and restart it."
                )
            file, place = str(row[0]), int(row[1])
            if self.mariadb:
                gtid = str(self.ask("select binlog_gtid_pos(%s, %s)", [file, place])[0] or "") or None
                server = f"mariadb {self.ask('select @@server_id')[0]}"
            else:
                gtid = str(row[4]).replace("\n", "") or None
                server = f"mysql {self.ask('select @@server_uuid')[0]}"
        except pymysql.err.MySQLError as error:
            raise refusal(error, self.address, "asking for the position of the log") from None
        at = self.epoch << 56 | number(file) << 32 | place
        return Position("binlog", at, 0, at, server, slot=file, gtid=gtid)

    def end(self) -> tuple[int, dt.datetime]:
        """Where the log ends, and the instant of asking by the server's clock, UTC."""
        pymysql = driver()
        if self._sql is None:
            self.connect()
        try:
            (at,) = self.ask("select utc_timestamp(6)")
        except pymysql.err.MySQLError as error:
            raise refusal(error, self.address, "asking for the time") from None
        return self.now().next_lsn, at

    def verified(self, held: Position) -> Position:
        """What is stored, where the log goes on from there.

        Raises
        ------
        SourceUnavailable
            It does not, with the mend.
        """
        self.epoch = held.next_lsn >> 56
        now = self.now()
        where = self.address.where
        place = held.next_lsn & 0xFFFFFFFF
        if now.server != held.server:
            if not held.gtid or not now.gtid:
                raise SourceUnavailable(
                    f"{where}: this is another server ({now.server}) than the one whose log was followed "
                    f"({held.server}), and there are no global transaction ids to go on by. {AGAIN}"
                )
            self.epoch += 1
            self.by_gtid = True
            return replace(held, server=now.server, next_lsn=self.epoch << 56)
        sizes = {str(row[0]): int(row[1]) for row in self._all("show binary logs")}
        if held.slot not in sizes:
            raise SourceUnavailable(
                f"{where}: the log {held.slot}, up to which changes were followed, is purged or was reset (there are "
                f"{listing(sizes, 3)}), so changes are lost. Keep logs longer (binlog_expire_logs_seconds) or follow "
                f"more often. {AGAIN}"
            )
        if sizes[held.slot] < place or not self._agrees(held, place):
            raise SourceUnavailable(
                f"{where}: the log {held.slot} is another one than was followed up to {place:,}: the server was reset "
                f"or set back to an earlier state. {AGAIN}"
            )
        return held

    def _agrees(self, held: Position, place: int) -> bool:
        """Whether the transactions before the position are those that were followed."""
        if not held.gtid:
            return True
        if self.mariadb:
            found = self.ask("select binlog_gtid_pos(%s, %s)", [held.slot, place])[0]
            return found is not None and gtids(str(found)) == gtids(held.gtid)
        return bool(self.ask("select gtid_subset(%s, @@global.gtid_executed)", [held.gtid])[0])


def number(file: str) -> int:
    """The number of a log's file."""
    digits = file.rpartition(".")[2]
    return int(digits) if digits.isdigit() else 0


def gtids(text: str | None) -> dict[str, str]:
    """Ids of MariaDB by domain; of MySQL the whole set under one name."""
    found = [one.strip() for one in (text or "").split(",") if one.strip()]
    if any(":" in one for one in found):
        return {"": ",".join(sorted(found))}
    return {one.partition("-")[0]: one for one in found}
