"""What follows the changes of a system, by its kind: for the feeds of a run, and for `evervalue sources watch`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from evervalue.core.errors import SettingsError
from evervalue.core.progress import Progress
from evervalue.sources.changes.feed import Bringing, ChangesFeed, Follower, FollowerOf
from evervalue.sources.changes.files import ChangeFilesFeed
from evervalue.sources.changes.wanted import Wanted
from evervalue.sources.databases.connection import address
from evervalue.sources.databases.systems import table_feeds
from evervalue.sources.systems import System, TableSettings


def changes_feeds(system: System) -> dict[str, ChangesFeed]:
    """The feeds of a database whose changes are followed."""
    bringing = Bringing(system.name, follower_of(system))
    return {name: ChangesFeed(name, bringing, plain) for name, plain in table_feeds(system).items()}


def file_feeds(system: System) -> dict[str, ChangeFilesFeed]:
    """The feeds of a system of change files.

    Raises
    ------
    SettingsError
        Nothing says how the files are written.
    """
    format = system.settings.format
    if format is None:
        raise SettingsError(
            f'sources.{system.name}: how are the changes written? Set format = "debezium" or format = "dms".'
        )
    feeds = {}
    for name, table in system.tables.items():
        assert isinstance(table, TableSettings)
        feeds[name] = ChangeFilesFeed(name, system.name, table, format)
    return feeds


def follower_of(system: System) -> FollowerOf:
    """What makes the follower of a database; the environment is asked for the connection only then."""

    def make(temp: Path, progress: Progress) -> Follower:
        settings = system.settings
        where = address(settings.connection, f"sources.{system.name}")
        tables = {feed: _wanted(system, feed) for feed in system.tables}
        if settings.kind == "postgres":
            from evervalue.sources.changes.postgres_follow import PostgresChanges

            return PostgresChanges(
                system.name,
                where,
                tables,
                slot=settings.slot,
                publication=settings.publication,
                temp=temp,
                progress=progress,
            )
        from evervalue.sources.changes.binlog import BinlogChanges

        return BinlogChanges(
            system.name, where, tables, server_id=settings.server_id, temp=temp, progress=progress
        )

    return make


def followed(systems: Mapping[str, System]) -> dict[str, FollowerOf]:
    """The systems that `evervalue sources watch` follows, each with what makes its follower."""
    return {
        name: follower_of(system)
        for name, system in systems.items()
        if system.settings.capture == "changes" and system.settings.kind in ("postgres", "mysql")
    }


def _wanted(system: System, feed: str) -> Wanted:
    settings = system.tables[feed]
    assert isinstance(settings, TableSettings)
    short = feed.removeprefix(f"{system.name}.")
    return Wanted(settings.table or short, settings.key)
