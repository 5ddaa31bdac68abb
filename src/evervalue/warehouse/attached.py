"""Opens published files side by side, read-only, in an engine of their own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from evervalue.core.errors import StorageError
from evervalue.warehouse.duckdb import Connection, EngineError, connect, first_line, literal


class Focused:
    """A connection whose cursors look into one of the attached files, where a table is named without its file."""

    def __init__(self, con: Connection, name: str) -> None:
        self._con = con
        self._name = name

    def cursor(self) -> Connection:
        """A cursor of its own."""
        found = self._con.cursor()
        found.execute(f"use {self._name}")
        return found

    def close(self) -> None:
        """Lets the files go."""
        self._con.close()


def attached(files: Mapping[str, Path], *, memory_limit: str, threads: int = 1) -> Connection:
    """A connection with each file as a database of its name; it reaches no other file.

    A file may be open elsewhere in this process, too: as a database of its own it could not be opened a second time
    with other settings.

    Raises
    ------
    StorageError
        A file is gone, or cannot be read.
    """
    con = connect(memory_limit=memory_limit, threads=threads)
    try:
        for name, path in files.items():
            con.execute(f"attach {literal(str(path))} as {name} (read_only)")
        con.execute("set preserve_insertion_order = false")  # whoever wants an order says it
        con.execute("set enable_external_access = false")
        con.execute("set lock_configuration = true")
    except EngineError as error:
        con.close()
        raise StorageError(f"A published run cannot be opened: {first_line(error)}") from None
    return con
