"""An engine of its own for each call, with its spill directory, and the options that calls share."""

from __future__ import annotations

import datetime as dt
import tempfile
import uuid
import weakref
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from evervalue.core.errors import SettingsError
from evervalue.pipeline.run import told_plainly
from evervalue.pipeline.settings import (
    ActionSettings,
    GemSettings,
    LrfmSettings,
    ProjectSettings,
    Settings,
)
from evervalue.warehouse.duckdb import Connection, connect


@contextmanager
def engine(doing: str) -> Iterator[Connection]:
    """A connection to an empty database in memory, closed behind; what the engine refuses is told plainly."""
    with tempfile.TemporaryDirectory(prefix="evervalue-") as spill, told_plainly(doing):
        con = connect(temp_directory=Path(spill))
        try:
            yield con
        finally:
            con.close()


class Held:
    """Something that keeps a database in memory open for as long as it is used.

    Each use has a connection of its own, and each computation a database of its own beside the shared one, so that
    threads do not meet.
    """

    _con: Connection
    _database: str

    def _hold(self, con: Connection, database: str, stack: ExitStack) -> None:
        """Takes over an open database, and what has to be closed when the object is gone."""
        self._con = con
        self._database = database
        self._closed = weakref.finalize(self, stack.close)

    @contextmanager
    def _read(self) -> Iterator[Connection]:
        """A connection to the database."""
        con = self._con.cursor()
        try:
            con.execute("set timezone = 'UTC'")
            con.execute(f"use {self._database}")
            yield con
        finally:
            con.close()

    @contextmanager
    def _beside(self, doing: str) -> Iterator[tuple[Connection, str]]:
        """A connection whose current database is a new, empty one, and its name; the first one is called `memory`."""
        with told_plainly(doing):
            con = self._con.cursor()
            name = f"beside_{uuid.uuid4().hex}"
            try:
                con.execute("set timezone = 'UTC'")
                con.execute(f"attach ':memory:' as {name}")
                con.execute(f"use {name}")
                yield con, name
            finally:
                con.execute("use memory")
                con.execute(f"detach database if exists {name}")
                con.close()


def cutoff(as_of: str | dt.date | None) -> dt.date | None:
    """The cutoff as a date.

    Raises
    ------
    SettingsError
        It is not one.
    """
    if as_of is None:
        return None
    if isinstance(as_of, dt.datetime):
        return as_of.date()
    if isinstance(as_of, dt.date):
        return as_of
    try:
        return dt.date.fromisoformat(str(as_of)[:10])
    except ValueError:
        raise SettingsError(f"as_of={as_of!r} is not a date; write it as '2024-01-31'.") from None


def settings(lrfm: dict[str, Any], gems: dict[str, Any] | None = None) -> Settings:
    """The settings of a run, from the arguments of a call.

    Raises
    ------
    SettingsError
        An argument is impossible.
    """
    try:
        return Settings(
            ProjectSettings(), {}, LrfmSettings(**lrfm), GemSettings(**(gems or {})), ActionSettings()
        )
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, fault['loc'])) or 'the bounds'}: {str(fault['msg']).removeprefix('Value error, ')}"
            + (f" (given {fault['input']!r})" if fault["loc"] else "")
            for fault in error.errors()
        )
        raise SettingsError(f"{faults}.") from None
