"""Rules without a model: what each says, and the Poisson law it is scored by."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from evervalue.models import naive
from evervalue.models.naive import RULES, cohort_mean, past_rate, past_spend, zero
from evervalue.numerics.measures.probability_scores import crps_discrete
from tests.support.folds import fold


def test_what_each_rule_says() -> None:
    f = fold([1, 2, 0], frequency=[4, 0, 2], T=[100, 50, 0.0], monetary_value=[7, 0, 3],
             window_orders=[3, 1, 2], window_value=[30, 8, 20])  # fmt: skip
    assert [part.tolist() for part in zero(f)] == [[0, 0, 0], [0, 0, 0]]
    assert [part.tolist() for part in past_rate(f)] == [[2, 0, 0], [14, 0, 0]]
    assert [part.tolist() for part in past_spend(f)] == [[3, 1, 2], [30, 8, 20]]
    orders, value = cohort_mean(f)
    assert orders.tolist() == [6 / 150 * 50] * 3
    assert value.tolist() == pytest.approx([(4 * 7 + 2 * 3) / 150 * 50] * 3)


def test_a_window_shorter_than_the_horizon_is_scaled_up() -> None:
    f = fold([1], window_orders=3.0, window_value=30.0)
    shorter = type(f)(**{**vars(f), "window_days": 20})
    assert [part.tolist() for part in past_spend(shorter)] == [[7.5], [75.0]]


def test_a_cohort_is_a_quarter_of_thirty_customers_or_more() -> None:
    first = np.array(["2023-03-31"] * 30 + ["2023-04-01"] * 29 + ["2023-06-30"], dtype="datetime64[D]")
    f = fold(np.zeros(60), frequency=np.r_[np.full(30, 1.0), np.full(30, 3.0)], first_order_date=first)
    assert np.unique(cohort_mean(f)[0]).tolist() == [1 / 100 * 50, 3 / 100 * 50]
    first[-1] = np.datetime64("2023-07-01")
    f = fold(np.zeros(60), frequency=np.r_[np.full(30, 1.0), np.full(30, 3.0)], first_order_date=first)
    assert np.unique(cohort_mean(f)[0]).tolist() == [1 / 100 * 50, 120 / 6000 * 50], "29 and 1 are too few"


def test_nobody_was_watched_for_a_day() -> None:
    f = fold([0, 1], T=0.0)
    for rule in RULES:
        forecast = rule.forecast(f, 0.9)
        assert np.isfinite(forecast.orders.mean).all()
        assert np.isfinite(forecast.orders.crps).all()


@pytest.mark.parametrize("cells", [2_000_000, 400])
def test_a_rule_is_scored_as_poisson_orders_of_equal_worth(
    cells: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(naive, "CELLS", cells)
    rng = np.random.default_rng(1)
    mean = np.r_[0.0, 0.0, rng.gamma(0.5, 4, 60), 150.0]
    worth = np.r_[0.0, 0.0, rng.normal(5, 5, 60), 2.0]
    actual = np.r_[0.0, 2.0, rng.poisson(mean[2:])]
    value = np.r_[0.0, 17.5, rng.normal(20, 20, 61)]
    f = fold(actual, value, window_orders=mean, window_value=mean * worth)
    (rule,) = [r for r in RULES if r.key == "past-spend"]
    found = rule.forecast(f, 0.8)
    counts = np.arange(400)
    law = stats.poisson.pmf(counts, mean[:, None])
    assert found.value is not None
    assert found.orders.crps == pytest.approx(crps_discrete(counts, law, actual), abs=1e-9)
    assert found.p_any == pytest.approx(1 - law[:, 0])
    assert found.log_score[[0, 1]].tolist() == [0.0, -np.inf]
    assert found.log_score[2:] == pytest.approx(stats.poisson.logpmf(actual, mean)[2:])
    held = [law[n, int(low) : int(high) + 1].sum() for n, (low, high) in
            enumerate(zip(found.orders.low, found.orders.high, strict=True))]  # fmt: skip
    assert found.orders.mass == pytest.approx(held, abs=1e-9)
    assert (found.orders.mass >= 0.8 - 1e-9).all()
    for n in range(len(mean)):
        points = np.sort(counts * worth[n])
        order = np.argsort(counts * worth[n], kind="stable")
        expected = crps_discrete(points, law[n, order][None, :], value[[n]])[0]
        assert found.value.crps[n] == pytest.approx(expected, rel=1e-9, abs=1e-9)
    assert (found.value.low <= found.value.high).all()
