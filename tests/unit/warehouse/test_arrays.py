"""Arrays out of the engine and into tables: exact where they can be, in order, and without pandas."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
from decimal import Decimal

import numpy as np
import pytest

from evervalue.core.errors import TableError
from evervalue.warehouse.arrays import columns, land
from evervalue.warehouse.duckdb import connect

N = 400_000


def test_an_ordered_query_comes_in_its_order() -> None:
    con = connect()
    con.execute("set preserve_insertion_order = false")
    con.execute(f"create table t as select hash(i) as h, i from range({N}) as r(i)")
    found = columns(con, "select h, i from t order by h")
    assert (np.diff(found["h"]) >= 0).all()
    assert sorted(found["i"]) == list(range(N))


def test_nulls_and_types() -> None:
    found = columns(
        connect(),
        "select * from (values (1, 1.5::decimal(18,4), true, 'a', 2.0::float), (null, null, null, null, null)) "
        "as t(n, money, yes, name, x) order by n",
    )
    assert found["n"].dtype == found["money"].dtype == found["x"].dtype == np.float64
    assert np.isnan(found["n"][1])
    assert np.isnan(found["money"][1])
    assert list(found["yes"]) == [True, None]
    assert list(found["name"]) == ["a", None]


def test_money_is_rounded_once_half_away_from_zero_and_lands_as_declared() -> None:
    con = connect()
    con.execute("create table t (id bigint, amount decimal(18,4), day date)")
    rows = {"id": np.arange(3), "amount": np.array([0.12345, -0.12345, np.nan])}
    land(con, "t", rows, "select id, amount, date '2024-01-01' + id::integer from {rows}")
    assert con.execute("from t order by id").fetchall() == [
        (0, Decimal("0.1235"), dt.date(2024, 1, 1)),
        (1, Decimal("-0.1235"), dt.date(2024, 1, 2)),
        (2, None, dt.date(2024, 1, 3)),
    ]


def test_what_lands_comes_back_to_the_last_bit() -> None:
    con = connect()
    con.execute("create table t (place bigint, x double)")
    x = np.random.default_rng(3).normal(size=N) * 10.0 ** np.random.default_rng(4).integers(-300, 300, N)
    land(con, "t", {"place": np.arange(N), "x": x[::-1][::-1]})
    assert (columns(con, "select x from t order by place")["x"] == x).all()


def test_nothing_lands_from_nothing_and_uneven_arrays_are_refused() -> None:
    con = connect()
    con.execute("create table t (a double, b double)")
    land(con, "t", {"a": np.empty(0), "b": np.empty(0)})
    assert con.execute("select count(*) from t").fetchone() == (0,)
    with pytest.raises(TableError, match=r"\[1, 2\] elements"):
        land(con, "t", {"a": np.ones(1), "b": np.ones(2)})


def test_neither_way_imports_pandas_or_arrow() -> None:
    program = (
        "import sys, numpy as np\n"
        "from evervalue.warehouse.arrays import columns, land\n"
        "from evervalue.warehouse.duckdb import connect\n"
        "con = connect(); con.execute('create table t (x double, n text)')\n"
        "land(con, 't', {'x': np.ones(9)}, \"select x, 'a' from {rows}\")\n"
        "assert columns(con, 'select * from t')['n'][0] == 'a'\n"
        "assert not {'pandas', 'pyarrow', 'polars'} & set(sys.modules), sorted(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
