"""Parquet files into the raw zone, with the types they have."""

from __future__ import annotations

from evervalue.core.errors import InputError
from evervalue.sources import raw_zone
from evervalue.sources.files import FoundFile
from evervalue.sources.read_text import ReadResult
from evervalue.warehouse.duckdb import Connection, EngineError, first_line, literal, quoted

SCALARS = (
    "VARCHAR", "BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER",
    "UBIGINT", "FLOAT", "DOUBLE", "DATE", "TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS",
    "TIMESTAMP WITH TIME ZONE",
)  # fmt: skip
"""Types that are kept; whatever else a file holds (lists, structures, enumerations) is stored as text."""


def read_parquet(con: Connection, file: FoundFile, source: str, *, run_id: str) -> ReadResult:
    """Load a Parquet file into the source's raw table.

    Raises
    ------
    InputError
        The file is damaged or is no Parquet file.
    """
    path = literal(str(file.path))
    try:
        with con.cursor() as probe:
            found = probe.execute(f"describe select * from read_parquet({path})").fetchall()
            counted = probe.execute(f"select sum(num_rows) from parquet_file_metadata({path})").fetchone()
    except EngineError as error:
        raise InputError(
            f"{file.shown} cannot be read as Parquet ({first_line(error)}). Fetch it again; none of its rows was taken."
        ) from None
    types = [(str(row[0]), _kept(str(row[1]))) for row in found]
    raw_zone.prepare(con, source, types, file.shown)
    now = raw_zone.column_types(con, source)
    held = {name.lower(): type for name, type in now.items()}
    chosen = ", ".join(quoted(name) for name, _ in types)
    values = ", ".join(f"{quoted(name)}::{held[name.lower()]}" for name, _ in types)
    try:
        done = con.execute(
            f"insert into {raw_zone.table(source)} (_file_id, _line, _run_id, {chosen}) "
            f"select {literal(file.file_id)}, file_row_number + 1, {literal(run_id)}, {values} "
            f"from read_parquet({path}, file_row_number = true)"
        ).fetchone()
    except EngineError as error:
        if "space" in str(error).lower() or "memory" in str(error).lower():
            raise
        raise InputError(
            f"{file.shown} is damaged ({first_line(error)}). Fetch it again; none of its rows was taken."
        ) from None
    rows = int(done[0]) if done else 0
    if counted and counted[0] is not None and int(counted[0]) != rows:
        raise InputError(
            f"{file.shown} says it has {int(counted[0]):,} rows, and {rows:,} could be read. Fetch it again."
        )
    stored = [(name, "text" if type == "VARCHAR" else type) for name, type in types]
    raw_zone.note_columns(con, source, file.file_id, stored)
    return ReadResult(rows, None, None, stored)


def _kept(type: str) -> str:
    return type if type in SCALARS or type.startswith("DECIMAL") else "VARCHAR"
