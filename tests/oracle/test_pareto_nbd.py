"""Pareto/NBD by other ways to the same numbers: arbitrary precision, plain quadrature, differences, simulation."""

from __future__ import annotations

import mpmath as mp
import numpy as np
import pytest
from scipy.integrate import dblquad, quad
from scipy.special import gammaln

from evervalue.numerics.arrays import Array
from evervalue.numerics.functions.gauss_legendre import gauss_legendre
from evervalue.numerics.purchases import pareto_nbd
from evervalue.numerics.purchases.discounted_life import discounted_life, expected_life
from evervalue.numerics.purchases.order_counts import order_counts
from tests.support.exact_pareto_nbd import by_2f1, exact, stress_grid

CDNOW = (0.553277, 10.57768, 0.606240, 11.66873)
HISTORIES = np.array(
    [[0, 0, 38.86], [0, 0, 27.0], [2, 30.43, 38.86], [1, 1.71, 38.86], [7, 29.43, 38.86], [26, 30.857, 31.0]]
).T


def agrees(got: Array, wanted: Array) -> None:
    """Finite, and right to 1e-8 of its size or to 1e-12."""
    assert np.isfinite(got).all()
    wrong = (np.abs(got - wanted) > 1e-8 * np.abs(wanted)) & (np.abs(got - wanted) > 1e-12)
    assert not wrong.any(), f"{wrong.sum()} of {wrong.size}, first at {wrong.argmax()}"


def stress(n: int, seed: int) -> None:
    params, x, t_x, T, t = stress_grid(n, seed)
    wanted = np.array([exact(params[:, i], x[i], t_x[i], T[i], t[i]) for i in range(n)]).T
    agrees(pareto_nbd.log_likelihood(params, x, t_x, T), wanted[0])
    agrees(pareto_nbd.p_alive(params, x, t_x, T), wanted[1])
    agrees(pareto_nbd.conditional_expected_orders(params, x, t_x, T, t), wanted[2])


def test_stress_grid() -> None:
    stress(60, 1)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 110))
def test_stress_grid_of_ten_thousand(seed: int) -> None:
    stress(1_000, seed)


def test_nothing_on_a_large_stress_grid_is_not_finite() -> None:
    params, x, t_x, T, t = stress_grid(10_000, 3)
    value, gradient = pareto_nbd.log_likelihood_gradient(params, x, t_x, T)
    np.testing.assert_array_equal(value, pareto_nbd.log_likelihood(params, x, t_x, T))
    assert np.isfinite(gradient).all()
    worth = pareto_nbd.discounted_expected_orders(params, x, t_x, T, np.inf, 1e-4)
    finite = pareto_nbd.discounted_expected_orders(params, x, t_x, T, t, 1e-4)
    assert np.isfinite(worth).all()
    assert (finite <= worth * (1 + 1e-12)).all()
    undiscounted = pareto_nbd.conditional_expected_orders(params, x, t_x, T, t)
    assert (finite <= undiscounted * (1 + 1e-12)).all()


def test_the_exact_route_equals_the_closed_form() -> None:
    """The slow route that the stress grid is held against is itself held against two 2F1 in 60 digits."""
    rng = np.random.default_rng(5)
    for _ in range(12):
        params = 10 ** rng.uniform(-1, 1.5, 4)
        x, t_x, T = float(rng.integers(1, 40)), rng.uniform(1, 30), rng.uniform(30, 60)
        np.testing.assert_allclose(exact(params, x, t_x, T, 9.0), by_2f1(params, x, t_x, T, 9.0), rtol=1e-14)


def test_likelihood_by_integrating_over_both_rates() -> None:
    """From the definition: given lambda and mu, then the mean over their gamma densities."""
    r, alpha, s, beta = 1.3, 4.0, 2.1, 9.0
    x, t_x, T = 3, 5.0, 8.0

    def joint(mu: float, rate: float) -> float:
        both = rate + mu
        history = rate**x * (mu / both * np.exp(-both * t_x) + rate / both * np.exp(-both * T))
        log_density = (
            r * np.log(alpha) + (r - 1) * np.log(rate) - alpha * rate - gammaln(r)
            + s * np.log(beta) + (s - 1) * np.log(mu) - beta * mu - gammaln(s)
        )  # fmt: skip
        return float(history * np.exp(log_density))

    whole, _ = dblquad(joint, 0, 12, 0, 8, epsabs=0, epsrel=1e-9)
    value = pareto_nbd.log_likelihood((r, alpha, s, beta), x, t_x, T)
    assert value == pytest.approx(np.log(whole), rel=1e-8)


@pytest.mark.parametrize(
    "params", [CDNOW, (0.9, 8.0, 1.7, 3.0), (40.0, 300.0, 0.02, 5.0), (2.0, 7.0, 3.0, 7.0)]
)
def test_gradient_by_differences(params: tuple[float, ...]) -> None:
    _, gradient = pareto_nbd.log_likelihood_gradient(params, *HISTORIES)
    for i in range(4):
        step = np.zeros(4)
        step[i] = 1e-4
        ahead, far = np.array(params) * np.exp(step), np.array(params) * np.exp(2 * step)
        behind, back = np.array(params) * np.exp(-step), np.array(params) * np.exp(-2 * step)
        # Fourth order: the error is about 1e-16.
        slope = (
            8 * (pareto_nbd.log_likelihood(ahead, *HISTORIES) - pareto_nbd.log_likelihood(behind, *HISTORIES))
            - (pareto_nbd.log_likelihood(far, *HISTORIES) - pareto_nbd.log_likelihood(back, *HISTORIES))
        ) / 12e-4
        np.testing.assert_allclose(gradient[i], slope, rtol=1e-8, atol=1e-9)


def test_gradient_of_extreme_points_in_arbitrary_precision() -> None:
    params, x, t_x, T, t = stress_grid(6, 8)
    _, gradient = pareto_nbd.log_likelihood_gradient(params, x, t_x, T)
    for i in range(6):
        for j in range(4):
            step = np.ones(4)
            step[j] = np.exp(1e-3)
            ahead = exact(params[:, i] * step, x[i], t_x[i], T[i], t[i]).log_likelihood
            behind = exact(params[:, i] / step, x[i], t_x[i], T[i], t[i]).log_likelihood
            slope = (ahead - behind) / 2e-3
            # Second order in a step of 1e-3, of doubles that carry 1e-16 of the log-likelihood.
            near = 1e-5 * (1 + abs(slope)) + 1e-12 * abs(ahead)
            assert abs(gradient[j, i] - slope) < near, (i, j)


def test_counts_of_a_new_customer_by_plain_quadrature() -> None:
    r, alpha, s, beta = CDNOW
    t = 39.0

    def orders(n: int, w: float) -> float:
        log = gammaln(r + n) - gammaln(r) - gammaln(n + 1) + r * np.log(alpha / (alpha + w))
        return float(np.exp(log) * (w / (alpha + w)) ** n)

    got = pareto_nbd.pmf(CDNOW, t, 12)
    for n in (0, 1, 2, 5, 12):
        left, _ = quad(
            lambda w, n=n: s / beta * (1 + w / beta) ** (-s - 1) * orders(n, w), 0, t, epsabs=1e-14
        )
        assert got[n] == pytest.approx(left + (1 + t / beta) ** -s * orders(n, t), rel=1e-10)


def test_counts_do_not_change_with_more_nodes() -> None:
    rng = np.random.default_rng(4)
    a, c, s, d = 10 ** rng.uniform(-3, 4, (4, 200))
    t = 10 ** rng.uniform(-2, 4, 200)
    counts = order_counts(a, c, s, d, t, 25)
    node, weight = (column[:, None] for column in gauss_legendre(1500))
    # The same integral over log w from far below: another variable, all nodes for everyone.
    low = np.log(np.minimum(t, np.minimum(c / a, d / s))) - 40
    high = np.log(t)
    w = np.exp(low + node * (high - low))
    log_rest = np.log(weight * (high - low)) + np.log(w) + np.log(s / d) - (s + 1) * np.log1p(w / d)
    for n in (0, 1, 7, 25):
        ways = gammaln(a + n) - gammaln(a) - gammaln(n + 1)

        def probability(w: Array, n: int = n, ways: Array = ways) -> Array:
            log: Array = ways - a * np.log1p(w / c) - n * np.log1p(c / w)
            return log

        wanted = np.exp(log_rest + probability(w)).sum(axis=0) + np.exp(probability(t) - s * np.log1p(t / d))
        np.testing.assert_allclose(counts[n], wanted, atol=1e-10)


def test_counts_add_up_to_the_expectation() -> None:
    x, t_x, T = HISTORIES
    t = np.array([0.5, 13.0, 52.0])[:, None]
    counts = pareto_nbd.conditional_pmf(CDNOW, x, t_x, T, t, 600)
    assert counts.shape == (3, 6, 601)
    np.testing.assert_allclose(counts.sum(axis=-1), 1, atol=1e-12)
    expected = pareto_nbd.conditional_expected_orders(CDNOW, x, t_x, T, t)
    np.testing.assert_allclose(counts @ np.arange(601.0), expected, rtol=1e-9)
    new = pareto_nbd.pmf(CDNOW, 39.0, 600)
    assert new @ np.arange(601.0) == pytest.approx(pareto_nbd.expected_orders(CDNOW, 39.0), rel=1e-9)


def test_expected_life_in_arbitrary_precision_around_its_singular_point() -> None:
    for s in (0.2, 1 - 1e-6, 1 - 1e-13, 1.0, 1 + 1e-15, 1 + 1e-9, 1.5, 1e5):
        with mp.workdps(60):
            power = mp.mpf(s) - 1
            growth = 1 + mp.mpf(52) / mp.mpf(3)
            wanted = 3 * (mp.log(growth) if power == 0 else (1 - growth**-power) / power)
        assert float(expected_life(s, 3.0, 52.0)) == pytest.approx(float(wanted), rel=1e-14)


def test_discounted_life_in_arbitrary_precision() -> None:
    rng = np.random.default_rng(6)
    for _ in range(20):
        s, b = 10 ** rng.uniform(-4, 3), 10 ** rng.uniform(-3, 4)
        delta, t = 10 ** rng.uniform(-6, 1), 10 ** rng.uniform(-2, 4)
        with mp.workdps(30):
            endless = b * mp.hyperu(1, 2 - mp.mpf(s), mp.mpf(delta) * b)
            later = (1 + mp.mpf(t) / b) ** -mp.mpf(s) * mp.exp(-mp.mpf(delta) * t) * (mp.mpf(b) + t)
            wanted = endless - later * mp.hyperu(1, 2 - mp.mpf(s), mp.mpf(delta) * (mp.mpf(b) + t))
        assert float(discounted_life(s, b, np.inf, delta)) == pytest.approx(float(endless), rel=1e-12)
        assert float(discounted_life(s, b, t, delta)) == pytest.approx(float(wanted), rel=1e-12)


def test_discounting_counts_each_order_at_its_time() -> None:
    """In small steps of time: expected orders of each step at that step's worth."""
    edges = np.linspace(0, 39, 4001)
    expected = pareto_nbd.conditional_expected_orders(CDNOW, 2, 30.43, 38.86, edges)
    worth = np.exp(-0.05 * (edges[1:] + edges[:-1]) / 2)
    got = pareto_nbd.discounted_expected_orders(CDNOW, 2, 30.43, 38.86, 39.0, 0.05)
    assert float(got) == pytest.approx(float(np.diff(expected) @ worth), rel=1e-6)
    new = np.diff(pareto_nbd.expected_orders(CDNOW, edges)) @ worth
    assert float(pareto_nbd.new_discounted_expected_orders(CDNOW, 39.0, 0.05)) == pytest.approx(new, rel=1e-6)


@pytest.mark.parametrize("params", [CDNOW, (2.5, 12.0, 1.8, 30.0)])
def test_simulated_customers(params: tuple[float, ...]) -> None:
    """P(alive), expectations and counts are what 300,000 simulated customers do, within 4.5 standard errors."""
    rng = np.random.default_rng(20)
    n = 300_000
    drawn = pareto_nbd.simulate(params, np.full(n, 39.0), rng, horizon=26.0)

    def close(sample: Array, wanted: float) -> None:
        assert abs(sample.mean() - wanted) < 4.5 * sample.std() / np.sqrt(sample.size)

    close(drawn.x, float(pareto_nbd.expected_orders(params, 39.0)))
    counts = pareto_nbd.pmf(params, 39.0, 6)
    for k in range(7):
        close(drawn.x == k, counts[k])
    for low, high, order in ((0, 0, 0), (1, 1, 10), (1, 1, 30), (2, 4, 20), (2, 4, 35), (5, 99, 35)):
        group = (drawn.x >= low) & (drawn.x <= high) & (drawn.t_x >= order)
        x, t_x, T = drawn.x[group], drawn.t_x[group], drawn.T[group]
        assert group.sum() > 500
        close(drawn.alive[group] - pareto_nbd.p_alive(params, x, t_x, T), 0)
        future = drawn.future[group]
        close(future - pareto_nbd.conditional_expected_orders(params, x, t_x, T, 26.0), 0)
        chances = pareto_nbd.conditional_pmf(params, x, t_x, T, 26.0, 3)
        for k in range(4):
            close((future == k) - chances[:, k], 0)
        close(future - pareto_nbd.sample_orders(params, x, t_x, T, 26.0, rng), 0)
