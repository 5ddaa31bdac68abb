"""Odd orders: a backtest answers, or says in a sentence why it cannot; it never warns and never breaks."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable

import numpy as np
import polars as pl
import pytest

import evervalue as ev
from evervalue.core.errors import InputError

FIRST = dt.date(2024, 1, 1)
Row = tuple[object, int, float]
RNG = np.random.default_rng(0)


def frame(rows: Iterable[Row]) -> pl.DataFrame:
    return pl.DataFrame(
        [(str(who), FIRST + dt.timedelta(days=int(day)), float(money)) for who, day, money in rows],
        schema=["customer_id", "order_date", "monetary"],
        orient="row",
    )


def scattered(money: Callable[[], float], until: int = 300) -> pl.DataFrame:
    return frame(
        (who, int(RNG.integers(0, until)), money())
        for who in range(50)
        for _ in range(int(RNG.integers(1, 10)))
    )


@pytest.mark.parametrize(
    ("orders", "says"),
    [
        (frame(("a", 7 * n, 10) for n in range(40)), "there is 1 customer"),
        (frame((n, n % 200, 10) for n in range(200)), "Nobody bought a second time"),
        (frame([("a", 1, 10)]), "leaves no day before it"),
    ],
    ids=["one customer", "nobody repeats", "one order"],
)
def test_what_cannot_be_tested_is_refused_in_words(orders: pl.DataFrame, says: str) -> None:
    with pytest.raises(InputError, match=says):
        ev.backtest(orders, horizon="60d", origins=2, models="bg-nbd")


@pytest.mark.parametrize(
    ("orders", "spend"),
    [
        (frame((who, 7 * n + who % 7, 10 + who) for who in range(30) for n in range(40)), "gamma-gamma"),
        (frame([("a", 7 * n, 10) for n in range(40)] + [("b", 13 * n, 7) for n in range(20)]), "auto"),
        (scattered(lambda: float(RNG.normal(0, 20))), "auto"),
        (scattered(lambda: 0.0), "auto"),
        (pl.concat([scattered(lambda: 5.0, 150), frame([("late", 300, 4)])]), "auto"),
    ],
    ids=["everybody weekly", "two customers", "losses", "nothing is spent", "nothing in the window"],
)
def test_odd_orders_are_answered(orders: pl.DataFrame, spend: str) -> None:
    report = ev.backtest(orders, horizon="60d", origins=1, models="mbg-nbd", spend=spend)
    assert report.best == "mbg-nbd"
    assert report.why
    assert "zero (no model)" in repr(report)
    known = report.table.filter(pl.col("target") == "orders", pl.col("model") == "mbg-nbd")
    assert known["mae"].is_not_null().all()
