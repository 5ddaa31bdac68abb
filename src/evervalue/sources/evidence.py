"""What the cells of a column look like: their shapes, counted over the whole source in one grouped scan.

A shape is the cell with every digit turned into 9. A column of millions of numbers has a handful of shapes, so that
what follows from them (which mark is the decimal one, which part of a date is the month) is decided in Python.
"""

from __future__ import annotations

from dataclasses import dataclass

from evervalue.warehouse.duckdb import Connection, quoted

MOST_SHAPES = 5_000
PLAIN_INTEGER, PLAIN_DECIMAL = "9", "9.99"
"""Shapes under which the commonest forms are gathered: digits, and digits with one or two after a point."""


@dataclass(frozen=True)
class Shape:
    """Cells of one shape: how many, and the first of them in the order of code points."""

    shape: str
    cells: int
    example: str


@dataclass(frozen=True)
class Cells:
    """The text cells of one column: an expression over the raw table, and where it applies."""

    column: str
    """Column as found."""
    sql: str
    """The trimmed cell, null where it is missing."""
    table: str
    where: str = "true"


def number_shapes(con: Connection, cells: Cells) -> list[Shape]:
    """Shapes of a column of numbers; plain ones are gathered under two."""
    return _shapes(
        con,
        cells,
        f"case when regexp_full_match(c, '[0-9]+') then '{PLAIN_INTEGER}' "
        f"when regexp_full_match(c, '-?[0-9]+[.][0-9]{{1,2}}') then '{PLAIN_DECIMAL}' "
        "else translate(c, '0123456789', '9999999999') end",
    )


def date_shapes(con: Connection, cells: Cells) -> list[Shape]:
    """Shapes of a column of dates."""
    return _shapes(con, cells, "translate(c, '0123456789', '9999999999')")


def _shapes(con: Connection, cells: Cells, shape: str) -> list[Shape]:
    # The cell is named in a query of its own: beside the table, `group by c` would mean a column of the file called c.
    rows = con.execute(
        f"with cells as (select c, count(*) as n from (select {cells.sql} as c from {cells.table} "
        f"where {cells.where}) group by c) "
        f"select {shape} as shape, sum(n)::bigint as n, min(c) as example from cells where c is not null "
        f"group by shape order by n desc, shape limit {MOST_SHAPES}"
    ).fetchall()
    return [Shape(str(s), int(n), str(e)) for s, n, e in rows]


@dataclass(frozen=True)
class Survey:
    """What the text cells of a column have to be freed of before they are used."""

    spaced: bool
    """Some begin or end with a space."""
    has_missing: bool
    """Some are one of the words that stand for nothing."""
    point_zero: bool
    """Every cell is a whole number with '.0' behind it."""


def survey(con: Connection, table: str, columns: list[str], missing: str) -> dict[str, Survey]:
    """One scan over the text columns of a raw table; `missing` lists the words for nothing as SQL literals."""
    if not columns:
        return {}
    parts = []
    for name in columns:
        c = quoted(name)
        words = f"bool_or(trim({c}) in ({missing}))" if missing else "false"
        parts.append(
            f"bool_or({c} <> trim({c})), {words}, "
            f"bool_and(case when ends_with({c}, '.0') then try_cast(left({c}, -2) as bigint) is not null "
            f"else trim({c}) = '' end) and bool_or(ends_with({c}, '.0'))"
        )
    row = con.execute(f"select {', '.join(parts)} from {table}").fetchone()
    assert row is not None
    return {name: Survey(*(bool(v) for v in row[3 * i : 3 * i + 3])) for i, name in enumerate(columns)}


def shown(cells: list[str], limit: int = 3) -> str:
    """Up to three cells, quoted, for a message."""
    distinct = list(dict.fromkeys(cells))
    return ", ".join(f"'{c[:60]}'" for c in distinct[:limit])
