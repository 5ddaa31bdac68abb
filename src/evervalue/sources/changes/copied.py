"""A copy of a whole table put in the place of what is live."""

from __future__ import annotations

from pathlib import Path

from evervalue.core.errors import InputError
from evervalue.sources import raw_zone
from evervalue.sources.applied import Applied
from evervalue.sources.changes.stage import misfit_types
from evervalue.sources.databases.placing import read_copy
from evervalue.sources.databases.reader import Copied
from evervalue.sources.databases.tables import Table
from evervalue.sources.keyed import KeyedTable, part_id
from evervalue.warehouse.duckdb import Connection, literal, quoted


def replace_by(
    con: Connection, feed: str, table: Table, path: Path, copied: Copied, *, lsn: int, run_id: str
) -> tuple[Applied, KeyedTable]:
    """What became of the rows that were live, and the table; the rows of the copy stand at `lsn`.

    Raises
    ------
    InputError
        The engine did not find every row that was copied, or several rows have one key.
    """
    names = [column.name for column in table.columns]
    con.execute(
        f"create or replace temp table _copied as select {', '.join(map(quoted, names))} "
        f"from {read_copy(path, [(name, 'VARCHAR') for name in names], copied)}"
        if copied.rows
        else "create or replace temp table _copied as select "
        + ", ".join(f"null::varchar as {quoted(name)}" for name in names)
        + " limit 0"
    )
    found = con.execute("select count(*) from _copied").fetchone() or (0,)
    if found[0] != copied.rows:
        raise InputError(
            f"{feed}: {copied.rows:,} rows were copied and {found[0]:,} came back. Nothing was changed; run again."
        )
    chosen = misfit_types(con, "_copied", {n: n for n in names}, {c.name: c.type for c in table.columns})
    parts = _leave_parts(con, feed, run_id)
    held = KeyedTable(con, feed, table.key, chosen.items())
    cells = ", ".join(f"try_cast({quoted(n)} as {held.types[n]}) as {quoted(n)}" for n in names)
    con.execute(f"create or replace temp table _rows as select {cells} from _copied")
    con.execute("drop table _copied")
    made = held.replace("_rows", lsn=lsn, run_id=run_id)
    con.execute("drop table _rows")
    made.note_brought(con)
    for part in parts:
        con.execute(f"insert into {made.touched} values ({literal(part)}, null)")
    return made, held


def is_followed(con: Connection, feed: str) -> bool:
    """Whether the live rows were brought by changes: nothing read the table otherwise, or left it out, since."""
    return any(
        file.file_id == part_id(feed) and file.status == "loaded" for file in raw_zone.files_of(con, feed)
    )


def refuse_twice(one: str, other: str, table: str, where: str) -> None:
    """Nothing, where two feeds are one: the changes of a table are brought to one feed.

    Raises
    ------
    InputError
        The settings name a table twice.
    """
    if one != other:
        raise InputError(
            f"{where}: {one} and {other} are one table, {table}. Where changes are followed, name it once; several "
            "outputs may be made of it."
        )


def _leave_parts(con: Connection, feed: str, run_id: str) -> list[str]:
    """The parts that the table was read by before its changes were followed; their rows go to the past."""
    parts = [file.file_id for file in raw_zone.files_of(con, feed) if file.file_id != part_id(feed)]
    for part in parts:
        raw_zone.forget(con, feed, part, run_id)
        raw_zone.run(con, "delete from raw.files where source = ? and file_id = ?", [feed, part])
    if parts:
        raw_zone.run(con, "delete from raw.ranges where source = ?", [feed])
    return parts
