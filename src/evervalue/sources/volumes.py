"""What a load brought, kept so that the next can be held against it: rows, refused rows, empty cells."""

from __future__ import annotations

from collections.abc import Mapping

from evervalue.sources import raw_zone
from evervalue.sources.feed import Context
from evervalue.sources.fields import fields_of
from evervalue.sources.report import SourceReport
from evervalue.sources.systems import Output, System
from evervalue.warehouse.duckdb import Connection, insert, literal, quoted

KEPT = 400
"""Loads of a source that are remembered."""

NEWEST = {
    "order_lines": "ordered_at",
    "balances": "balance_date",
    "income": "period_end",
    "cost_entries": "cost_date",
}
"""The column that tells how new the rows of a source are."""


def note_volumes(context: Context, source: System, told: Mapping[str, SourceReport]) -> None:
    """Remember what this load brought of every output of a system."""
    for output in source.outputs.values():
        _note(context, source, output, told[output.name])


def _note(context: Context, source: System, output: Output, report: SourceReport) -> None:
    con, name = context.con, literal(output.name)
    raw_zone.run(
        con, "delete from raw.volumes where run_id = ? and source = ?", [context.run_id, output.name]
    )
    table = source.tables[output.feed]
    place = getattr(table, "table", "") or table.path
    came = _came(con, output)
    rows_came, refused, newest = 0, 0, None
    if came and raw_zone.column_types(con, output.feed):
        rows = f"(select _file_id as file_id, _line as line from {raw_zone.table(output.feed)} where {came})"
        (refused,) = con.execute(
            f"select count(*) from raw.quarantine where source = {name} and (file_id, line) in {rows}"
        ).fetchone() or (0,)
        (rows_came,) = con.execute(f"select count(*) from {rows}").fetchone() or (0,)
        _fill_rates(con, output, rows, context.run_id)
    if column := NEWEST.get(output.provides):
        (newest,) = con.execute(
            f"select max({column})::timestamp from mapped.{output.provides} where source = {name}"
        ).fetchone() or (None,)
    insert(
        con,
        "raw.volumes",
        [[
            context.run_id, output.name, source.name, source.settings.kind, place,
            context.known_at.isoformat(" "), int(rows_came), int(refused), report.rows_read,
            newest.isoformat(" ") if newest else None, report.behind_seconds, report.failed or None,
        ]],
    )  # fmt: skip
    con.execute(
        f"delete from raw.volumes where source = {name} and run_id not in (select run_id from raw.volumes "
        f"where source = {name} order by read_at desc, run_id desc limit {KEPT})"
    )
    con.execute(
        f"delete from raw.fill_rates where source = {name} and run_id not in (select run_id from raw.volumes)"
    )


def _came(con: Connection, output: Output) -> str:
    """SQL of the raw rows that came since the last load whose volume is known."""
    rows = con.execute(
        "select run_id from raw.loads where known_at > coalesce((select max(l.known_at) from raw.volumes as v "
        f"join raw.loads as l using (run_id) where v.source = {literal(output.name)}), timestamp '0001-01-01') "
        "order by 1"
    ).fetchall()
    return f"_run_id in ({raw_zone.in_list(str(row[0]) for row in rows)})" if rows else ""


def _fill_rates(con: Connection, output: Output, rows: str, run_id: str) -> None:
    held = [name for name in fields_of(output.settings.provides) if name in output.settings.columns]
    stored = {str(row[0]) for row in con.execute(f"describe mapped.{output.provides}").fetchall()}
    fields = [name for name in held if name in stored]
    if not fields:
        return
    counts = ", ".join(f"count({quoted(name)})" for name in fields)
    found = con.execute(
        f"select count(*), {counts} from mapped.{output.provides} where source = {literal(output.name)} "
        f"and (file_id, line) in {rows}"
    ).fetchone()
    if not found or not found[0]:
        return
    raw_zone.run(con, "delete from raw.fill_rates where run_id = ? and source = ?", [run_id, output.name])
    insert(
        con,
        "raw.fill_rates",
        [
            [run_id, output.name, name, int(found[0]), int(n)]
            for name, n in zip(fields, found[1:], strict=True)
        ],
    )
