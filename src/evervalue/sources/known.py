"""What was known at an instant: the raw zone as it stood then, from the rows that are live and those that were once."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from evervalue.core.errors import InputError
from evervalue.sources import raw_zone
from evervalue.sources.keyed import NEVER_ROWS
from evervalue.sources.raw_zone import PAST
from evervalue.warehouse.duckdb import Connection, literal, quoted


def as_known(con: Connection, feeds: Iterable[str], known_at: dt.datetime, *, kept: str) -> dict[str, int]:
    """Fills the raw zone of the current database with what the attached warehouse `kept` knew; returns rows a feed.

    A row was known from the load that read it until the load that changed it or took it away.

    Raises
    ------
    InputError
        Nothing had been read by then.
    """
    raw_zone.ensure(con)
    at = f"timestamp {literal(known_at.isoformat(' '))}"
    found: dict[str, int] = {}
    for feed in feeds:
        found[feed] = _rows(con, feed, at, kept)
        _files(con, feed, kept)
    if not any(found.values()):
        first = con.execute(f"select min(known_at) from {kept}.raw.loads").fetchone()
        raise InputError(
            f"Nothing had been read at {known_at:%Y-%m-%d %H:%M:%S} UTC; the first load was at "
            f"{first[0] if first else 'no time'}. Ask for a later instant."
        )
    return found


def _rows(con: Connection, feed: str, at: str, kept: str) -> int:
    target = raw_zone.table(feed)
    live, past = f"{kept}.{target}", f"{kept}.{raw_zone.past(feed)}"
    held = _columns(con, kept, feed)
    if not held:
        return 0
    began = f"(select run_id from {kept}.raw.loads where known_at > {at})"
    con.execute(f"create or replace table {target} as select * from {live} where _run_id not in {began}")
    if gone := _columns(con, kept, feed + PAST):
        marks = f"and coalesce(_op, '') not in ({raw_zone.in_list(NEVER_ROWS)})" if "_op" in gone else ""
        con.execute(
            f"insert into {target} by name select * exclude (_until_run_id) from {past} "
            f"where _run_id not in {began} and _until_run_id in {began} {marks}"
        )
    (rows,) = con.execute(f"select count(*) from {target}").fetchone() or (0,)
    return int(rows)


def _files(con: Connection, feed: str, kept: str) -> None:
    """The parts that the rows belong to, each with as many rows as are here: what was refused then is not known."""
    if not raw_zone.column_types(con, feed):
        return
    table, name = raw_zone.table(feed), literal(feed)
    columns = ", ".join(quoted(c) for c in _columns(con, kept, "files") if c not in ("rows_read", "status"))
    con.execute(
        f"insert into raw.files by name "
        f"with here as (select _file_id as file_id, count(*) as rows_read from {table} group by _file_id) "
        f"select {columns}, h.rows_read, 'loaded' as status from {kept}.raw.files as f join here as h using (file_id) "
        f"where f.source = {name} qualify row_number() over (partition by file_id order by f.run_id desc, path) = 1"
    )
    con.execute(
        f"insert into raw.columns by name select * from {kept}.raw.columns "
        f"where source = {name} and file_id in (select _file_id from {table})"
    )


def _columns(con: Connection, database: str, name: str) -> list[str]:
    rows = con.execute(
        f"select column_name from duckdb_columns() where database_name = {literal(database)} "
        f"and schema_name = 'raw' and table_name = {literal(name)} order by column_index"
    ).fetchall()
    return [str(row[0]) for row in rows]
