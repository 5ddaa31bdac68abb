"""Which column of one table is a key of another: measured on the cells, so that rows can be looked up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evervalue.sources.names import folded
from evervalue.warehouse.duckdb import Connection, quoted

ENOUGH = 0.9
"""Share of a column's values that must be keys of the other table."""


@dataclass(frozen=True)
class Looked:
    """A table that was looked at."""

    name: str
    path: str
    """Where it lies, as the project will see it."""
    table: str
    """SQL of its rows."""
    columns: tuple[str, ...]
    rows: int
    whole: bool
    """Whether all rows were looked at."""


@dataclass(frozen=True)
class Link:
    """A column whose values are keys of another table."""

    table: str
    column: str
    to: str
    key: str
    share: float
    """Share of the column's values that are among the keys."""
    values: int

    def sentence(self) -> str:
        """The evidence in a few words."""
        found = "all" if self.share == 1 else f"{self.share:.0%} of"
        return f"{found} {self.values:,} values of {self.table}.{self.column} are keys of {self.to}, which are unique"


def keys(con: Connection, table: Looked) -> list[str]:
    """Columns that name a row: filled in each, and different in each."""
    if not table.rows or not table.columns:
        return []
    counted = ", ".join(f"count(distinct {_cell(column)})" for column in table.columns)
    found = con.execute(f"select {counted} from {table.table}").fetchone() or ()
    return [column for column, distinct in zip(table.columns, found, strict=True) if distinct == table.rows]


def links(con: Connection, tables: Sequence[Looked]) -> list[Link]:
    """What can be looked up where, the surest for each column.

    Names must be related, since numbers from 1 on are among the keys of every larger table: the same name, or a name
    made of the other table's and its key's (customer_id, and id of customers).
    """
    by_key = [(table, key) for table in tables for key in keys(con, table)]
    found: list[Link] = []
    for table in tables:
        for column in table.columns:
            measured = [
                link
                for other, key in by_key
                if other is not table and _related(column, other.name, key)
                if (link := _measure(con, table, column, other, key)) and link.share >= ENOUGH
            ]
            if measured:
                found.append(max(measured, key=lambda x: (x.share, folded(x.column) == folded(x.key), x.to)))
    # Of two tables that have one another's keys, the larger one looks up.
    rows = {table.name: table.rows for table in tables}
    return [
        link
        for link in found
        if not any(
            (other.table, other.to) == (link.to, link.table)
            and (rows[other.table], other.table) > (rows[link.table], link.table)
            for other in found
        )
    ]


def reached(base: str, found: Sequence[Link]) -> list[Link]:
    """The links that lead from a table to others, each table once, in the order in which they can be followed."""
    chosen: list[Link] = []
    there = [base]
    for name in there:
        for link in found:
            if link.table == name and link.to not in there:
                there.append(link.to)
                chosen.append(link)
    return chosen


def _related(column: str, table: str, key: str) -> bool:
    name, other, stem = folded(column), folded(key), folded(table)
    single = {stem, stem.removesuffix("s"), stem.removesuffix("es"), stem.removesuffix("ies") + "y"}
    same = name == other and len(name) > 2
    return (
        same or any(s and name in (s, s + other) for s in single) or (len(other) > 2 and name.endswith(other))
    )


def _measure(con: Connection, table: Looked, column: str, other: Looked, key: str) -> Link | None:
    mine, theirs = _cell(column), _cell(key)
    row = con.execute(
        f"with mine as (select distinct {mine} as k from {table.table} where {mine} is not null) "
        f"select count(*), count(t.k) from mine left join (select {theirs} as k from {other.table}) as t using (k)"
    ).fetchone()
    if not row or not row[0]:
        return None
    return Link(table.name, column, other.name, key, int(row[1]) / int(row[0]), int(row[0]))


def _cell(column: str) -> str:
    return f"nullif(trim({quoted(column)}::varchar), '')"


def base_of(tables: Mapping[str, Looked], found: Sequence[Link]) -> str:
    """The table from which the most others are looked up; of equal ones the longest."""
    return max(tables, key=lambda name: (len(reached(name, found)), tables[name].rows, name))
