"""The feed that each table of a system is, by the kind of the system."""

from __future__ import annotations

from evervalue.sources.feed import Feed
from evervalue.sources.file_feed import FileFeed
from evervalue.sources.systems import System


def feed_of(system: System, name: str) -> Feed:
    """What reads the table `name` of a system."""
    table = system.tables[name]
    where = f"sources.{system.name}"
    # Names of a preset are compared loosely, when all its tables are there.
    wanted = {} if system.settings.preset else system.wanted(name)
    return FileFeed(name, table, wanted, where)
