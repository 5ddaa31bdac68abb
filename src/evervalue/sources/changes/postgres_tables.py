"""The tables of a PostgreSQL source that is followed: how they are described and copied."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from evervalue.core.errors import SourceUnavailable
from evervalue.core.progress import Progress
from evervalue.sources.applied import Applied
from evervalue.sources.changes import postgres_publication as publications
from evervalue.sources.changes import postgres_slot as slots
from evervalue.sources.changes.copied import refuse_twice
from evervalue.sources.changes.followed_tables import FollowedTables
from evervalue.sources.changes.pgoutput import Relation
from evervalue.sources.changes.postgres_shape import Described, follows, published, refuse_unfollowable
from evervalue.sources.changes.wanted import Wanted
from evervalue.sources.databases.connection import Address
from evervalue.sources.databases.postgres import PostgresReader
from evervalue.sources.databases.postgres_errors import told
from evervalue.sources.databases.tables import Table, refuse_clashes, with_key
from evervalue.warehouse.duckdb import Connection

FOLLOWING = "following its changes"
"""What we are doing, for messages."""


class PostgresTables(FollowedTables):
    """The tables, and the connection that their catalog is asked through."""

    kind = "postgres"

    def __init__(
        self,
        source: str,
        address: Address,
        wanted: Mapping[str, Wanted],
        temp: Path,
        progress: Progress,
        publication: str,
    ) -> None:
        super().__init__(source, address, wanted, temp, progress)
        self.publication = publication
        self.described: dict[str, Described] = {}
        self.by_name: dict[tuple[str, str], str] = {}
        """(schema, table): feed."""
        self.streaming = False
        """Whether the stream is open, and may still describe columns as they were."""
        self.sql: Any = None

    def open(self) -> None:
        """Connect, describe every table, and have all of them in the publication.

        Raises
        ------
        SourceUnavailable
            One is not there, has no key, or its changes do not say which row they mean.
        """
        self.described = {}
        self.sql = slots.connect(self.address)
        with told(self.address, FOLLOWING):
            self._describe()
            members = publications.publish(
                self.sql,
                self.publication,
                {feed: one.table.address for feed, one in self.described.items()},
                self.address,
            )
        self.described = {feed: replace(one, member=members[feed]) for feed, one in self.described.items()}

    def close(self) -> None:
        """End the connection."""
        if self.sql is not None:
            with suppress(Exception):
                self.sql.close()
            self.sql = None
        self.streaming = False

    def end_of_log(self) -> int:
        """How far the source's own log goes."""
        with told(self.address, FOLLOWING):
            recovering = self.sql.execute("select pg_is_in_recovery()").fetchone()[0]
            found = self.sql.execute(
                "select pg_last_wal_replay_lsn()" if recovering else "select pg_current_wal_flush_lsn()"
            ).fetchone()[0]
        return slots.number(str(found))

    def table(self, feed: str) -> Table:
        """The table of a feed, with the columns it lost since it was stored."""
        return self.described[feed].table

    def stored_columns(self, feed: str, table: Table) -> Iterable[str]:
        """The columns that the stream has told of."""
        del table
        return self.described[feed].names

    def goes_on(self, feed: str, shape: str) -> bool:
        """Whether nothing happened to the table that the stream says nothing of; its shape is then as stored."""
        known, now = Described.of(shape), self.described[feed]
        if known.is_same(now):
            self.described[feed] = known.looked_up(now.table)
            return True
        self.progress.warn(
            f"{feed}: the table was made anew, has other partitions, or was taken out of the publication "
            f"{self.publication} and put back since; changes between are lost, so it is read again."
        )
        return False

    def copy(self, con: Connection, feed: str, *, lsn: int, run_id: str, snapshot: str | None) -> Applied:
        """All rows of a table as they are now, or under the slot's snapshot, put at a position."""
        reader = PostgresReader(self.address, 1, snapshot)
        try:
            reader.open()
            table = published(self._look(reader, feed), self.sql, self.publication)
            described = replace(Described.catalog(table, self.sql), member=self.described[feed].member)
            made, held, agrees_from = self.replace(
                con, feed, reader, table, lsn=lsn, run_id=run_id,
                end=lambda: lsn if snapshot else self.end_of_log(),
            )  # fmt: skip
        finally:
            reader.close()
        if self.streaming:
            # The stream may still describe older columns; what it says next is held against what it said last.
            described = replace(self.described[feed], table=table)
        self.described[feed] = described
        self.register(held, table, run_id)
        self.note(con, feed, described.dump(), run_id, lsn=lsn, agrees_from=agrees_from)
        return made

    def reshaped(self, feed: str, message: Relation) -> tuple[Described, str]:
        """The table as the stream describes it from here on, and why it must be read again, if it must."""
        with told(self.address, FOLLOWING):
            return follows(self.described[feed], message, self.sql, self.address.where)

    def messages(self) -> Iterable[tuple[str, Relation]]:
        """What the stream would say of each table now."""
        reader = PostgresReader(self.address, 1)
        try:
            reader.open()
            for feed in self.wanted:
                with told(self.address, FOLLOWING):
                    table = published(self._look(reader, feed), self.sql, self.publication)
                    message = Described.catalog(table, self.sql).message(table)
                yield feed, message
        finally:
            reader.close()

    def refuse_another(self, message: Relation, held: Described) -> None:
        """Nothing, where a table of the name was there before the one that is followed.

        Raises
        ------
        SourceUnavailable
            The one that is followed was replaced by it since the stream was opened.
        """
        with told(self.address, FOLLOWING):
            found = self.sql.execute(
                "select n.nspname, c.relname from pg_class as c join pg_namespace as n on n.oid = c.relnamespace "
                "where c.oid = %s",
                [message.id],
            ).fetchone()
        if found == (held.schema, held.relation):
            raise SourceUnavailable(
                f"{self.address.where}: {held.table.name} was dropped and made anew while it was followed, so the "
                "stream broke off. Run again: the new table is read."
            )

    def _describe(self) -> None:
        reader = PostgresReader(self.address, 1)
        try:
            reader.open()
            for feed in self.wanted:
                self.described[feed] = self._described(self._look(reader, feed), feed)
        finally:
            reader.close()

    def _described(self, table: Table, feed: str) -> Described:
        for warning in table.warnings:
            self.progress.warn(warning)
        refuse_unfollowable(table, self.sql, self.address.where)
        described = Described.catalog(table, self.sql)
        publications.refuse_without_key(
            table.name,
            table.address,
            table.key,
            described.identity,
            described.identity_columns,
            self.address.where,
        )
        name = (described.schema, described.relation)
        refuse_twice(self.by_name.get(name, feed), feed, table.name, self.address.where)
        self.by_name[name] = feed
        return described

    def _look(self, reader: PostgresReader, feed: str) -> Table:
        wanted = self.wanted[feed]
        table = with_key(reader.describe(wanted.table), wanted.key, self.address.where)
        refuse_clashes(table, self.address.where)
        return table
