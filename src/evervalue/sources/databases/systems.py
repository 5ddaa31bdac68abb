"""The tables of one database as feeds that share a snapshot."""

from __future__ import annotations

from collections.abc import Mapping

from evervalue.sources.databases.connection import Address, address
from evervalue.sources.databases.cursor import CursorFeed
from evervalue.sources.databases.feed import Snapshot, TableFeed
from evervalue.sources.databases.reader import Reader
from evervalue.sources.systems import System, TableSettings


def reader(kind: str, where: Address) -> Reader:
    """What asks a database of this kind. Nothing is asked yet."""
    if kind == "postgres":
        from evervalue.sources.databases.postgres import PostgresReader

        return PostgresReader(where)
    if kind == "mysql":
        from evervalue.sources.databases.mysql import MySqlReader

        return MySqlReader(where)
    from evervalue.sources.databases.anything import AnyReader

    return AnyReader(where)


def table_feeds(system: System) -> Mapping[str, TableFeed]:
    """The feeds of a system by name.

    Raises
    ------
    SettingsError
        Its connection names a variable that is not set.
    """
    where = f"sources.{system.name}"
    snapshot = Snapshot(reader(system.settings.kind, address(system.settings.connection, where)))
    feeds: dict[str, TableFeed] = {}
    for name, table in system.tables.items():
        assert isinstance(table, TableSettings)
        kind = CursorFeed if system.settings.capture == "cursor" else TableFeed
        feeds[name] = kind(
            name,
            system=system.name,
            table=table.table,
            snapshot=snapshot,
            key=table.key,
            wanted={} if system.settings.preset else system.wanted(name),
            optional=table.optional,
        )
        if isinstance(feed := feeds[name], CursorFeed):
            feed.cursor = table.cursor or ""
    return feeds
