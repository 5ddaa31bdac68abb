"""A copied range into the raw table: only rows that differ from what is there go and come."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from evervalue.core.errors import InputError
from evervalue.core.text import count, listing
from evervalue.sources import raw_zone
from evervalue.sources.databases.reader import Copied
from evervalue.sources.databases.tables import TEXT, Table
from evervalue.sources.wider import to_change, wider_type
from evervalue.warehouse.duckdb import Connection, literal, quoted

INCOMING, LEAVING, COMING = "_incoming", "_leaving", "_coming"
SHORTEST_LINE = 2 << 20


@dataclass(frozen=True)
class Placed:
    """What placing a range did."""

    rows_come: int
    rows_gone: int
    next_line: int


@contextmanager
def one_thread(con: Connection) -> Iterator[None]:
    """Lets the engine work with one thread: small packed files are read by one, and the others spin meanwhile."""
    before = con.execute("select current_setting('threads')").fetchone()
    con.execute("set threads = 1")
    try:
        yield
    finally:
        con.execute(f"set threads = {int(before[0]) if before else 1}")


def widen(con: Connection, feed: str, columns: Iterable[tuple[str, str]], shown: str) -> dict[str, str]:
    """The types of the raw table, in small letters, once it and its past can hold `columns` (name, type).

    A wider number makes a wider number. Types that have nothing in common become text.
    """
    columns = list(columns)
    raw_zone.prepare(con, feed, columns, shown, wider_type)
    if held := raw_zone.column_types(con, feed + raw_zone.PAST):
        raw_zone.reshape(con, feed + raw_zone.PAST, to_change(held, columns))
    return {name.lower(): type for name, type in raw_zone.column_types(con, feed).items()}


def unfit(con: Connection, path: Path, table: Table, copied: Copied) -> list[str]:
    """Columns of a copied range with a cell that their type cannot hold."""
    typed = [column for column in table.columns if column.type != TEXT]
    if not typed:
        return []
    tests = ", ".join(
        f"count(*) filter (where {quoted(c.name)} is not null and try_cast({quoted(c.name)} as {c.type}) is null)"
        for c in typed
    )
    spec = read_copy(path, [(column.name, TEXT) for column in table.columns], copied)
    row = con.execute(f"select {tests} from {spec}").fetchone()
    return [column.name for column, bad in zip(typed, row or (), strict=True) if bad]


def fill(
    con: Connection,
    feed: str,
    types: Mapping[str, str],
    file_id: str,
    path: Path,
    table: Table,
    copied: Copied,
    run_id: str,
) -> int:
    """Put a range into the raw table, which holds nothing of it yet; returns how many rows fitted."""
    if copied.rows == 0:
        return 0
    columns = [(column.name, types[column.name.lower()]) for column in table.columns]
    names = ", ".join(quoted(name) for name, _ in columns)
    done = con.execute(
        f"insert into {raw_zone.table(feed)} (_file_id, _line, _run_id, {names}) "
        f"select {literal(file_id)}, row_number() over (), {literal(run_id)}, {names} "
        f"from {read_copy(path, columns, copied)}"
    ).fetchone()
    inserted = int(done[0]) if done else 0
    if inserted != copied.rows:
        con.execute(f"delete from {raw_zone.table(feed)} where _file_id = {literal(file_id)}")
    return inserted


def exchange(
    con: Connection,
    feed: str,
    types: Mapping[str, str],
    file_id: str,
    path: Path,
    table: Table,
    copied: Copied,
    run_id: str,
    *,
    next_line: int,
    touched: str,
    whole: bool = True,
) -> Placed | None:
    """Bring the rows of a range in step with a copy of it; None where a row of the copy did not fit.

    Where the copy is not `whole`, rows that it does not hold stay.

    A row keeps its number as long as its key is there; without a key, as long as a row just like it is there.
    `touched` is the temporary table that the numbers of rows which came or went are added to.
    """
    columns = [(column.name, types[column.name.lower()]) for column in table.columns]
    names = ", ".join(quoted(name) for name, _ in columns)
    if copied.rows:
        source = f"select row_number() over () as _n, {names} from {read_copy(path, columns, copied)}"
    else:
        empty = ", ".join(f"null::{type} as {quoted(name)}" for name, type in columns)
        source = f"select 0::bigint as _n, {empty} limit 0"
    con.execute(f"create or replace temp table {INCOMING} as {source}")
    held = con.execute(f"select count(*) from {INCOMING}").fetchone()
    if held is None or held[0] != copied.rows:
        return None
    if table.key and not table.key_is_sure:
        _refuse_repeated_keys(con, table)
    here = {name.lower() for name, _ in columns}
    absent = [quoted(name) for name in types if name not in here]
    same = " and ".join(
        [f"l.{quoted(name)} is not distinct from i.{quoted(name)}" for name, _ in columns]
        + [f"l.{name} is null" for name in absent]
    )
    live = f"(select * from {raw_zone.table(feed)} where _file_id = {literal(file_id)})"
    if table.key:
        match, left, right = " and ".join(f"l.{quoted(k)} = i.{quoted(k)}" for k in table.key), live, INCOMING
    else:
        twins = f"row_number() over (partition by {names} order by {{}}) as _twin"
        left = f"(select *, {twins.format('_line')} from {live})"
        right = f"(select *, {twins.format('_n')} from {INCOMING})"
        match = f"l._twin = i._twin and {same}"
    gone = "i._n is null or " if whole else "i._n is not null and "
    before = _count(con, feed, file_id)
    mended = _mended(con, feed, file_id, columns, match, left, right, whole=whole)
    con.execute(
        f"create or replace temp table {LEAVING} as select l._line as line from {left} as l "
        f"left join {right} as i on {match} where ({gone}not ({same})){_but(mended, 'l._line')}"
    )
    con.execute(
        f"create or replace temp table {COMING} as select i._n as n, l._line as line from {right} as i "
        f"left join {left} as l on {match} where (l._line is null or not ({same})){_but(mended, 'l._line')}"
    )
    rows_gone = raw_zone.retire(
        con, feed, f"_file_id = {literal(file_id)} and _line in (select line from {LEAVING})", run_id
    )
    con.execute(
        f"create or replace temp table {COMING} as select n, coalesce(line, {next_line} - 1 + "
        f"row_number() over (partition by line is null order by n)) as line, line is null as fresh from {COMING}"
    )
    row = con.execute(f"select count(*), count(*) filter (fresh) from {COMING}").fetchone()
    rows_come, fresh = row or (0, 0)
    con.execute(
        f"insert into {raw_zone.table(feed)} (_file_id, _line, _run_id, {names}) "
        f"select {literal(file_id)}, c.line, {literal(run_id)}, {', '.join(f'i.{quoted(n)}' for n, _ in columns)} "
        f"from {INCOMING} as i join {COMING} as c on c.n = i._n order by c.line"
    )
    con.execute(
        f"insert into {touched} select {literal(file_id)}, line from "
        f"(select line from {LEAVING} union select line from {COMING})"
    )
    stands = _count(con, feed, file_id)
    expected = copied.rows if whole else before + int(fresh)
    if stands != expected:
        raise InputError(
            f"{feed}: {count(expected, 'row')} of {table.name} were to be in the raw zone, and {stands:,} are after "
            f"placing {copied.rows:,}. Nothing was changed; run again with --full-refresh."
        )
    for name in (INCOMING, LEAVING, COMING):
        con.execute(f"drop table {name}")
    return Placed(int(rows_come), rows_gone, next_line + int(fresh))


def read_copy(path: Path, columns: Sequence[tuple[str, str]], copied: Copied) -> str:
    """SQL that reads a copy. Rows that do not fit are left out, as their number tells: an error would end the load."""
    read = list(columns) if len(columns) > 1 else [*columns, (f"not {columns[0][0]}", TEXT)]
    spec = ", ".join(f"{literal(name)}: {literal(type)}" for name, type in read)
    longest = max(2 * copied.longest + 64, SHORTEST_LINE)
    return (
        f"read_csv({literal(str(path))}, auto_detect = false, header = true, delim = ',', quote = '\"', escape = '\"', "
        f"columns = {{{spec}}}, nullstr = '', allow_quoted_nulls = false, compression = 'zstd', ignore_errors = true, "
        f"max_line_size = {longest})"
    )


def _count(con: Connection, feed: str, file_id: str) -> int:
    row = con.execute(
        f"select count(*) from {raw_zone.table(feed)} where _file_id = {literal(file_id)}"
    ).fetchone()
    return int(row[0]) if row else 0


def _refuse_repeated_keys(con: Connection, table: Table) -> None:
    keys = ", ".join(quoted(name) for name in table.key)
    empty = " or ".join(f"{quoted(name)} is null" for name in table.key)
    found = con.execute(
        f"select count(*), count(distinct row({keys})), count(*) filter (where {empty}) from {INCOMING}"
    ).fetchone()
    rows, distinct, without = found or (0, 0, 0)
    if without:
        raise InputError(
            f"{count(without, 'row')} of {table.name} have nothing in a column of the key {listing(table.key)}, so "
            "nothing names them. Name other columns in the setting `key`, or take it out: the table is then read whole."
        )
    if rows != distinct:
        example = con.execute(
            f"select {keys} from {INCOMING} group by {keys} having count(*) > 1 order by {keys} limit 1"
        ).fetchone()
        raise InputError(
            f"{table.name} is not unique by its key {listing(table.key)}: {count(rows - distinct, 'row')} too many, "
            f"for example of {listing(example or ())}. Name all columns of the key in the setting `key`."
        )


def _mended(
    con: Connection,
    feed: str,
    file_id: str,
    columns: Sequence[tuple[str, str]],
    match: str,
    left: str,
    right: str,
    *,
    whole: bool,
) -> list[int]:
    """Lines mended by hand whose row came just as it did then; the mending of rows that came otherwise is forgotten."""
    key = f"source = {literal(feed)} and file_id = {literal(file_id)}"
    lines = [int(row[0]) for row in con.execute(f"select line from raw.mended where {key}").fetchall()]
    if not lines:
        return []
    row = ", ".join(f"{literal(name)}, i.{quoted(name)}" for name, _ in columns)
    came = con.execute(
        f"select m.line, json_object({row})::varchar = m.original_json from "
        f"(select line, original_json from raw.mended where {key}) as m "
        f"join {left} as l on l._line = m.line join {right} as i on {match}"
    ).fetchall()
    stays = [int(line) for line, same in came if same]
    forgotten = set(lines if whole else [int(line) for line, _ in came]) - set(stays)
    if forgotten:
        con.execute(
            f"delete from raw.mended where {key} and line in ({', '.join(map(str, sorted(forgotten)))})"
        )
    return stays


def _but(lines: Sequence[int], column: str) -> str:
    return f" and coalesce({column}, 0) not in ({', '.join(map(str, lines))})" if lines else ""
