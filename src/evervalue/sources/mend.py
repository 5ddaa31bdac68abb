"""Rows mended by hand: put in the place of what came, and put there again whenever the file is read again."""

from __future__ import annotations

import json
from dataclasses import dataclass

from evervalue.core.errors import InputError
from evervalue.sources import raw_zone
from evervalue.warehouse.duckdb import Connection, insert, literal, quoted


@dataclass(frozen=True)
class Mended:
    """A mended row: where it came from, and its cells."""

    file_id: str
    line: int
    cells: dict[str, str]


def keep(
    con: Connection, source: str, rows: list[Mended], *, path: str, run_id: str, refused_by: str | None = None
) -> None:
    """Remember mended rows of a table, with what they were when `refused_by` (default: the table) refused them."""
    for row in rows:
        place = f"file_id = {literal(row.file_id)} and line = {row.line}"
        key = f"source = {literal(source)} and {place}"
        either = f"source in ({literal(source)}, {literal(refused_by or source)}) and {place}"
        found = con.execute(
            f"select reason, row_json from raw.quarantine where {either} "
            f"union all select reason, row_json from raw.conflicts where {either}"
        ).fetchone()
        before = con.execute(f"select reason, original_json from raw.mended where {key}").fetchone()
        reason, original = before or found or ("", "{}")
        con.execute(f"delete from raw.mended where {key}")
        mended = json.dumps(row.cells, ensure_ascii=False)
        insert(con, "raw.mended", [[source, row.file_id, row.line, reason, original, mended, path, run_id]])


def put_in_place(con: Connection, source: str, *, run_id: str, file_id: str | None = None) -> int:
    """Put mended rows of a source (or of one of its files) in the place of what came, now past; returns how many."""
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
        here = f"(_file_id, _line) in ({keys})"
        raw_zone.retire(con, source, f"{here} and _run_id <> {literal(run_id)}", run_id)
        con.execute(f"delete from {table} where {here}")
        names = ", ".join(["_file_id", "_line", "_run_id", *(quoted(n) for n in types)])
        con.execute(f"insert into {table} ({names}) values {', '.join(values)}")
        for zone in ("quarantine", "conflicts"):
            con.execute(
                f"delete from raw.{zone} where (source = {literal(source)} or source in "
                f"(select source from raw.mappings where feed = {literal(source)})) and (file_id, line) in ({keys})"
            )
    return len(rows)


def carry_over(con: Connection, source: str, old: str, new: str, *, run_id: str) -> tuple[int, int]:
    """Give the mended rows of a file's old content to the rows of its new content that came just as they did.

    Returns how many mended rows the old content has, and how many of them have no such row.
    """
    key = f"source = {literal(source)} and file_id = {literal(old)}"
    rows = con.execute(
        f"select line, reason, original_json, mended_json, path from raw.mended where {key} order by line"
    ).fetchall()
    lines = _lines_like(con, source, new, {str(row[2]) for row in rows})
    kept: list[list[str | int]] = []
    for _, reason, original, mended, path in rows:
        if places := lines.get(original):
            kept.append([source, new, places.pop(0), reason, original, mended, path, run_id])
    for row in kept:
        raw_zone.run(
            con,
            "delete from raw.mended where source = ? and file_id = ? and line = ?",
            row[:3],
        )
    insert(con, "raw.mended", kept)
    return len(rows), len(rows) - len(kept)


def _lines_like(con: Connection, source: str, file_id: str, originals: set[str]) -> dict[str, list[int]]:
    """Lines of a file, read and not yet mended, whose row equals one of `originals`, by that row, in order."""
    types = {name.lower(): name for name in raw_zone.column_types(con, source)}
    by_names: dict[tuple[str, ...], list[str]] = {}
    for original in sorted(originals):
        row = json.loads(original)
        names = tuple(row) if isinstance(row, dict) else ()
        if all(name.lower() in types for name in names):
            by_names.setdefault(names, []).append(original)
    found: dict[str, list[int]] = {}
    for names, some in by_names.items():
        if names:
            cells = ", ".join(f"{literal(name)}, {quoted(types[name.lower()])}" for name in names)
            rows = (
                f"select _line as line, json_object({cells})::varchar as row_json "
                f"from {raw_zone.table(source)} where _file_id"
            )
        else:
            rows = f"select line, row_json from raw.quarantine where source = {literal(source)} and file_id"
        same = con.execute(
            f"select row_json, line from ({rows} = {literal(file_id)}) where row_json in ({raw_zone.in_list(some)}) "
            "order by line"
        ).fetchall()
        for row_json, line in same:
            found.setdefault(row_json, []).append(int(line))
    return found


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
