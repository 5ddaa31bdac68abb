"""What must hold of spend models for any parameters and any data."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from evervalue.numerics.spend import gamma_gamma, normal_spend

positive = st.floats(1e-4, 1e5)
amount = st.floats(1e-4, 1e8)
counts = st.integers(0, 5_000)
share = st.floats(0.001, 0.999)
factor = st.floats(1e-6, 1e6)
gamma_gamma_params = st.tuples(positive, positive, positive)
# Nobody pays a subnormal amount, and those have no nine digits to keep.
money = st.floats(-1e8, 1e8, allow_subnormal=False)
normal_params = st.tuples(money, positive, positive, positive)
normal_data = st.tuples(counts, money, st.floats(0, 1e15, allow_subnormal=False))


def close(a: Any, b: Any, rel: float = 1e-9, slack: float = 0.0) -> bool:
    return bool(abs(a - b) <= rel * max(abs(a), abs(b)) + slack)


@given(gamma_gamma_params, counts, amount, factor)
def test_gamma_gamma_in_another_currency(params: Any, x: int, m: float, c: float) -> None:
    p, q, v = params
    other = (p, q, v * c)
    one, two = gamma_gamma.log_likelihood(params, x, m), gamma_gamma.log_likelihood(other, x, m * c)
    if x:
        two = two + np.log(c)  # the density is per unit of money
    assert close(one, two, slack=1e-9 * (1 + abs(np.log(c)) + 1e-6 * p * x))
    one = gamma_gamma.conditional_expected_order_value(params, x, m)
    two = gamma_gamma.conditional_expected_order_value(other, x, m * c)
    assert (np.isinf(one) and np.isinf(two)) or close(one * c, two)


@given(gamma_gamma_params, counts, amount)
def test_gamma_gamma_expects_between_own_and_population(params: Any, x: int, m: float) -> None:
    p, q, _ = params
    found = gamma_gamma.conditional_expected_order_value(params, x, m)
    of_all = gamma_gamma.expected_order_value(params)
    if not np.isfinite(of_all):
        assert p * x + q <= 1 or np.isfinite(found)
        return
    low, high = (min(m, of_all), max(m, of_all)) if x else (of_all, of_all)
    # p x + q - 1 keeps only the digits that p x and q leave it.
    slack = 1e-12 * (p * x + q) / max(p * x + q - 1, 1e-300)
    assert low * (1 - slack) <= found <= high * (1 + slack)


@given(gamma_gamma_params, st.integers(1, 5_000), counts, amount, share, share)
def test_gamma_gamma_quantiles_rise_and_go_back(
    params: Any, n: int, x: int, m: float, one: float, other: float
) -> None:
    low, high = sorted((one, other))
    y = gamma_gamma.sum_quantile(params, n, x, m, np.array([low, high]))
    assert np.isfinite(y).all()
    assert y[0] * (1 - 1e-9) <= y[1]
    cdf = gamma_gamma.sum_cdf(params, n, x, m, y)
    assert ((cdf >= 0) & (cdf <= 1)).all()
    for found, asked, at in zip(cdf, (low, high), y, strict=True):
        assert abs(found - asked) < 1e-7 or at < 1e-280 or at > 1e300


@given(gamma_gamma_params, counts, amount, st.integers(0, 2**32 - 1))
def test_gamma_gamma_draws_are_numbers(params: Any, x: int, m: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    drawn = gamma_gamma.sample_sum(params, np.array([0, 1, 7]), x, m, rng)
    assert drawn[0] == 0
    assert np.isfinite(drawn).all()
    assert (drawn >= 0).all()


@given(normal_params, normal_data, factor)
def test_normal_in_another_currency(params: Any, data: Any, c: float) -> None:
    m0, kappa, shape, scale = params
    x, m, squares = data
    squares = squares if x > 1 else 0.0
    other = (m0 * c, kappa, shape, scale * c * c)
    one = normal_spend.log_likelihood(params, x, m, squares)
    two = normal_spend.log_likelihood(other, x, m * c, squares * c * c) + x * np.log(c)
    assert close(one, two, slack=1e-9 * (1 + x * (1 + abs(np.log(c)))))
    one = normal_spend.conditional_expected_order_value(params, x, m)
    two = normal_spend.conditional_expected_order_value(other, x, m * c)
    assert close(one * c, two, slack=1e-12 * c * (abs(m0) + abs(m)))


@given(normal_params, normal_data, st.integers(1, 5_000), share, share)
def test_normal_expects_between_and_quantiles_rise(
    params: Any, data: Any, n: int, one: float, other: float
) -> None:
    x, m, squares = data
    squares = squares if x > 1 else 0.0
    found = normal_spend.conditional_expected_order_value(params, x, m)
    ends = (params[0], m) if x else (params[0], params[0])
    room = 1e-12 * (abs(params[0]) + abs(m))
    assert min(ends) - room <= found <= max(ends) + room
    low, high = sorted((one, other))
    y = normal_spend.sum_quantile(params, n, x, m, np.array([low, high]), squares)
    assert np.isfinite(y).all()
    assert y[0] <= y[1] + 1e-9 * abs(y[1])


@given(normal_params, normal_data, st.integers(1, 5_000), share)
def test_normal_is_symmetrical(params: Any, data: Any, n: int, asked: float) -> None:
    m0, kappa, shape, scale = params
    x, m, squares = data
    squares = squares if x > 1 else 0.0
    mirrored = (-m0, kappa, shape, scale)
    one = normal_spend.log_likelihood(params, x, m, squares)
    assert one == normal_spend.log_likelihood(mirrored, x, -m, squares)
    y = normal_spend.sum_quantile(params, n, x, m, asked, squares)
    other = normal_spend.sum_quantile(mirrored, n, x, -m, 1 - asked, squares)
    assert close(y, -other, rel=1e-6, slack=1e-9 * n * (abs(m0) + abs(m)))


@given(normal_params, st.integers(1, 5_000), st.floats(-1e8, 1e8))
def test_one_purchase_is_the_same_told_as_amount_and_as_mean(params: Any, n: int, m: float) -> None:
    amounts, mean = normal_spend.log_likelihood(params, 1, m, 0.0), normal_spend.log_likelihood(params, 1, m)
    assert close(amounts, mean, slack=1e-12)
    assert normal_spend.sum_variance(params, n, 1, m, 0.0) == normal_spend.sum_variance(params, n, 1, m)
