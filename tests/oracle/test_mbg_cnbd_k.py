"""MBG/CNBD-k by second methods: arbitrary precision, sums, integration over rates, and simulation by the order."""

from __future__ import annotations

import math
from typing import Any

import mpmath as mp
import numpy as np
import pytest
from scipy.special import betainc, betaln, gammaincc

from evervalue.numerics.arrays import Array
from evervalue.numerics.estimation.optimise import maximise
from evervalue.numerics.purchases import active, mbg_cnbd_k
from tests.support import online_retail, plain_orders
from tests.support.exact_bg_nbd import Points, exact, exact_regular, points, rates

PARAMS = (0.9, 1.6, 0.8, 2.4)


def assert_exact(at: Points) -> None:
    """k = 1, MBG/NBD: log-likelihood, P(alive) and expected orders to 1e-10."""
    ll = mbg_cnbd_k.log_likelihood(at.params, at.x, at.t_x, at.T)
    alive = mbg_cnbd_k.p_alive(at.params, at.x, at.t_x, at.T)
    orders = mbg_cnbd_k.conditional_expected_orders(at.params, at.x, at.t_x, at.T, at.t)
    for i in range(len(at.x)):
        where = (*(float(p[i]) for p in at.params), at.x[i], at.t_x[i], at.T[i], at.t[i])
        want = exact(where[:4], *where[4:], modified=True)
        for got, value in (
            (ll[i], want.log_likelihood),
            (alive[i], want.p_alive),
            (orders[i], want.p_alive * want.if_active),
        ):
            assert abs(got - value) <= max(1e-12, 1e-10 * abs(value)), (where, got, value)


def test_mbg_nbd_anywhere() -> None:
    assert_exact(points(80, seed=21))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_mbg_nbd_at_ten_thousand_points(seed: int) -> None:
    assert_exact(points(1_000, seed=200 + seed))


@pytest.mark.parametrize("k", [2, 3, 8, 50])
def test_regular_likelihood_anywhere(k: int) -> None:
    at = points(100, seed=22 + k)
    ll = mbg_cnbd_k.log_likelihood(at.params, at.x, at.t_x, at.T, k)
    alive = mbg_cnbd_k.p_alive(at.params, at.x, at.t_x, at.T, k)
    for i in range(100):
        params = tuple(float(p[i]) for p in at.params)
        want, want_alive = exact_regular(params, at.x[i], at.t_x[i], at.T[i], k)
        assert abs(ll[i] - want) <= max(1e-12, 1e-10 * abs(want)), (params, at.x[i], at.t_x[i], at.T[i])
        assert abs(alive[i] - want_alive) <= max(1e-12, 1e-9 * want_alive)


@pytest.mark.parametrize("k", [1, 2, 5])
def test_gradient_anywhere(k: int) -> None:
    at = points(25, seed=30 + k)
    gradient = mbg_cnbd_k.log_likelihood_gradient(at.params, at.x, at.t_x, at.T, k)[1]
    for i in range(25):
        params = [float(p[i]) for p in at.params]
        for j in range(4):

            def along(log_step: Any, i: int = i, j: int = j, params: list[float] = params) -> Any:
                moved = [mp.mpf(p) * (mp.exp(log_step) if n == j else 1) for n, p in enumerate(params)]
                return closed_form(moved, at.x[i], at.t_x[i], at.T[i], k)

            with mp.workdps(60):
                slope = mp.diff(along, 0)
            assert abs(gradient[j, i] - slope) <= max(1e-9, 1e-9 * abs(slope)), (params, j)


def closed_form(params: list[Any], x: float, t_x: float, T: float, k: int) -> Any:
    r, alpha, a, b = params
    x, t_x, T = int(x), mp.mpf(t_x), mp.mpf(T)
    R = r + k * x
    still = mp.fsum(
        (T - t_x) ** j / mp.factorial(j) * mp.rf(R, j) / (alpha + T) ** (R + j) for j in range(k)
    ) * mp.beta(a, b + x + 1)
    left = mp.beta(a + 1, b + x) / (alpha + t_x) ** R
    return mp.loggamma(R) - mp.loggamma(r) + r * mp.log(alpha) + mp.log((still + left) / mp.beta(a, b))


@pytest.mark.parametrize("k", [1, 2, 3])
@pytest.mark.parametrize(("x", "t_x"), [(0, 0.0), (3, 20.0)])
def test_likelihood_is_the_mean_over_customers(x: int, t_x: float, k: int) -> None:
    """Each customer's own likelihood of intervals that sum to t_x, integrated over lambda and p."""
    T = 30.0
    intervals = [0.5 * t_x, 0.2 * t_x, 0.3 * t_x][:x]

    rate, p, density = rates(PARAMS)
    likelihood = (1 - p) ** x * (p + (1 - p) * gammaincc(k, rate * (T - t_x)))
    for gap in intervals:
        likelihood = likelihood * rate**k * gap ** (k - 1) * np.exp(-rate * gap) / math.factorial(k - 1)
    whole = (density * likelihood).sum()
    got = mbg_cnbd_k.log_likelihood(PARAMS, x, t_x, T, k) + mbg_cnbd_k.interval_log_likelihood(
        x, sum(np.log(gap) for gap in intervals), k
    )
    assert float(got) == pytest.approx(np.log(whole), abs=1e-10)


@pytest.mark.parametrize("k", [2, 3, 7])
def test_expected_orders_against_a_plain_sum(k: int) -> None:
    """Sum over n of E[(1 - p)^(n - 1)] P(M >= n k - done), to the last n that counts."""
    rng = np.random.default_rng(40 + k)
    n = np.arange(1, 40_001.0)
    checked = 0
    for _ in range(80):
        R, a, b = 10 ** rng.uniform(-4, 5, 3)
        z, done = 10 ** rng.uniform(-6, 4), int(rng.integers(k))
        events = betainc(n * k - done, R, z / (1 + z))
        if events[-1] > 1e-16 * events[0]:
            continue
        want = (np.exp(betaln(a, b + n - 1) - betaln(a, b)) * events).sum()
        got = float(active.expected(R, 1.0, a, b, z, k=k, done=done))
        # The beta functions of the plain sum are good to some 1e-9 where a + b is large.
        assert got == pytest.approx(want, rel=1e-8, abs=1e-14), (R, a, b, z, done)
        checked += 1
    assert checked > 40


@pytest.fixture(scope="module", params=[1, 2, 4])
def followed(request: pytest.FixtureRequest) -> tuple[int, plain_orders.Followed]:
    k = int(request.param)
    return k, plain_orders.follow(
        PARAMS, T=30.0, horizon=20.0, customers=100_000, first_may_end=True, k=k, seed=50 + k
    )


def test_new_customers_are_as_simulated_order_by_order(followed: tuple[int, plain_orders.Followed]) -> None:
    k, seen = followed
    n = len(seen.x)
    shares = np.bincount(seen.x.astype(int), minlength=9)[:9] / n
    chances = mbg_cnbd_k.pmf(PARAMS, 30.0, 8, k)
    assert np.all(np.abs(shares - chances) < 4.5 * np.sqrt(chances * (1 - chances) / n))
    assert_mean(seen.x, mbg_cnbd_k.expected_orders(PARAMS, 30.0, k))
    assert_mean(seen.x + seen.future, mbg_cnbd_k.expected_orders(PARAMS, 50.0, k))


def test_known_customers_are_as_simulated_order_by_order(followed: tuple[int, plain_orders.Followed]) -> None:
    k, seen = followed
    history = seen.x, seen.t_x, 30.0
    alive = mbg_cnbd_k.p_alive(PARAMS, *history, k)
    none = mbg_cnbd_k.conditional_pmf(PARAMS, *history, 20.0, 0, k)[:, 0]
    few = slice(0, 20_000)
    orders = np.zeros(len(seen.x))
    orders[few] = mbg_cnbd_k.conditional_expected_orders(PARAMS, seen.x[few], seen.t_x[few], 30.0, 20.0, k)
    for some in plain_orders.groups(seen):
        assert_mean(seen.alive[some] - alive[some])
        assert_mean((seen.future[some] == 0) - none[some])
        assert_mean((seen.future - orders)[few][some[few]])


def test_simulation_without_a_loop_follows_the_same_law(followed: tuple[int, plain_orders.Followed]) -> None:
    k, seen = followed
    n = len(seen.x)
    drawn = mbg_cnbd_k.simulate(PARAMS, np.full(n, 30.0), np.random.default_rng(1), 20.0, k)
    for name in ("x", "t_x", "future", "alive"):
        plain, quick = getattr(seen, name).astype(float), getattr(drawn, name).astype(float)
        assert abs(plain.mean() - quick.mean()) < 4.5 * np.sqrt((plain.var() + quick.var()) / n), name
    for x in (1.0, 3.0):
        plain, quick = seen.t_x[seen.x == x], drawn.t_x[drawn.x == x]
        for power in (1, 2):
            error = np.sqrt((plain**power).var() / len(plain) + (quick**power).var() / len(quick))
            assert abs((plain**power).mean() - (quick**power).mean()) < 4.5 * error


@pytest.mark.parametrize("k", [1, 3])
def test_draws_follow_the_conditional_law(k: int) -> None:
    rng = np.random.default_rng(2)
    history = 3.0, 25.0, 30.0
    draws = mbg_cnbd_k.sample_orders(PARAMS, np.full(200_000, 3.0), 25.0, 30.0, 20.0, rng, k)
    shares = np.bincount(draws.astype(int), minlength=7)[:7] / 200_000
    chances = mbg_cnbd_k.conditional_pmf(PARAMS, *history, 20.0, 6, k)
    assert np.all(np.abs(shares - chances) < 4.5 * np.sqrt(chances * (1 - chances) / 200_000))


@pytest.mark.parametrize("k", [1, 2, 3, 6])
@pytest.mark.parametrize("delta", [0.002, 0.2])
def test_discounted_orders_against_a_sum_over_short_periods(k: int, delta: float) -> None:
    """Differences of the expectation, discounted at the middle of many periods; twice, as the error falls by four."""
    history = 4.0, 20.0, 24.0
    by_hand = []
    for steps in (2_000, 4_000):
        u = np.linspace(0, 50, steps + 1)
        until = mbg_cnbd_k.conditional_expected_orders(PARAMS, *history, u, k)
        by_hand.append((np.diff(until) * np.exp(-delta * (u[1:] + u[:-1]) / 2)).sum())
    want = (4 * by_hand[1] - by_hand[0]) / 3
    got = float(mbg_cnbd_k.discounted_expected_orders(PARAMS, *history, 50.0, delta, k))
    assert got == pytest.approx(want, rel=1e-9)


def test_regularity_of_a_wholesaler_two_ways() -> None:
    """Likelihood picks k = 2 of 1, 2, 3; so does the ratio of each customer's last two intervals.

    Wheat and Morrison (1990), "Estimating purchase regularity with two interpurchase times": the ratio is Beta(k, k).
    """
    c = online_retail.calibration()
    x, data = c["frequency"], (c["frequency"], c["recency"], c["T"])

    def log_likelihood(k: int) -> float:
        def objective(log_params: Array) -> tuple[float, Array]:
            ll, gradient = mbg_cnbd_k.log_likelihood_gradient(np.exp(log_params), *data, k)
            return float(ll.sum()), gradient.sum(axis=1)

        wide = np.full(4, 12.0)
        best = maximise(objective, [np.log([0.8, 6 / k, 0.8, 2.4])], lower=-wide, upper=wide)
        return best.value + float(mbg_cnbd_k.interval_log_likelihood(x, c["log_interval_sum"], k).sum())

    found = [log_likelihood(k) for k in (1, 2, 3)]
    assert found == pytest.approx([-21_758.02, -21_220.81, -21_655.07], abs=0.02)
    share = online_retail.last_two_intervals()
    spread = float(share.var())
    assert round((1 - 4 * spread) / (8 * spread)) == 2


def assert_mean(values: Array, want: float | Array = 0.0) -> None:
    values = np.asarray(values, dtype=float)
    assert abs(values.mean() - want) <= 4.5 * values.std() / np.sqrt(len(values))
