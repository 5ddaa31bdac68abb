"""The feeds that the tables of a system are, by the kind of the system."""

from __future__ import annotations

from collections.abc import Mapping

from evervalue.sources.feed import Feed
from evervalue.sources.file_feed import FileFeed
from evervalue.sources.systems import DATABASES, System


def feeds_of(system: System) -> Mapping[str, Feed]:
    """What reads each table of a system, by the names of its feeds. Nothing is asked of it yet.

    Raises
    ------
    SettingsError
        Its connection names a variable that is not set.
    """
    if system.settings.capture == "changes":
        from evervalue.sources.changes.followers import changes_feeds

        return changes_feeds(system)
    if system.settings.kind == "changes":
        from evervalue.sources.changes.followers import file_feeds

        return file_feeds(system)
    if system.settings.kind in DATABASES:
        from evervalue.sources.databases.systems import table_feeds

        return table_feeds(system)
    # Names of a preset are compared loosely, when all its tables are there.
    wanted = {name: {} if system.settings.preset else system.wanted(name) for name in system.tables}
    return {
        name: FileFeed(name, table, wanted[name], f"sources.{system.name}")
        for name, table in system.tables.items()
    }
