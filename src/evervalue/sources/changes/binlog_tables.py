"""The tables of a MySQL or MariaDB source that is followed: how they are described and copied."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from evervalue.core.errors import SourceUnavailable
from evervalue.core.progress import Progress
from evervalue.core.text import listing
from evervalue.sources.applied import Applied
from evervalue.sources.changes.binlog_cascades import Cascade, cascades
from evervalue.sources.changes.binlog_server import BinlogServer, number
from evervalue.sources.changes.binlog_texts import codec
from evervalue.sources.changes.copied import refuse_twice
from evervalue.sources.changes.followed_tables import FollowedTables
from evervalue.sources.changes.positions import Position
from evervalue.sources.changes.wanted import Wanted
from evervalue.sources.databases import mysql_facts as facts
from evervalue.sources.databases import mysql_log
from evervalue.sources.databases.connection import Address
from evervalue.sources.databases.mysql import MySqlReader
from evervalue.sources.databases.mysql_errors import driver, refusal
from evervalue.sources.databases.tables import Table, refuse_clashes, with_key
from evervalue.warehouse.duckdb import Connection

KINDS = {"view": "a view", "versioned": "kept with its history by the server (system versioning)"}
SNAPSHOTS = 50
SNAPSHOT_SECONDS = 0.1
UNREADABLE = ("uuid", "inet4", "inet6", "vector")
"""Types of MariaDB that the reader of the log does not know."""
WRITTEN_OTHERWISE = ("compressed", "mariadb-5.3")
"""In a type: columns that MariaDB packs, and times as it wrote them before version 10.1 (ALTER TABLE ... FORCE)."""


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
        """(database, table) as the log names them: feed."""
        self.others: dict[tuple[str, str], list[tuple[str, Cascade]]] = {}
        """(database, table): feeds whose rows change with its own by foreign keys, of which the log says nothing."""
        self.codecs: dict[str, dict[str, str]] = {}
        """Feed: column: how its texts are decoded."""
        self.exact = True
        """Whether the server tells names apart that differ by capital letters."""

    def open(self) -> None:
        """Connect, and describe every table.

        Raises
        ------
        SourceUnavailable
            One is not there, has no key, or has columns that cannot be read from the log.
        """
        self.server.connect()
        with self._told(), self.server.cursor() as cursor:
            found = mysql_log.variables(cursor)
            (fold,) = self.server.ask("select @@global.lower_case_table_names")
            status = self.server.status()
        self.exact = int(fold) == 0
        faults = mysql_log.faults(found)
        if faults:
            raise SourceUnavailable(
                f"{self.address.where}: the log does not hold all that is needed to follow it: {'; '.join(faults)}. "
                "Let an administrator mend it; what was followed before is then read anew with: "
                "evervalue run --full-refresh"
            )
        only, ignored = (str(names or "") for names in status[2:4]) if status else ("", "")
        for feed in self.wanted:
            self.describe(feed)
            name = self.described[feed].name
            if left_out := mysql_log.left_out(name.partition(".")[0], only, ignored):
                raise SourceUnavailable(
                    f"{self.address.where}: changes of {name} are not written into the log ({left_out}). Read the "
                    'table with capture = "snapshot", or change the server\'s settings.'
                )

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except driver().err.MySQLError as error:
            raise refusal(error, self.address, "asking what the log holds") from None

    def feed(self, database: str, table: str) -> str | None:
        """The feed of a table that the log names; None where it is none of ours."""
        return self.by_name.get(self._name(database, table))

    def hanging(self, database: str, table: str) -> Sequence[tuple[str, Cascade]]:
        """Feeds whose rows the server changes with those of a table, and by what."""
        return self.others.get(self._name(database, table), ())

    def names(self) -> list[str] | None:
        """Names of the tables whose rows matter; None where the log may write them otherwise."""
        return sorted({table for _, table in (*self.by_name, *self.others)}) if self.exact else None

    def _name(self, database: str, table: str) -> tuple[str, str]:
        return (database, table) if self.exact else (database.lower(), table.lower())

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

    def reread(self, con: Connection, feed: str, why: str, *, at: Position, run_id: str) -> Applied:
        """All rows of a table of which the log does not tell enough, put at a position."""
        self.describe(feed)
        self.progress.step(f"{self.described[feed].name} is read again", detail=why)
        return self.copy(con, feed, lsn=at.next_lsn, run_id=run_id, behind=at)

    def copy(
        self, con: Connection, feed: str, *, lsn: int, run_id: str, behind: Position | None = None
    ) -> Applied:
        """All rows of a table as they are now, put at a position; with `behind`, all that was logged before it."""
        table = self.described[feed]
        reader = MySqlReader(self.address, 1)
        try:
            self._open(reader, behind)
            made, held, agrees_from = self.replace(
                con, feed, reader, table, lsn=lsn, run_id=run_id, end=lambda: self.server.now().next_lsn
            )
        finally:
            reader.close()
        self.register(held, table, run_id)
        self.note(con, feed, _shape(table), run_id, lsn=lsn, agrees_from=agrees_from)
        return made

    def _open(self, reader: MySqlReader, behind: Position | None) -> None:
        """A snapshot that shows all that was logged before a position: a commit is logged a moment before it shows."""
        reader.open()
        if behind is None or not behind.slot:
            return
        wanted = number(behind.slot), behind.next_lsn & 0xFFFFFFFF
        for _ in range(SNAPSHOTS):
            shown = reader.logged()
            if shown is None or (number(shown[0]), shown[1]) >= wanted:
                return
            reader.close()
            time.sleep(SNAPSHOT_SECONDS)
            reader.open()
        raise SourceUnavailable(
            f"{self.address.where}: the server does not show yet what its log holds up to {behind.slot}. Run again."
        )

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
        if table.kind != "table":
            raise SourceUnavailable(
                f"{where}: {table.name} is {KINDS[table.kind]}, and the log says nothing of its rows. Read it with "
                'capture = "snapshot"'
                + (", or follow the tables that it is made of." if table.kind == "view" else ".")
            )
        if not table.key:
            raise SourceUnavailable(
                f"{where}: {table.name} has no key, so changes do not say which row they mean. Give it a primary key, "
                "or name columns that are unique together in the setting `key`."
            )
        strange = [
            f"{c.name} {c.database_type}"
            for c in table.columns
            if c.extra in UNREADABLE or any(mark in c.database_type for mark in WRITTEN_OTHERWISE)
        ]
        old = any("mariadb-5.3" in said for said in strange)
        if strange:
            raise SourceUnavailable(
                f"{where}: {table.name} has columns of types that cannot be read from the log ({listing(strange)}). "
                'Read the table with capture = "snapshot"'
                + (
                    f"; or run ALTER TABLE {table.address} FORCE; which writes the times anew."
                    if old
                    else "."
                )
            )
        for warning in table.warnings:
            self.progress.warn(warning)
        self.described[feed] = table
        self.codecs[feed] = self._codecs(table)
        database, _, name = table.name.partition(".")
        refuse_twice(self.feed(database, name) or feed, feed, table.name, where)
        self.by_name[self._name(database, name)] = feed
        self._look_up(feed, database, name)

    def _codecs(self, table: Table) -> dict[str, str]:
        """Column: how its texts are decoded."""
        found, strange = {}, []
        for column in table.columns:
            collation = table.facts.get(f"collation {column.name}")
            if collation is None:
                continue
            name = codec(collation, self.server.ask)
            if column.extra in ("enum", "set") and name != "utf_8":
                # The names of members are taken for UTF-8.
                wide = name is not None and name.startswith(("utf_16", "utf_32"))
                name = None if wide or not column.database_type.isascii() else name
            if name is None:
                strange.append(f"{column.name} in {collation.partition('_')[0]}")
            else:
                found[column.name] = name
        if strange:
            raise SourceUnavailable(
                f"{self.address.where}: {table.name} has texts in character sets that cannot be read from the log as "
                f"the server writes them ({listing(strange)}). ALTER TABLE ... CONVERT TO CHARACTER SET utf8mb4, or "
                'read the table with capture = "snapshot".'
            )
        return found

    def _look_up(self, feed: str, database: str, table: str) -> None:
        """Note the tables that one hangs on by foreign keys that change its rows, and those that these hang on."""
        self.others = {
            name: kept
            for name, hanging in self.others.items()
            if (kept := [one for one in hanging if one[0] != feed])
        }
        waiting, seen = [(database, table)], set()
        while waiting:
            at = waiting.pop()
            if at in seen:
                continue
            seen.add(at)
            shown = ".".join(facts.quoted(name) for name in at)
            try:
                created = str(self.server.ask(f"show create table {shown}")[1])
            except driver().err.MySQLError as error:
                if at == (database, table):
                    raise refusal(error, self.address, f"looking at {table}") from None
                raise SourceUnavailable(
                    f"{self.address.where}: rows of {database}.{table} are deleted or changed by the server itself "
                    f"when those of {at[0]}.{at[1]} are (a foreign key with CASCADE or SET NULL), and the table cannot "
                    f"be looked at. Let an administrator run: GRANT SELECT ON {shown} TO this user;"
                ) from None
            for cascade in cascades(created):
                parent = (cascade.database or at[0], cascade.table)
                self.others.setdefault(self._name(*parent), []).append((feed, cascade))
                waiting.append(parent)


def _shape(table: Table) -> str:
    return json.dumps([[c.name, c.database_type] for c in table.columns])
