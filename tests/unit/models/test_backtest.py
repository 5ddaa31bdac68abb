"""The table: late customers apart, origins pooled by customers, verdicts in the direction of each measure."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from evervalue.models.backtest import MEASURES
from evervalue.models.backtest_measures import run_backtest
from evervalue.models.fold import Folds
from evervalue.models.verdict import naive_wins, wide
from evervalue.numerics.measures import errors as measures
from evervalue.numerics.measures import ranking
from tests.support.folds import ORIGIN, Says, fold, folds

LATER = ORIGIN + dt.timedelta(days=30)
RNG = np.random.default_rng(3)


def two_origins() -> Folds:
    """60 customers at the first origin, 20 late ones with them at the second."""
    ids = [f"{k:03}" for k in range(80)]
    rate = RNG.gamma(0.7, 1.5, 80)
    first = fold(RNG.poisson(rate[:60]), frequency=RNG.poisson(rate[:60] * 2), ids=ids[:60])
    second = fold(
        RNG.poisson(rate), frequency=RNG.poisson(rate * 3), ids=ids, origin=LATER, late=np.arange(80) >= 60
    )
    return folds(first, second)


def test_late_customers_are_measured_apart() -> None:
    found = run_backtest(two_origins(), [Says("m", 1.0, 0.5)], draws=20)
    sizes = {(r.origin, r.customers): r.n for r in found.rows}
    assert sizes == {
        (ORIGIN, "known"): 60, (LATER, "known"): 60, (LATER, "late"): 20, (None, "known"): 120, (None, "late"): 20,
    }  # fmt: skip


def test_pooled_rows_hold_all_origins_and_one_origin_equals_its_own_row() -> None:
    test = two_origins()
    found = run_backtest(test, [Says("m", 1.0, 0.5)], draws=20)
    first, second = test[0], test[1]
    actual = np.concatenate([first.actual_orders, second.actual_orders[:60]])
    row = found.pooled("orders", "mae")["m"]
    assert row.value == pytest.approx(float(measures.mean_absolute_error(np.ones(120), actual)))
    alone = run_backtest(folds(first), [Says("m", 1.0, 0.5)], draws=20)
    by_origin = {(r.target, r.model, r.measure): r.value for r in alone.rows if r.origin == ORIGIN}
    pooled = {(r.target, r.model, r.measure): r.value for r in alone.rows if r.origin is None}
    assert by_origin.keys() == pooled.keys()
    for key, value in pooled.items():
        assert value == pytest.approx(by_origin[key], nan_ok=True)


def test_the_bootstrap_draws_customers_with_all_their_origins() -> None:
    test = two_origins()
    found = run_backtest(test, [Says("m", 1.0, 0.5)], draws=50, random_state=4)
    row = found.pooled("orders", "mae")["m"]
    forecasts = {key: found.forecasts[key] for key in ("m", row.best_naive or "")}
    rng = np.random.default_rng(4)
    looped = []
    for _ in range(50):
        drawn = rng.integers(60, size=60)
        errors = {}
        for key, (one, two) in forecasts.items():
            own = (
                np.abs(one.orders.mean - test[0].actual_orders),
                np.abs(two.orders.mean - test[1].actual_orders),
            )
            errors[key] = np.mean([own[0][drawn].mean(), own[1][drawn].mean()])
        looped.append(errors["m"] - errors[row.best_naive or ""])
    assert [row.difference_low, row.difference_high] == pytest.approx(
        np.quantile(looped, [0.05, 0.95]).tolist()
    )


@pytest.mark.parametrize("measure", [m.key for m in MEASURES if m.better != "none"])
def test_a_perfect_forecast_is_better_by_every_measure(measure: str) -> None:
    actual = np.r_[RNG.poisson(1.0, 200).astype(float), 7.0]
    test = folds(fold(actual, frequency=RNG.poisson(2.0, 201)))
    row = run_backtest(test, [Says("seer", actual, 0.0)], draws=100).pooled("orders", measure)["seer"]
    assert row.verdict == "better"
    good = 1.0 if measure in ("spearman", "normalised_gini") else 0.0
    if measure == "top_decile_capture":
        good = float(np.asarray(ranking.top_capture(actual, actual)))
    assert row.value == pytest.approx(good, abs=1e-12)


def test_a_poor_forecast_is_worse_and_the_rule_that_beats_it_is_said() -> None:
    found = run_backtest(folds(fold(np.zeros(100))), [Says("loud", 5.0, 4.0)], draws=50)
    row = found.pooled("orders", "mae")["loud"]
    assert (row.best_naive, row.verdict) == ("zero", "worse")
    (said,) = [says for says in naive_wins(found) if "absolute error in orders" in says]
    assert said.startswith("zero has the lower mean absolute error in orders: mean absolute error 0.000, ")
    assert "best model LOUD 5.000, by more than chance: the difference lies between 5.000 and 5.000" in said
    order = [row["model"] for row in wide(found) if row["target"] == "orders" and row["origin"] is None]
    assert order[-1] == "loud"
    assert order[0] in ("zero", "cohort-mean", "past-rate", "past-spend")


def test_orders_alone_leave_money_out() -> None:
    found = run_backtest(folds(fold([1, 0, 2])), [Says("m", 1.0, 0.5, money=False)], draws=20)
    assert found.targets == ("orders",)
    assert {r.target for r in found.rows} == {r.target for r in found.deciles} == {"orders"}


def test_the_same_seed_gives_the_same_rows() -> None:
    test = two_origins()
    one, two = (run_backtest(test, [Says("m", 1.0, 0.5)], draws=30, random_state=9).rows for _ in range(2))
    assert repr(one) == repr(two)
