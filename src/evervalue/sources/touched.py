"""What changed in mapped tables since the last published run.

It is told while rows are mapped, and forgotten when a run took them in. Of order lines and statements the customers
are told, of other tables that they changed.
"""

from __future__ import annotations

from collections.abc import Iterable

from evervalue.sources.plan import among
from evervalue.warehouse.duckdb import Connection, literal

LINES = ("order_lines", "income")
"""Mapped tables whose rows become order lines."""


def note_all(con: Connection, source: str, tables: Iterable[str]) -> None:
    """Any row that a source has in these mapped tables may have changed; tables without one did not."""
    for table in tables:
        con.execute(
            f"insert into raw.touched select {literal(table)}, {literal(source)}, null "
            f"where exists (select 1 from mapped.{table} where source = {literal(source)}) and not exists (select 1 "
            f"from raw.touched where table_name = {literal(table)} and source = {literal(source)} "
            "and customer_key is null)"
        )


def note(con: Connection, source: str, table: str, rows: str) -> None:
    """The mapped rows that the table `rows` (file_id, line) names are about to go, or have come."""
    key = "m.customer_id" if table in LINES else "null::text"
    con.execute(
        f"insert into raw.touched select distinct {literal(table)}, {literal(source)}, {key} from mapped.{table} as m "
        f"where source = {literal(source)} and {among(rows, 'file_id', 'line')} and not exists (select 1 from "
        f"raw.touched as t where t.table_name = {literal(table)} and t.source = {literal(source)} "
        f"and (t.customer_key is null or t.customer_key = {key}))"
    )
