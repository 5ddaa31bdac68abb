"""Pareto/NBD with dependent rates: by integrating over both rates, by simulation, by differences."""

from __future__ import annotations

import numpy as np
import pytest

from evervalue.numerics.arrays import Array
from evervalue.numerics.functions.gauss_legendre import gauss_legendre
from evervalue.numerics.purchases import pareto_nbd
from evervalue.numerics.purchases import pareto_nbd_correlated as correlated

PLAIN = (1.4, 9.0, 1.6, 14.0)
X, T_X, T = np.array([0.0, 1.0, 4.0, 12.0]), np.array([0.0, 3.0, 20.0, 29.0]), 30.0
PERIOD = 6.0


def at(share: float) -> tuple[float, ...]:
    """Parameters with m at a share of the way to its bound."""
    low, high = correlated.bounds(PLAIN, period=PERIOD)
    return (*PLAIN, float(share * high if share > 0 else -share * low))


def over_rates(params: tuple[float, ...]) -> tuple[Array, Array, Array]:
    """Rates lambda (n, 1), mu (1, n), and the probability of each pair: a fine grid over the joint density."""
    r, alpha, s, beta, m = params
    node, weight = gauss_legendre(900)
    rate, end = np.exp(-14 + 17 * node), np.exp(-14 + 17 * node)
    by_rate = weight * rate**r * np.exp(-alpha * rate)
    by_end = weight * end**s * np.exp(-beta * end)
    by_rate, by_end = (by_rate / by_rate.sum())[:, None], (by_end / by_end.sum())[None, :]
    rate, end = rate[:, None], end[None, :]
    a, b = (by_rate * np.exp(-rate * PERIOD)).sum(), (by_end * np.exp(-end * PERIOD)).sum()
    return rate, end, by_rate * by_end * (1 + m * (np.exp(-rate * PERIOD) - a) * (np.exp(-end * PERIOD) - b))


@pytest.mark.parametrize("share", [-1.0, -0.4, 0.5, 1.0])
def test_likelihood_and_predictions_by_integrating_over_both_rates(share: float) -> None:
    params = at(share)
    rate, end, probability = over_rates(params)
    assert probability.sum() == pytest.approx(1, abs=1e-10)
    means = (probability * rate).sum(), (probability * end).sum()
    spread = np.sqrt((probability * rate**2).sum() - means[0] ** 2) * np.sqrt(
        (probability * end**2).sum() - means[1] ** 2
    )
    got = ((probability * rate * end).sum() - means[0] * means[1]) / spread
    assert correlated.correlation(params, period=PERIOD) == pytest.approx(got, rel=1e-5)
    new = (probability * rate / end * -np.expm1(-end * 26.0)).sum()
    assert correlated.expected_orders(params, 26.0, period=PERIOD) == pytest.approx(new, rel=1e-6)
    for x, t_x in zip(X, T_X, strict=True):
        stayed = probability * rate**x * np.exp(-(rate + end) * T)
        left = (
            probability
            * rate**x
            * end
            / (rate + end)
            * (np.exp(-(rate + end) * t_x) - np.exp(-(rate + end) * T))
        )
        whole = stayed.sum() + left.sum()
        history = (x, t_x, T)
        value = correlated.log_likelihood(params, *history, period=PERIOD)
        assert value == pytest.approx(np.log(whole), abs=1e-7)
        alive = correlated.p_alive(params, *history, period=PERIOD)
        assert alive == pytest.approx(stayed.sum() / whole, rel=1e-6)
        orders = (stayed * rate / end * -np.expm1(-end * 26.0)).sum() / whole
        expected = correlated.conditional_expected_orders(params, *history, 26.0, period=PERIOD)
        assert expected == pytest.approx(orders, rel=1e-6)


@pytest.mark.parametrize("share", [-0.9, 0.6])
def test_gradient_by_differences(share: float) -> None:
    params = np.array(at(share))
    _, gradient = correlated.log_likelihood_gradient(params, X, T_X, T, period=PERIOD)
    for i in range(5):
        ahead, behind = params.copy(), params.copy()
        if i < 4:
            ahead[i] *= np.exp(1e-5)
            behind[i] *= np.exp(-1e-5)
        else:
            ahead[i] += 1e-5
            behind[i] -= 1e-5
        slope = (
            correlated.log_likelihood(ahead, X, T_X, T, period=PERIOD)
            - correlated.log_likelihood(behind, X, T_X, T, period=PERIOD)
        ) / 2e-5
        np.testing.assert_allclose(gradient[i], slope, rtol=1e-6, atol=1e-8)


def test_without_dependence_it_is_the_plain_model() -> None:
    params = at(0.0)
    np.testing.assert_array_equal(
        correlated.log_likelihood(params, X, T_X, T), pareto_nbd.log_likelihood(PLAIN, X, T_X, T)
    )
    np.testing.assert_array_equal(correlated.p_alive(params, X, T_X, T), pareto_nbd.p_alive(PLAIN, X, T_X, T))
    np.testing.assert_array_equal(
        correlated.conditional_expected_orders(params, X, T_X, T, 9.0),
        pareto_nbd.conditional_expected_orders(PLAIN, X, T_X, T, 9.0),
    )
    value, gradient = correlated.log_likelihood_gradient(params, X, T_X, T)
    plain, slopes = pareto_nbd.log_likelihood_gradient(PLAIN, X, T_X, T)
    np.testing.assert_array_equal(value, plain)
    np.testing.assert_array_equal(gradient[:4], slopes)


def test_the_unit_of_time_does_not_matter_where_the_period_goes_with_it() -> None:
    r, alpha, s, beta, m = at(0.7)
    in_days = (r, 7 * alpha, s, 7 * beta, m)
    np.testing.assert_allclose(
        correlated.p_alive(in_days, X, 7 * T_X, 7 * T, period=7 * PERIOD),
        correlated.p_alive((r, alpha, s, beta, m), X, T_X, T, period=PERIOD),
        rtol=1e-12,
    )


@pytest.mark.parametrize("share", [-0.8, 0.9])
def test_simulated_customers(share: float) -> None:
    params = at(share)
    rng = np.random.default_rng(8)
    drawn = correlated.simulate(params, np.full(200_000, T), rng, horizon=26.0, period=PERIOD)

    def close(sample: Array, wanted: float) -> None:
        assert abs(sample.mean() - wanted) < 4.5 * sample.std() / np.sqrt(sample.size)

    close(drawn.x, float(correlated.expected_orders(params, T, period=PERIOD)))
    for low, high, since in ((0, 0, 0), (1, 2, 5), (3, 99, 24)):
        group = (drawn.x >= low) & (drawn.x <= high) & (drawn.t_x >= since)
        history = drawn.x[group], drawn.t_x[group], drawn.T[group]
        close(drawn.alive[group] - correlated.p_alive(params, *history, period=PERIOD), 0)
        future = correlated.conditional_expected_orders(params, *history, 26.0, period=PERIOD)
        close(drawn.future[group] - future, 0)
    # The plain model with the same marginal rates expects something else: the test can tell them apart.
    plain = float(pareto_nbd.expected_orders(PLAIN, T))
    assert abs(drawn.x.mean() - plain) > 6 * drawn.x.std() / np.sqrt(drawn.x.size)
