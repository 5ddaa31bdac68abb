"""The project's event log and write keys: in files of its data directory, or in the database that its settings name."""

from __future__ import annotations

from pathlib import Path

from evervalue.collector.keys import Keys, WriteKeys
from evervalue.collector.log import LOG, EventLog
from evervalue.collector.postgres_keys import PostgresKeys
from evervalue.collector.postgres_log import PostgresLog
from evervalue.collector.records import Log
from evervalue.core.clock import Clock
from evervalue.core.errors import SettingsError
from evervalue.pipeline.settings import FILE, Project, read_project
from evervalue.sources.databases.connection import Address, address

SCHEMES = ("postgresql", "postgres", "")
"""The last is that of key=value words."""


def open_log(project: Project) -> Log:
    """The event log, opened for one thread; made where there is none.

    Raises
    ------
    SettingsError
        The settings name no PostgreSQL database, or a variable that the environment does not set.
    StorageError
        It cannot be opened.
    """
    shared = database(project)
    return PostgresLog(shared) if shared is not None else EventLog(project.data_dir / LOG)


def found_log(project: Project) -> Log | None:
    """The event log, opened for one thread; None where no event ever came.

    Raises
    ------
    SettingsError
        As for `open_log`.
    StorageError
        It cannot be opened.
    """
    if database(project) is None and not (project.data_dir / LOG).exists():
        return None
    return open_log(project)


def found_log_of(folder: Path) -> Log | None:
    """The event log of the project in a folder, as `found_log` finds it; a server's processes open it by this."""
    return found_log(read_project(folder)) if (folder / FILE).exists() else None


def open_keys(project: Project, clock: Clock) -> Keys:
    """The write keys.

    Raises
    ------
    SettingsError
        As for `open_log`.
    StorageError
        They cannot be opened.
    """
    shared = database(project)
    return PostgresKeys(shared, clock) if shared is not None else WriteKeys(project.data_dir, clock)


def database(project: Project) -> Address | None:
    """The database that several collectors share; None where the log is a file.

    Raises
    ------
    SettingsError
        It is none of PostgreSQL, or a variable in it is not set.
    """
    connection = project.settings.collector.connection
    if connection is None:
        return None
    found = address(connection, "collector")
    if found.scheme not in SCHEMES:
        raise SettingsError(
            f"collector.connection: an event log lies in PostgreSQL, and '{found.scheme}' is another database. Write "
            'connection = "postgresql://USER:PASSWORD@HOST/DATABASE", or the name of a variable that says it; or take '
            "it out, and the log is a file in the data directory."
        )
    return found
