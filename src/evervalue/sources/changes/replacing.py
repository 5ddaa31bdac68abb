"""All rows of a keyed table as they are in the source, put in the place of what is live, as changes to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evervalue.core.errors import InputError
from evervalue.sources.applied import Applied
from evervalue.sources.changes.apply import apply
from evervalue.warehouse.duckdb import quoted

if TYPE_CHECKING:
    from evervalue.sources.keyed import KeyedTable

REPLACING = "_replacing"


def replace(table: KeyedTable, rows: str, *, lsn: int, run_id: str) -> Applied:
    """Counts of what `rows` did to the table; see `KeyedTable.replace`."""
    _refuse_repeated_keys(table, rows)
    if not _all_before(table, lsn):
        table.rebase()
    con = table.con
    held = {str(row[0]) for row in con.execute(f"describe {rows}").fetchall()}
    columns = [name for name in table.types if name in held]
    absent = [name for name in table.types if name not in held]
    names = ", ".join(quoted(c) for c in columns)
    con.execute(
        f"create or replace temp table {REPLACING} as "
        f"select null::varchar as _op, {lsn}::ubigint as _lsn, 0::bigint as _ordinal, []::varchar[] as _unchanged, "
        + ", ".join(f"null::{table.types[k]} as {quoted(f'_old {k}')}" for k in table.key)
        + f", {names} from {rows} limit 0"
    )
    match = " and ".join(f"l.{quoted(k)} = r.{quoted(k)}" for k in table.key)
    same = " and ".join(
        [f"l.{quoted(c)} is not distinct from r.{quoted(c)}" for c in columns]
        + [f"l.{quoted(c)} is null" for c in absent]
    )
    first = quoted(table.key[0])
    if con.execute(f"select 1 from {table.live} limit 1").fetchone() is None:
        taken = f"select 'i' as _op, {names} from {rows}"
    else:
        taken = (
            f"select case when l.{first} is null then 'i' else 'u' end as _op, "
            + ", ".join(f"r.{quoted(c)}" for c in columns)
            + f" from {rows} as r left join {table.live} as l on {match} "
            f"where l.{first} is null or not ({same})"
        )
    at = f"{lsn}::ubigint as _lsn, 0::bigint as _ordinal"
    con.execute(f"insert into {REPLACING} by name select {at}, []::varchar[] as _unchanged, * from ({taken})")
    keys = ", ".join(f"l.{quoted(k)}" for k in table.key)
    con.execute(
        f"insert into {REPLACING} by name select 'd' as _op, {at}, {keys} from {table.live} as l "
        f"anti join {rows} as r on {match}"
    )
    try:
        return apply(table, REPLACING, run_id=run_id, converging=False)
    finally:
        con.execute(f"drop table if exists {REPLACING}")


def _all_before(table: KeyedTable, lsn: int) -> bool:
    """Whether every version was put before a position by changes or copies.

    It was not where the table was copied at the position already, was read without its changes meanwhile, or was not
    followed while its stream was begun anew.
    """
    (others,) = table.con.execute(
        f"select count(*) from (select _lsn from {table.live} union all select _lsn from {table.past}) "
        f"where coalesce(_lsn >= {lsn}, true)"
    ).fetchone() or (0,)
    return not others


def _refuse_repeated_keys(table: KeyedTable, rows: str) -> None:
    keys = ", ".join(quoted(k) for k in table.key)
    twice = table.con.execute(
        f"select {keys} from {rows} group by {keys} having count(*) > 1 order by all limit 1"
    ).fetchone()
    if twice:
        shown = ", ".join(f"{k}={v}" for k, v in zip(table.key, twice, strict=True))
        raise InputError(
            f"Several rows of {table.feed} have one key ({shown}), so changes to them cannot be told apart. "
            "Name columns that are unique together in the setting `key`."
        )
