"""Pareto/NBD: shapes, exact zeros, limits and refusals."""

from __future__ import annotations

import numpy as np
import pytest

from evervalue.numerics.arrays import Array
from evervalue.numerics.functions import chunks
from evervalue.numerics.purchases import pareto_nbd

PARAMS = (0.553277, 10.57768, 0.606240, 11.66873)
X = np.array([0.0, 2.0, 7.0, 26.0])
T_X = np.array([0.0, 30.43, 29.43, 30.857])
T = np.array([38.86, 38.86, 38.86, 31.0])


def test_shapes_follow_broadcasting() -> None:
    draws = np.array(PARAMS)[:, None, None] * np.linspace(0.9, 1.1, 3)[:, None]
    assert pareto_nbd.p_alive(PARAMS, 2, 30.43, 38.86).shape == ()
    assert pareto_nbd.log_likelihood(draws, X, T_X, T).shape == (3, 4)
    value, gradient = pareto_nbd.log_likelihood_gradient(draws, X, T_X, T)
    assert (value.shape, gradient.shape) == ((3, 4), (4, 3, 4))
    assert pareto_nbd.conditional_pmf(draws, X, T_X, T, 13.0, 5).shape == (3, 4, 6)
    assert pareto_nbd.pmf(draws, 13.0, 5).shape == (3, 1, 6)
    assert pareto_nbd.sample_orders(draws, X, T_X, T, 13.0, np.random.default_rng(0)).shape == (3, 4)
    for draw in range(3):
        one = draws[:, draw, 0]
        np.testing.assert_array_equal(
            pareto_nbd.p_alive(draws, X, T_X, T)[draw], pareto_nbd.p_alive(one, X, T_X, T)
        )


def test_no_customers_give_no_rows() -> None:
    nobody: Array = np.empty(0)
    assert pareto_nbd.log_likelihood(PARAMS, nobody, nobody, nobody).shape == (0,)
    assert pareto_nbd.log_likelihood_gradient(PARAMS, nobody, nobody, nobody)[1].shape == (4, 0)
    assert pareto_nbd.conditional_pmf(PARAMS, nobody, nobody, nobody, 5.0, 3).shape == (0, 4)


def test_parameters_of_each_customer_that_are_all_alike_change_nothing() -> None:
    """Covariates with coefficient zero: alpha and beta come as arrays (n,)."""
    r, alpha, s, beta = PARAMS
    alike = (r, np.full(4, alpha), s, np.full(4, beta))
    for name, arguments in {
        "log_likelihood": (X, T_X, T),
        "p_alive": (X, T_X, T),
        "conditional_expected_orders": (X, T_X, T, 39.0),
        "discounted_expected_orders": (X, T_X, T, 39.0, 0.002),
        "conditional_pmf": (X, T_X, T, 39.0, 8),
    }.items():
        function = getattr(pareto_nbd, name)
        np.testing.assert_array_equal(function(alike, *arguments), function(PARAMS, *arguments))
    np.testing.assert_array_equal(
        pareto_nbd.log_likelihood_gradient(alike, X, T_X, T)[1],
        pareto_nbd.log_likelihood_gradient(PARAMS, X, T_X, T)[1],
    )


def test_covariates_are_parameters_of_each_customer() -> None:
    """A customer with covariates is a customer of a population with shifted alpha and beta."""
    z = np.array([0.0, 1.0, -0.5, 2.0])
    r, alpha, s, beta = PARAMS
    shifted = (r, alpha * np.exp(-0.3 * z), s, beta * np.exp(0.2 * z))
    value, gradient = pareto_nbd.log_likelihood_gradient(shifted, X, T_X, T)
    for i in range(4):
        own = (r, float(shifted[1][i]), s, float(shifted[3][i]))
        one, slope = pareto_nbd.log_likelihood_gradient(own, X[i], T_X[i], T[i])
        assert value[i] == one
        np.testing.assert_array_equal(gradient[:, i], slope)
    assert pareto_nbd.COVARIATES == {"transaction": {"alpha": -1}, "dropout": {"beta": -1}}


def test_nothing_happens_in_no_time() -> None:
    assert pareto_nbd.expected_orders(PARAMS, 0.0) == 0
    assert pareto_nbd.new_discounted_expected_orders(PARAMS, 0.0, 0.01) == 0
    np.testing.assert_array_equal(pareto_nbd.pmf(PARAMS, 0.0, 3), [1, 0, 0, 0])
    np.testing.assert_array_equal(pareto_nbd.conditional_expected_orders(PARAMS, X, T_X, T, 0.0), 0)
    np.testing.assert_array_equal(pareto_nbd.discounted_expected_orders(PARAMS, X, T_X, T, 0.0, 0.01), 0)
    np.testing.assert_allclose(
        pareto_nbd.conditional_pmf(PARAMS, X, T_X, T, 0.0, 2), [[1, 0, 0]] * 4, atol=1e-15
    )
    drawn = pareto_nbd.sample_orders(PARAMS, X, T_X, T, 0.0, np.random.default_rng(0))
    np.testing.assert_array_equal(drawn, 0)


def test_a_customer_of_age_zero() -> None:
    assert pareto_nbd.log_likelihood(PARAMS, 0, 0, 0) == 0
    assert pareto_nbd.p_alive(PARAMS, 0, 0, 0) == 1
    new = pareto_nbd.expected_orders(PARAMS, 39.0)
    assert pareto_nbd.conditional_expected_orders(PARAMS, 0, 0, 0, 39.0) == new
    np.testing.assert_array_equal(
        pareto_nbd.conditional_pmf(PARAMS, 0, 0, 0, 39.0, 5), pareto_nbd.pmf(PARAMS, 39.0, 5)
    )


def test_an_order_at_the_end_means_alive() -> None:
    np.testing.assert_array_equal(pareto_nbd.p_alive(PARAMS, X[1:], T[1:], T[1:]), 1)


def test_one_time_buyers_may_have_left() -> None:
    """Unlike under BG/NBD, where they are alive for certain."""
    assert 0.2 < pareto_nbd.p_alive(PARAMS, 0, 0, 38.86) < 0.4


def test_equal_alpha_and_beta_and_s_of_one_are_no_special_points() -> None:
    for name, arguments in {
        "log_likelihood": (X, T_X, T),
        "p_alive": (X, T_X, T),
        "conditional_expected_orders": (X, T_X, T, 39.0),
        "discounted_expected_orders": (X, T_X, T, np.inf, 0.002),
    }.items():
        function = getattr(pareto_nbd, name)
        at = function((0.6, 11.0, 1.0, 11.0), *arguments)
        for near in (1 - 1e-11, 1 + 1e-11):
            np.testing.assert_allclose(function((0.6, 11.0, near, 11.0 * near), *arguments), at, rtol=1e-9)


def test_an_endless_time_is_only_worth_something_discounted() -> None:
    with pytest.raises(ValueError, match="t = inf and delta = 0"):
        pareto_nbd.discounted_expected_orders(PARAMS, X, T_X, T, np.inf, 0.0)
    with pytest.raises(ValueError, match="t = inf"):
        pareto_nbd.conditional_expected_orders(PARAMS, X, T_X, T, np.inf)
    with pytest.raises(ValueError, match="delta < 0"):
        pareto_nbd.new_discounted_expected_orders(PARAMS, 52.0, -0.1)


def test_results_depend_neither_on_threads_nor_on_order_nor_on_company(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(11)
    drawn = pareto_nbd.simulate(PARAMS, rng.uniform(0, 39, 40_000), rng)
    value, gradient = pareto_nbd.log_likelihood_gradient(PARAMS, drawn.x, drawn.t_x, drawn.T)
    shuffled = rng.permutation(40_000)
    again, slopes = pareto_nbd.log_likelihood_gradient(
        PARAMS, drawn.x[shuffled], drawn.t_x[shuffled], drawn.T[shuffled]
    )
    np.testing.assert_array_equal(again, value[shuffled])
    np.testing.assert_array_equal(slopes, gradient[:, shuffled])
    for few in (slice(17, 25), slice(25, 26), slice(100, 1_000)):
        alone, _ = pareto_nbd.log_likelihood_gradient(PARAMS, drawn.x[few], drawn.t_x[few], drawn.T[few])
        np.testing.assert_array_equal(alone, value[few])
    monkeypatch.setattr(chunks, "_cores", lambda: 1)
    one, _ = pareto_nbd.log_likelihood_gradient(PARAMS, drawn.x, drawn.t_x, drawn.T)
    np.testing.assert_array_equal(one, value)


def test_simulated_histories_are_whole() -> None:
    rng = np.random.default_rng(3)
    drawn = pareto_nbd.simulate((0.001, 1e-4, 0.001, 1e-4), np.full(5_000, 39.0), rng, horizon=10.0)
    assert ((drawn.t_x == 0) == (drawn.x == 0)).all()
    assert (drawn.t_x <= drawn.T).all()
    assert (drawn.future[~drawn.alive] == 0).all()
    assert np.isfinite(drawn.x).all()
