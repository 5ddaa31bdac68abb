"""Odd orders: a backtest answers, or says in a sentence why it cannot; it never warns and never breaks."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable

import numpy as np
import polars as pl
import pytest

import evervalue as ev
from evervalue.core.errors import InputError, SettingsError

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


def test_an_origin_needs_a_day_before_it() -> None:
    with pytest.raises(InputError, match="leaves no day before it"):
        ev.backtest(frame([("a", 1, 10)]), horizon="60d", origins=2, models="bg-nbd")


@pytest.mark.parametrize(
    ("orders", "says"),
    [
        (frame(("a", 7 * n, 10) for n in range(40)), "there is 1 customer"),
        (frame((n, n % 200, 10) for n in range(200)), "Nobody bought a second time"),
    ],
    ids=["one customer", "nobody repeats"],
)
def test_where_no_model_can_be_fitted_the_rules_are_shown_alone(orders: pl.DataFrame, says: str) -> None:
    report = ev.backtest(orders, horizon="60d", origins=2)
    assert report.best is None
    assert report.best_spend is None
    assert report.why.startswith("No model could be fitted")
    reasons = [note for note in report.notes if note.startswith("No model stands at ")]
    assert [says in why for why in reasons] == [True] * len(report.origins), "said once for all models"
    assert set(report.table["model"]) == {"zero", "cohort-mean", "past-rate", "past-spend"}
    assert "past rate (no model)" in repr(report)
    assert "best model" not in repr(report)
    assert not report.naive_wins
    with pytest.raises(SettingsError, match="no model to plot"):
        report.plot()


def test_of_money_that_is_lost_nobody_has_a_share() -> None:
    orders = scattered(lambda: float(RNG.normal(-5.0, 4.0)))
    report = ev.backtest(orders, horizon="60d", origins=1, models="mbg-nbd", spend="normal-spend")
    of_money = report.table.filter(target="value", customers="known")
    assert len(of_money) > 4
    assert of_money["top_decile_capture"].null_count() == len(of_money)
    assert of_money["normalised_gini"].null_count() == len(of_money)
    assert of_money["mae"].null_count() == 0
    assert not any("capture" in says or "Gini" in says for says in report.naive_wins if "money" in says)
    (note,) = (note for note in report.notes if note.startswith("Money after the origin sums to nothing"))
    assert note.endswith("top-decile capture and Gini of money are empty there.")
    assert "over all origins together" in note


def test_money_that_no_model_takes_is_left_out_with_a_word() -> None:
    orders = scattered(lambda: -5.0)
    report = ev.backtest(orders, horizon="60d", origins=1, models="mbg-nbd", spend="gamma-gamma")
    assert report.best == "mbg-nbd"
    assert report.best_spend is None
    assert any(note.startswith("Money is not forecast: Gamma-Gamma") for note in report.notes)


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
