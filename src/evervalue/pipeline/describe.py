"""Writes into a snapshot what its tables are, so that a page can say where a number comes from."""

from __future__ import annotations

from collections.abc import Iterable

from evervalue.warehouse.duckdb import Connection, insert
from evervalue.warehouse.runner import Built
from evervalue.warehouse.sql_model import SqlModel


def write_descriptions(con: Connection, models: Iterable[SqlModel], built: Iterable[Built]) -> None:
    """Fills `run.tables` and `run.columns` from the heads and from what the runner did."""
    by_name = {m.name: m for m in models}
    tables: list[tuple[object, ...]] = []
    columns: list[tuple[object, ...]] = []
    for place, done in enumerate(built, 1):
        head = by_name[done.name].head
        tables.append(
            (head.table, head.says, ", ".join(head.grain), done.sql, done.rows, done.seconds, place)
        )
        columns += [
            (head.table, name, n, column.type, column.unit, column.says, column.sensitivity)
            for n, (name, column) in enumerate(head.columns.items(), 1)
        ]
    insert(con, "run.tables", tables)
    insert(con, "run.columns", columns)
