"""The ratio of beta functions, its derivatives and its sums, against 60 digits and against plain summation."""

from __future__ import annotations

import mpmath as mp
import numpy as np
import pytest

from evervalue.numerics.arrays import Array
from evervalue.numerics.periods.beta_geometric import digamma_step, log_remaining, periods_to_come


def anywhere(rng: np.random.Generator, size: int, low: float = 1e-4, high: float = 1e5) -> Array:
    return np.asarray(np.exp(rng.uniform(np.log(low), np.log(high), size)))


def test_ratio_and_digamma_are_exact_in_relative_terms() -> None:
    rng = np.random.default_rng(1)
    size = 400
    alpha, beta = anywhere(rng, size), anywhere(rng, size)
    s = np.where(rng.random(size) < 0.5, rng.integers(1, 5_000, size), anywhere(rng, size, 1e-9, 1e8))
    ratio, step = log_remaining(alpha, beta, s), digamma_step(beta, s)
    with mp.workdps(60):
        for i in range(size):
            a, b, k = mp.mpf(alpha[i]), mp.mpf(beta[i]), mp.mpf(s[i])
            exact = mp.loggamma(b + k) + mp.loggamma(a + b) - mp.loggamma(a + b + k) - mp.loggamma(b)
            assert abs(ratio[i] - exact) <= 1e-13 * abs(exact), (alpha[i], beta[i], s[i])
            exact = mp.psi(0, b + k) - mp.psi(0, b)
            assert abs(step[i] - exact) <= 1e-13 * abs(exact), (beta[i], s[i])


def test_nobody_leaves_in_no_time() -> None:
    assert not log_remaining(np.array([1e-4, 1.0, 1e5]), 2.0, 0.0).any()
    assert not digamma_step(np.array([1e-4, 1.0, 1e5]), 0.0).any()


def test_discounted_sums_without_end_against_plain_summation() -> None:
    """Up to 60 / d terms, in extended precision; discounts of 0.01 % to 200 % a period."""
    rng = np.random.default_rng(2)
    size = 60
    alpha, beta = anywhere(rng, size), anywhere(rng, size)
    d = anywhere(rng, size, 1e-4, 2.0)
    found = periods_to_come(alpha, beta, np.inf, np.log1p(d))
    for i in range(size):
        k = np.arange(int(40 / d[i]) + 40, dtype=np.longdouble)
        terms = np.cumprod((beta[i] + k) / (alpha[i] + beta[i] + k) / (1 + np.longdouble(d[i])))
        assert found[i] == pytest.approx(float(terms.sum()), rel=1e-11), (alpha[i], beta[i], d[i])


def test_sums_to_a_horizon_and_without_discount() -> None:
    shares = np.exp(log_remaining(0.7, 1.2, np.arange(1.0, 41)))
    assert float(periods_to_come(0.7, 1.2, 40)) == pytest.approx(shares.sum(), rel=1e-13)
    weights = np.exp(-0.05 * np.arange(1, 41))
    assert float(periods_to_come(0.7, 1.2, 40, 0.05)) == pytest.approx(shares @ weights, rel=1e-13)
    found = periods_to_come(np.array([0.7, 2.0, 2.0]), 1.2, np.array([np.inf, np.inf, 0.0]))
    assert found.tolist() == [np.inf, 1.2, 0.0]


def test_the_limit_of_no_discount_is_reached() -> None:
    assert float(periods_to_come(3.0, 4.0, np.inf, 1e-5)) == pytest.approx(2.0, rel=1e-4)
