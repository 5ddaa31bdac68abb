"""Columns out of the engine as arrays, and arrays into tables: without pandas, Arrow or a Python object a row.

A million rows of ten columns take well under a second either way. Imports numpy, so whoever does without models
imports this module only when models are used.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evervalue.core.errors import TableError
from evervalue.warehouse.duckdb import Connection, quoted

NUMBERS = {
    "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT",
    "UHUGEINT", "FLOAT", "DOUBLE",
}  # fmt: skip


def columns(con: Connection, query: str) -> dict[str, NDArray[Any]]:
    """The rows of a query, one array a column: numbers as doubles with NaN for null, anything else as it comes.

    Money becomes a double here, and nowhere else: models compute in doubles.

    Examples
    --------
    >>> from evervalue.warehouse.duckdb import connect
    >>> columns(connect(), "select * from (values (1, 2.50), (2, null)) as t(n, amount) order by n")
    {'n': array([1., 2.]), 'amount': array([2.5, nan])}
    """
    described = con.execute(f"describe {query}").fetchall()
    parts = [f"{_as_double(str(name), str(type))} as {quoted(str(name))}" for name, type, *_ in described]
    # An ORDER BY inside is kept by a projection around it, also where the engine need not keep the order of inserts.
    found = con.execute(f"select {', '.join(parts)} from ({query})").fetchnumpy()
    return {name: _plain(array) for name, array in found.items()}


def land(
    con: Connection, table: str, rows: Mapping[str, NDArray[Any]], select: str = "select * from {rows}"
) -> None:
    """Adds arrays of one length to a table as rows; `select` gives the table's columns in order from `{rows}`.

    A NaN lands as null. Money is cast here, once: write `x::decimal(18,4)` in `select`, or let the table's own type
    do it.

    Raises
    ------
    TableError
        The arrays differ in length.

    Examples
    --------
    >>> from evervalue.warehouse.duckdb import connect
    >>> con = connect()
    >>> _ = con.execute("create table t (n bigint, amount decimal(18,4))")
    >>> land(con, "t", {"n": np.array([1, 2]), "amount": np.array([0.12345, np.nan])})
    >>> con.execute("from t order by n").fetchall()
    [(1, Decimal('0.1235')), (2, None)]
    """
    lengths = {len(array) for array in rows.values()}
    if len(lengths) > 1:
        raise TableError(f"Arrays of {sorted(lengths)} elements cannot be the rows of {table}.")
    if not rows or lengths == {0}:
        return
    name = f"evervalue_{uuid.uuid4().hex}"
    con.register(name, {key: np.ascontiguousarray(array) for key, array in rows.items()})
    try:
        listed = ", ".join(
            f"case when isnan({quoted(key)}) then null else {quoted(key)} end as {quoted(key)}"
            if array.dtype.kind == "f"
            else quoted(key)
            for key, array in rows.items()
        )
        con.execute(f"insert into {table} {select.format(rows=f'(select {listed} from {name})')}")
    finally:
        con.unregister(name)


def _as_double(name: str, type: str) -> str:
    ident = quoted(name)
    if type.startswith("DECIMAL") or type in NUMBERS:
        return f"{ident}::double"
    return ident


def _plain(array: Any) -> NDArray[Any]:
    """The array without a mask: nulls among numbers are NaN, among anything else None."""
    if not isinstance(array, np.ma.MaskedArray):
        return np.asarray(array)
    if array.dtype.kind == "f":
        return np.asarray(array.filled(np.nan))
    if not array.mask.any():
        return np.asarray(array.data)
    objects = np.asarray(array.data).astype(object)
    objects[array.mask] = None
    return objects
