"""Rows mended by hand: put in the place of what came, and put there again whenever the file is read again."""

from __future__ import annotations

import json
from dataclasses import dataclass

from evervalue.core.errors import InputError
from evervalue.sources import raw_zone
from evervalue.warehouse.duckdb import Connection, literal, quoted


@dataclass(frozen=True)
class Mended:
    """A mended row: where it came from, and its cells."""

    file_id: str
    line: int
    cells: dict[str, str]


def keep(con: Connection, source: str, rows: list[Mended], *, path: str, run_id: str) -> None:
    """Remember mended rows, with what they were when they came."""
    for row in rows:
        key = f"source = {literal(source)} and file_id = {literal(row.file_id)} and line = {row.line}"
        found = con.execute(
            f"select reason, row_json from raw.quarantine where {key} "
            f"union all select reason, row_json from raw.conflicts where {key}"
        ).fetchone()
        before = con.execute(f"select reason, original_json from raw.mended where {key}").fetchone()
        reason, original = before or found or ("", "{}")
        con.execute(f"delete from raw.mended where {key}")
        mended = json.dumps(row.cells, ensure_ascii=False)
        raw_zone.insert(
            con, "raw.mended", [[source, row.file_id, row.line, reason, original, mended, path, run_id]]
        )


def put_in_place(con: Connection, source: str, *, run_id: str, file_id: str | None = None) -> int:
    """Put the mended rows of a source (or of one of its files) in the place of what came; returns how many."""
    loaded = f"select file_id from raw.files where source = {literal(source)} and status = 'loaded'"
    only = f" and file_id = {literal(file_id)}" if file_id else f" and file_id in ({loaded})"
    rows = con.execute(
        f"select file_id, line, mended_json from raw.mended where source = {literal(source)}{only} order "
        "by file_id, line"
    ).fetchall()
    types = raw_zone.column_types(con, source)
    table = raw_zone.table(source)
    for start in range(0, len(rows), 500):
        some = rows[start : start + 500]
        values = []
        for row_file, line, mended in some:
            cells = {name.lower(): cell for name, cell in json.loads(mended).items()}
            listed = [_value(con, cells.get(name.lower()), type, name, line) for name, type in types.items()]
            values.append(f"({', '.join([literal(row_file), str(line), literal(run_id), *listed])})")
        keys = ", ".join(f"({literal(f)}, {line})" for f, line, _ in some)
        con.execute(f"delete from {table} where (_file_id, _line) in ({keys})")
        names = ", ".join(["_file_id", "_line", "_run_id", *(quoted(n) for n in types)])
        con.execute(f"insert into {table} ({names}) values {', '.join(values)}")
        for zone in ("quarantine", "conflicts"):
            con.execute(
                f"delete from raw.{zone} where source = {literal(source)} and (file_id, line) in ({keys})"
            )
    return len(rows)


def _value(con: Connection, cell: str | None, type: str, name: str, line: int) -> str:
    """A mended cell as SQL of the column's type."""
    if cell is None:
        return "null"
    if type == "VARCHAR":
        return literal(cell)
    if not cell.strip():
        return "null"
    fits = con.execute(f"select try_cast({literal(cell)} as {type}) is not null").fetchone()
    if not fits or not fits[0]:
        raise InputError(
            f"The mended row of line {line:,} has '{cell[:60]}' in '{name}', a column of {type.lower()}. "
            "Mend the cell and replay again."
        )
    return f"{literal(cell)}::{type}"
