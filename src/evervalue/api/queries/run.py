"""Where the numbers come from: the run, its sources, its tables and their SQL."""

from __future__ import annotations

from typing import Literal

from evervalue.api.snapshots import Statement

Part = Literal["run", "sources", "tables", "columns"]


def run() -> Statement:
    """The run's settings."""
    return Statement("select *\nfrom run.settings", {})


def sources() -> Statement:
    """What came in and where it went, one row a source."""
    return Statement("select *\nfrom curated.reconciliation\norder by source", {})


def tables() -> Statement:
    """Every table of the run, in the order in which they were built."""
    sql = "select table_name, says, grain, rows, seconds, position, sql\nfrom run.tables\norder by position, table_name"
    return Statement(sql, {})


def table(name: str) -> Statement:
    """One table: what it says, its grain and its SQL."""
    sql = "select table_name, says, grain, rows, seconds, sql\nfrom run.tables\nwhere table_name = $name"
    return Statement(sql, {"name": name})


def columns(name: str | None = None) -> Statement:
    """The columns of one table, or of all."""
    sql = "select table_name, column_name, type, unit, says, sensitivity\nfrom run.columns"
    if name is None:
        return Statement(sql + "\norder by table_name, position", {})
    return Statement(f"{sql}\nwhere table_name = $name\norder by position", {"name": name})


PARTS = {"run": run, "sources": sources, "tables": tables, "columns": columns}
