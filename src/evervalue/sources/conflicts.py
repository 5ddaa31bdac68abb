"""Rows that each could be read but contradict one another: found over all sources, and quarantined like the others."""

from __future__ import annotations

from evervalue.sources import raw_zone
from evervalue.sources.raw_zone import OWN_COLUMNS
from evervalue.warehouse.duckdb import Connection, literal, quoted


def keep(con: Connection, refused: str, *, warehouse: str, run_id: str) -> None:
    """Remember what a run refused, in place of what the run before refused.

    Parameters
    ----------
    refused
        Table with source, file_id, line, verdict, reason and says of the refused lines.
    warehouse
        The attached database that holds the raw zone.
    """
    con.execute(f"delete from {warehouse}.raw.conflicts")
    found = con.execute(
        f"select distinct source from {refused} where verdict = 'quarantined' order by source"
    ).fetchall()
    for (source,) in found:
        feed = raw_zone.feed_of(con, source, warehouse)
        con.execute(
            f"""
            insert into {warehouse}.raw.conflicts
            select r.source, r.file_id, f.path, r.line, r.reason, r.says,
                json_object({_cells(con, warehouse, feed)}), {literal(run_id)}
            from {refused} as r
            join {warehouse}.raw.files as f
                on f.source = {literal(feed)} and f.file_id = r.file_id and f.status = 'loaded'
            join {warehouse}.raw.{quoted(feed)} as c on c._file_id = r.file_id and c._line = r.line
            where r.verdict = 'quarantined' and r.source = {literal(source)}
            """
        )


def _cells(con: Connection, warehouse: str, feed: str) -> str:
    columns = con.execute(
        "select column_name from duckdb_columns() where schema_name = 'raw' "
        f"and database_name = {literal(warehouse)} and table_name = {literal(feed)} order by column_index"
    ).fetchall()
    return ", ".join(f"{literal(name)}, c.{quoted(name)}" for (name,) in columns if name not in OWN_COLUMNS)
