"""Parts of a table in the books of the raw zone: what was read of them, under which columns, and that they are gone."""

from __future__ import annotations

from evervalue.sources import raw_zone
from evervalue.sources.databases import ranges
from evervalue.sources.databases.ranges import Part
from evervalue.sources.databases.tables import Table
from evervalue.warehouse.duckdb import Connection, literal

FORMAT = "table"
"""What raw.files calls a part of a table."""


def note_part(
    con: Connection,
    feed: str,
    part: Part,
    table: Table,
    columns: list[tuple[str, str]],
    *,
    rows: int,
    bytes: int,
    content: str,
    run_id: str,
) -> None:
    """Write a part into raw.files, and its columns with the types it was read with into raw.columns."""
    _unregister(con, feed, part.file_id)
    schema_hash = table.schema_hash()
    raw_zone.run(
        con,
        "insert into raw.files (source, file_id, path, sha256, bytes, format, reader, rows_read, run_id, status) "
        "values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            *(feed, part.file_id, part.path, ranges.sha256(part, content, schema_hash), bytes, FORMAT),
            *(schema_hash, rows, run_id, "loaded"),
        ],
    )
    raw_zone.note_columns(con, feed, part.file_id, stored(table, columns), table.key)


def _unregister(con: Connection, feed: str, file_id: str) -> None:
    for table in ("files", "columns"):
        raw_zone.run(con, f"delete from raw.{table} where source = ? and file_id = ?", [feed, file_id])


def forget_part(con: Connection, feed: str, file_id: str, touched: str, run_id: str) -> None:
    """Move the rows of a part to the past, and take it out of raw.files."""
    raw_zone.forget(con, feed, file_id, run_id)
    _unregister(con, feed, file_id)
    con.execute(f"insert into {touched} values ({literal(file_id)}, null)")


def stored(table: Table, columns: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The columns with what their cells were written as, where they are of the types given."""
    known = {column.name: column for column in table.columns}
    return [
        (
            name,
            known[name].stored_type
            if type == known[name].type
            else "number"
            if known[name].number
            else "text",
        )
        for name, type in columns
    ]
