"""Holds a table that has landed against its head: columns, types, grain, nulls, ranges and relations."""

from __future__ import annotations

from evervalue.core.errors import CheckFailed
from evervalue.core.text import count
from evervalue.warehouse.duckdb import Connection, quoted
from evervalue.warehouse.head import Head

SHOWN = 5


def check(con: Connection, head: Head, *, only: str | None = None) -> int:
    """The number of rows of the table, which keeps every promise of its head.

    Parameters
    ----------
    only
        Predicate of the rows that are looked at; default: all.

    Raises
    ------
    CheckFailed
        With every promise broken, how many rows break it, and the first of them.
    """
    faults = _shape_faults(con, head)
    if not faults:
        within = f"(select * from {head.table} where {only})" if only else head.table
        rows, faults = _row_faults(con, head, within)
        faults += _grain_faults(con, head, within)
        faults += _relation_faults(con, head, within)
    if faults:
        raise CheckFailed(f"{head.table} does not keep what its head says. " + " ".join(faults))
    if only:
        (rows,) = con.execute(f"select count(*) from {head.table}").fetchone() or (0,)
    return int(rows)


def _shape_faults(con: Connection, head: Head) -> list[str]:
    found = {row[0]: str(row[1]).lower() for row in con.execute(f"describe {head.table}").fetchall()}
    faults = []
    if list(found) != list(head.columns):
        missing = [c for c in head.columns if c not in found]
        extra = [c for c in found if c not in head.columns]
        faults.append(
            f"Columns missing: {missing or 'none'}, not declared: {extra or 'none'}"
            + ("; their order differs." if not missing and not extra else ".")
        )
    for name, column in head.columns.items():
        if name in found and _type(found[name]) != _type(column.type):
            faults.append(f"Column {name} is {found[name]}, declared {column.type}.")
    return faults


def _row_faults(con: Connection, head: Head, within: str) -> tuple[int, list[str]]:
    promises: list[tuple[str, str]] = []
    for name, column in head.columns.items():
        ident = quoted(name)
        if not column.nullable:
            promises.append((f"{name} is null", f"{ident} is null"))
        if column.check:
            promises.append((f"{name} is not {column.check}", f"not ({ident} {column.check})"))
    promises += [(f"not so: {says}", f"not ({rule})") for says, rule in head.checks.items()]
    counted = ", ".join(["count(*)", *(f"count(*) filter (where {broken})" for _, broken in promises)])
    rows, *broken = con.execute(f"select {counted} from {within}").fetchone() or (0,)
    faults = [
        f"{count(n, 'row')} where {says}: {_examples(con, head, f'select * from {within} where {rule}')}."
        for (says, rule), n in zip(promises, broken, strict=True)
        if n
    ]
    return int(rows), faults


def _grain_faults(con: Connection, head: Head, within: str) -> list[str]:
    if not head.grain:
        (rows,) = con.execute(f"select count(*) from {head.table}").fetchone() or (0,)
        return [] if rows == 1 else [f"The table must have one row and has {rows:,}."]
    keys = ", ".join(quoted(k) for k in head.grain)
    twice = f"select {keys} from {within} group by {keys} having count(*) > 1"
    (n,) = con.execute(f"select count(*) from ({twice})").fetchone() or (0,)
    named = ", ".join(head.grain)
    return (
        [f"{count(n, 'value')} of {named} stand more than once: {_examples(con, head, twice)}."] if n else []
    )


def _relation_faults(con: Connection, head: Head, within: str) -> list[str]:
    faults = []
    for name, column in head.columns.items():
        if column.references:
            table, _, key = column.references.rpartition(".")
            ident = quoted(name)
            orphans = (
                f"select t.* from {within} as t "
                f"anti join {table} as other on other.{quoted(key)} = t.{ident} where t.{ident} is not null"
            )
            (n,) = con.execute(f"select count(*) from ({orphans})").fetchone() or (0,)
            if n:
                faults.append(
                    f"{count(n, 'row')} where {name} is not in {column.references}: {_examples(con, head, orphans)}."
                )
    return faults


def _examples(con: Connection, head: Head, query: str) -> str:
    """The first bad rows by their grain; personal values are never shown."""
    cursor = con.execute(f"{query} limit {SHOWN}")
    names = [d[0] for d in cursor.description or []]
    shown = [n for n in names if n in head.grain] or [n for n in names if not _personal(head, n)]
    rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    return "; ".join(", ".join(f"{n}={'***' if _personal(head, n) else r[n]}" for n in shown) for r in rows)


def _personal(head: Head, name: str) -> bool:
    column = head.columns.get(name)
    return column is not None and column.sensitivity == "personal"


def _type(name: str) -> str:
    plain = name.lower().replace(" ", "")
    return {"varchar": "text", "int": "integer", "int64": "bigint", "bool": "boolean"}.get(plain, plain)
