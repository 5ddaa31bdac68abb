"""The one division of money equals Python's decimal, half away from zero, in DuckDB and as other engines get it."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal, localcontext

import pytest
import sqlglot
from hypothesis import given, settings
from hypothesis import strategies as st

from evervalue.warehouse.duckdb import Connection, connect
from evervalue.warehouse.money_sql import MACRO, expanded

PLACES = Decimal("0.0001")
money = st.integers(-(10**17), 10**17).map(lambda n: Decimal(n).scaleb(-4))
counts = st.one_of(st.integers(-50, 50), st.integers(-(10**9), 10**9)).filter(bool)


@pytest.fixture(scope="module")
def con() -> Connection:
    opened = connect()
    opened.execute(MACRO)
    return opened


def shared(amount: Decimal, n: int) -> Decimal:
    with localcontext() as context:
        context.prec = 60
        return (amount / n).quantize(PLACES, ROUND_HALF_UP)


@settings(deadline=None, max_examples=200)
@given(money, counts)
def test_equals_decimal(con: Connection, amount: Decimal, n: int) -> None:
    found = con.execute(f"select money_divide({amount}::decimal(18,4), {n})").fetchone()
    assert found is not None
    assert found[0] == shared(amount, n)


@pytest.mark.parametrize(
    ("amount", "n", "expected"),
    [("0.0001", 2, "0.0001"), ("-0.0001", 2, "-0.0001"), ("0.0001", -2, "-0.0001"), ("10", 3, "3.3333"),
     ("20", 3, "6.6667"), ("0", 7, "0")],
)  # fmt: skip
def test_halves_go_away_from_zero(con: Connection, amount: str, n: int, expected: str) -> None:
    assert con.execute(f"select money_divide({amount}, {n})").fetchall() == [(Decimal(expected),)]


def test_nothing_is_divided_by_nothing(con: Connection) -> None:
    assert con.execute(
        "select money_divide(1, 0), money_divide(1, null), money_divide(null, 2)"
    ).fetchall() == [(None, None, None)]


def test_other_engines_get_an_expression() -> None:
    sql = expanded(sqlglot.parse_one("select money_divide(a, n) as mean from t", read="duckdb")).sql("spark")
    assert "money_divide" not in sql.lower()
    assert "ROUND(" in sql
