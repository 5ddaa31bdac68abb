"""Opens DuckDB with bounded memory. Nothing outside `warehouse` imports the engine itself."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path

import duckdb

from evervalue.core.errors import Busy, StorageError
from evervalue.core.settings import environment

Connection = duckdb.DuckDBPyConnection
Relation = duckdb.DuckDBPyRelation
EngineError = duckdb.Error
Interrupted = duckdb.InterruptException
version: str = duckdb.__version__
LOCKED = ("Could not set lock", "Conflicting lock")
DAMAGED = ("Corrupt database file", "not a valid DuckDB database file", "Could not read enough bytes")
"""The engine's words; it has no kind of error for either."""


def connect(
    path: Path | None = None,
    *,
    read_only: bool = False,
    memory_limit: str | None = None,
    threads: int | None = None,
    temp_directory: Path | None = None,
) -> Connection:
    """An open connection, in UTC, with the engine's memory bounded and its spill in `temp_directory`.

    Parameters
    ----------
    path
        The database file; None opens one in memory.
    memory_limit, threads, temp_directory
        Fall back to the environment (`EVERVALUE_MEMORY_LIMIT` ...), then to the engine's defaults.

    Raises
    ------
    Busy
        Another process holds the file.
    StorageError
        The file cannot be opened, or is damaged.
    """
    env = environment()
    config: dict[str, str | bool | int | float | list[str]] = {
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
    }
    if limit := (memory_limit or env.memory_limit):
        config["memory_limit"] = limit
    if cores := (threads or env.threads):
        config["threads"] = str(cores)
    if spill := (temp_directory or env.temp_directory):
        config["temp_directory"] = str(spill)
    try:
        con = duckdb.connect(str(path) if path else ":memory:", read_only=read_only, config=config)
    except duckdb.IOException as error:
        text = str(error)
        if any(words in text for words in LOCKED):
            raise Busy(
                f"Another process is using {path}. Wait for it to end, or stop it; "
                "two runs in one project do not run at the same time."
            ) from None
        if any(words in text for words in DAMAGED):
            raise StorageError(
                f"{path} is damaged ({first_line(error)}). Where it is a published run, "
                "'evervalue publish --rollback' points readers to the run before."
            ) from None
        raise StorageError(f"Cannot open {path}: {first_line(error)}") from None
    except duckdb.Error as error:
        raise StorageError(f"Cannot open {path}: {first_line(error)}") from None
    con.execute("set timezone = 'UTC'")
    con.execute("set enable_progress_bar = false")
    return con


def first_line(error: BaseException) -> str:
    """The engine's own words, cut to what a user can use."""
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__


def quoted(name: str) -> str:
    """An identifier, quoted for the engine."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text literal, quoted for the engine."""
    return "'" + text.replace("'", "''") + "'"


def value(item: object) -> str:
    """A value as SQL writes it.

    Bound parameters would do, but they make the engine's client import pandas where it is installed: seconds.
    """
    if item is None:
        return "null"
    if isinstance(item, float) and not math.isfinite(item):
        return f"'{item}'::double"
    if isinstance(item, bool | int | float | Decimal):
        return str(item).lower()
    if isinstance(item, dt.date):
        return f"date '{item}'"
    return literal(str(item))


def insert(con: Connection, table: str, rows: Iterable[Iterable[object]]) -> None:
    """Adds rows to a table; for the few rows that code writes itself."""
    tuples = [f"({', '.join(map(value, row))})" for row in rows]
    for start in range(0, len(tuples), 500):
        con.execute(f"insert into {table} values {', '.join(tuples[start : start + 500])}")
