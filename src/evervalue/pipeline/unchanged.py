"""Tells which tables are what they were in the run before, so that what reads only such need not be built again.

A run knows what it is told: mapped tables by `raw.touched`, settings by their rows, the list of files by the manifest
of the run before. From there it follows: a table of which all that it reads is as it was is as it was itself. One that
was built anew may still have come out the same, and what reads it alone is then spared; that is found out by the number
of rows and the sum of their checksums.
"""

from __future__ import annotations

from evervalue.warehouse.duckdb import Connection, EngineError
from evervalue.warehouse.sql_model import SqlModel

OWN = ("raw", "run")
"""Schemas of tables that tell of the run itself and are never taken over."""
OUTSIDE = ("identity.decisions",)
"""Tables that are filled with more than their head says that they read."""
COMPARED = ("identity", "curated")
"""Schemas of tables that may well come out the same although something that they read changed."""
SETTINGS = {
    "run.settings": "* exclude (run_id)",
    "run.source_settings": "*",
    "run.action_rules": "*",
}


class Unchanged:
    """The tables that are what they were.

    Parameters
    ----------
    con
        Its current database is the new snapshot, with the tables of settings in it; the raw zone is in reach.
    before
        Name of the attached snapshot of the run before.
    same_files
        Whether `raw.files` lists what it listed then.
    """

    def __init__(self, con: Connection, before: str, *, same_files: bool) -> None:
        self.before = before
        touched = {str(t) for (t,) in con.execute("select distinct table_name from raw.touched").fetchall()}
        mapped = con.execute(
            "select distinct table_name from duckdb_tables() where schema_name = 'mapped'"
        ).fetchall()
        self.tables = {f"mapped.{table}" for (table,) in mapped if table not in touched}
        self.tables |= {
            table for table, columns in SETTINGS.items() if not differ(con, before, table, columns)
        }
        if same_files:
            self.tables.add("raw.files")
        if _same_events(con, before):
            self.tables.add("mapped.events")

    def __contains__(self, table: str) -> bool:
        return table in self.tables

    def follows(self, model: SqlModel) -> bool:
        """Whether a table must be what it was, since all that it reads is; if so, that is remembered."""
        if model.name in self.tables:
            return True
        if model.head.schema_name in OWN or model.name in OUTSIDE or not model.reads:
            return False
        if not model.reads <= self.tables:
            return False
        self.tables.add(model.name)
        return True

    def compare(self, con: Connection, model: SqlModel) -> None:
        """Remember a table that was built anew and came out the same."""
        if model.head.schema_name in COMPARED and _sum(con, model.name) == _sum(
            con, f"{self.before}.{model.name}"
        ):
            self.tables.add(model.name)


def differ(con: Connection, before: str, table: str, columns: str = "*") -> bool:
    """Whether a table has other rows than in the run before."""
    now, then = f"select {columns} from {table}", f"select {columns} from {before}.{table}"
    return (
        con.execute(
            f"select 1 from (({now} except all {then}) union all ({then} except all {now})) limit 1"
        ).fetchone()
        is not None
    )


def _same_events(con: Connection, before: str) -> bool:
    """Whether no event came since the run before; events only ever come, so their number says it."""
    try:
        counts = [
            con.execute(f"select count(*) from {t}").fetchone()
            for t in ("mapped.events", f"{before}.curated.events")
        ]
    except EngineError:  # one of them is not there
        return False
    return counts[0] == counts[1]


def _sum(con: Connection, table: str) -> object:
    try:
        return con.execute(f"select count(*), sum(hash(t)::decimal(38,0)) from {table} as t").fetchone()
    except EngineError:  # the run before had no such table
        return None
