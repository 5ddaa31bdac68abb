"""Correlations against scipy, weights against repetitions, and the test's own error rate by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from evervalue.numerics.spend import gamma_gamma
from evervalue.numerics.spend.independence import independence

PARAMS = (1.5, 3.7, 15.0)


def test_correlations_against_scipy() -> None:
    rng = np.random.default_rng(1)
    x = rng.geometric(0.3, 500).astype(float)
    m = np.round(gamma_gamma.simulate(PARAMS, x, rng).mean * x**-0.1, 0) + 1  # ties on both sides
    found = independence(x, m)
    assert found is not None
    pearson, spearman = stats.pearsonr(np.log(x), np.log(m)), stats.spearmanr(x, m)
    assert (found.pearson, found.pearson_p) == pytest.approx((pearson.statistic, pearson.pvalue), rel=1e-9)
    assert (found.spearman, found.spearman_p) == pytest.approx(
        (spearman.statistic, spearman.pvalue), rel=1e-9
    )
    assert found.slope == pytest.approx(np.polyfit(np.log(x), np.log(m), 1)[0], rel=1e-9)
    assert found.twice_as_often == pytest.approx(2**found.slope - 1)


def test_weights_are_repetitions_and_customers_without_a_purchase_are_left_out() -> None:
    rng = np.random.default_rng(2)
    x = rng.integers(0, 6, 200).astype(float)
    m = np.round(rng.gamma(2, 10, 200), 0) + 1
    times = rng.integers(0, 4, 200)
    by_weight = independence(x, m, times.astype(float))
    by_rows = independence(np.repeat(x, times), np.repeat(m, times))
    assert by_weight is not None
    assert by_rows is not None
    assert by_weight.customers == by_rows.customers == times[x > 0].sum()
    assert vars(by_weight) == pytest.approx(vars(by_rows), rel=1e-9)


def test_amounts_of_any_sign_are_correlated_as_they_are() -> None:
    x, m = np.array([1.0, 2, 3, 4, 5]), np.array([-3.0, 2, 0, 4, 9])
    found = independence(x, m)
    assert found is not None
    assert not found.of_logs
    assert found.pearson == pytest.approx(stats.pearsonr(np.log(x), m).statistic)
    assert found.twice_as_often == pytest.approx(np.polyfit(np.log(x), m, 1)[0] * np.log(2))


def test_what_cannot_be_correlated() -> None:
    assert independence(np.array([1.0, 2.0]), np.array([3.0, 4.0])) is None
    assert independence(np.full(9, 2.0), np.arange(9.0)) is None
    assert independence(np.arange(9.0), np.full(9, 2.0)) is None
    assert independence(np.zeros(9), np.arange(9.0)) is None


def test_independent_spend_is_called_dependent_as_rarely_as_promised() -> None:
    rng = np.random.default_rng(3)
    rejected = {"raw": 0, "freed of noise": 0}
    for _ in range(300):
        x = rng.geometric(0.35, 2_000).astype(float)
        m = gamma_gamma.simulate(PARAMS, x, rng).mean
        for name, p in (("raw", None), ("freed of noise", PARAMS[0])):
            found = independence(x, m, p=p)
            assert found is not None
            rejected[name] += found.pearson_p < 0.05
    assert rejected["freed of noise"] <= 30  # 5 % expected: 15, with a standard deviation of 3.8
    assert rejected["raw"] >= 200  # which is why


def test_dependent_spend_is_found() -> None:
    rng = np.random.default_rng(4)
    x = rng.geometric(0.35, 2_000).astype(float)
    m = gamma_gamma.simulate(PARAMS, x, rng).mean * x**-0.2
    found = independence(x, m, p=PARAMS[0])
    assert found is not None
    assert found.pearson_p < 1e-4
    assert found.twice_as_often == pytest.approx(2**-0.2 - 1, abs=0.04)
