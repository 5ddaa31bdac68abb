"""Whose rows changed since the last published run: told while rows are mapped, forgotten when a run took them in."""

from __future__ import annotations

from evervalue.sources import raw_zone
from evervalue.sources.plan import among
from evervalue.warehouse.duckdb import Connection, literal

LINES = ("order_lines", "income")
"""Mapped tables whose rows become order lines."""


def note_all(con: Connection, source: str) -> None:
    """Any row of an output may have changed."""
    raw_zone.run(con, "delete from raw.touched where source = ?", [source])
    con.execute(f"insert into raw.touched values ({literal(source)}, null)")


def note(con: Connection, source: str, provides: str, rows: str) -> None:
    """The mapped rows that the table `rows` (file_id, line) names are about to go, or have come."""
    if provides not in LINES:
        return
    con.execute(
        f"insert into raw.touched select distinct {literal(source)}, customer_id from mapped.{provides} as m "
        f"where source = {literal(source)} and {among(rows, 'file_id', 'line')} and not exists (select 1 from "
        f"raw.touched as t where t.source = {literal(source)} and (t.customer_key is null or "
        "t.customer_key = m.customer_id))"
    )
