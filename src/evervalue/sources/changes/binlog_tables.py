"""The tables of a MySQL or MariaDB source that is followed: how they are described and copied."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from evervalue.core.errors import SourceUnavailable
from evervalue.core.progress import Progress
from evervalue.core.text import listing
from evervalue.sources.applied import Applied
from evervalue.sources.changes.binlog_server import BinlogServer
from evervalue.sources.changes.copied import refuse_twice
from evervalue.sources.changes.followed_tables import FollowedTables
from evervalue.sources.changes.wanted import Wanted
from evervalue.sources.databases.connection import Address
from evervalue.sources.databases.mysql import MySqlReader
from evervalue.sources.databases.tables import Table, refuse_clashes, with_key
from evervalue.warehouse.duckdb import Connection

UNREADABLE = ("uuid", "inet4", "inet6", "vector")
"""Types of MariaDB that the reader of the log does not know."""


class BinlogTables(FollowedTables):
    """The tables, and the server that is asked how far its log goes."""

    kind = "binlog"

    def __init__(
        self, source: str, address: Address, wanted: Mapping[str, Wanted], temp: Path, progress: Progress
    ) -> None:
        super().__init__(source, address, wanted, temp, progress)
        self.server = BinlogServer(address)
        self.described: dict[str, Table] = {}
        self.by_name: dict[tuple[str, str], str] = {}
        """(database, table) in small letters: feed."""
        self.names_columns = True
        """Whether the log tells the names of columns and of their members."""

    def open(self) -> None:
        """Connect, and describe every table.

        Raises
        ------
        SourceUnavailable
            One is not there, has no key, or has columns that cannot be read from the log.
        """
        self.server.connect()
        for feed in self.wanted:
            self.describe(feed)
        (metadata,) = self.server.ask("select @@global.binlog_row_metadata")
        self.names_columns = str(metadata).upper() == "FULL"
        named = [
            f"{t.name}.{c.name}"
            for t in self.described.values()
            for c in t.columns
            if c.extra in ("enum", "set")
        ]
        if named and not self.names_columns:
            raise SourceUnavailable(
                f"{self.address.where}: the log holds numbers in place of the names of {listing(named, 3)}. Let an "
                "administrator run: SET GLOBAL binlog_row_metadata = 'FULL'; and write it into the server's settings."
            )

    def close(self) -> None:
        """End the connection."""
        self.server.close()

    def table(self, feed: str) -> Table:
        """The table of a feed as it was described last."""
        return self.described[feed]

    def stored_columns(self, feed: str, table: Table) -> Iterable[str]:
        """All of them."""
        del feed
        return [column.name for column in table.columns]

    def goes_on(self, feed: str, shape: str) -> bool:
        """Whether the columns are as stored."""
        table = self.described[feed]
        if shape == _shape(table):
            return True
        self.progress.step(f"{table.name} is read again", detail="its columns changed")
        return False

    def reread(self, con: Connection, feed: str, *, lsn: int, run_id: str) -> Applied:
        """All rows of a table whose columns changed, put at a position."""
        self.describe(feed)
        self.progress.step(f"{self.described[feed].name} is read again", detail="its columns changed")
        return self.copy(con, feed, lsn=lsn, run_id=run_id)

    def copy(self, con: Connection, feed: str, *, lsn: int, run_id: str) -> Applied:
        """All rows of a table as they are now, put at a position."""
        table = self.described[feed]
        reader = MySqlReader(self.address, 1)
        try:
            reader.open()
            made, held, agrees_from = self.replace(
                con, feed, reader, table, lsn=lsn, run_id=run_id, end=lambda: self.server.now().next_lsn
            )
        finally:
            reader.close()
        self.register(held, table, run_id)
        self.note(con, feed, _shape(table), run_id, lsn=lsn, agrees_from=agrees_from)
        return made

    def describe(self, feed: str) -> None:
        """Look a table up as it is now."""
        wanted = self.wanted[feed]
        where = self.address.where
        reader = MySqlReader(self.address, 1)
        try:
            reader.open()
            table = with_key(reader.describe(wanted.table), wanted.key, where)
        finally:
            reader.close()
        refuse_clashes(table, where)
        if not table.key:
            raise SourceUnavailable(
                f"{where}: {table.name} has no key, so changes do not say which row they mean. Give it a primary key, "
                "or name columns that are unique together in the setting `key`."
            )
        strange = [c.name for c in table.columns if c.extra in UNREADABLE]
        if strange:
            raise SourceUnavailable(
                f"{where}: {table.name} has columns of types that cannot be read from the log ({listing(strange)}). "
                'Read the table with capture = "snapshot".'
            )
        for warning in table.warnings:
            self.progress.warn(warning)
        self.described[feed] = table
        database, _, name = table.name.lower().partition(".")
        refuse_twice(self.by_name.get((database, name), feed), feed, table.name, where)
        self.by_name[database, name] = feed


def _shape(table: Table) -> str:
    return json.dumps([[c.name, c.database_type] for c in table.columns])
