"""BG/NBD by second methods: arbitrary precision, integration over each customer's own rates, and plain simulation."""

from __future__ import annotations

from typing import Any

import mpmath as mp
import numpy as np
import pytest

from evervalue.numerics.arrays import Array
from evervalue.numerics.purchases import bg_nbd
from evervalue.numerics.purchases.discounted_orders import discounted
from tests.support import plain_orders
from tests.support.exact_bg_nbd import Points, exact, points, rates

PARAMS = (0.6, 5.0, 0.9, 2.5)


def assert_exact(at: Points) -> None:
    """Log-likelihood, P(alive) and expected orders to 1e-10, where the contract asks for 1e-8."""
    ll = bg_nbd.log_likelihood(at.params, at.x, at.t_x, at.T)
    alive = bg_nbd.p_alive(at.params, at.x, at.t_x, at.T)
    orders = bg_nbd.conditional_expected_orders(at.params, at.x, at.t_x, at.T, at.t)
    for i in range(len(at.x)):
        where = (*(float(p[i]) for p in at.params), at.x[i], at.t_x[i], at.T[i], at.t[i])
        want = exact(where[:4], *where[4:])
        for got, value in (
            (ll[i], want.log_likelihood),
            (alive[i], want.p_alive),
            (orders[i], want.p_alive * want.if_active),
        ):
            assert abs(got - value) <= max(1e-12, 1e-10 * abs(value)), (where, got, value)


def test_anywhere() -> None:
    assert_exact(points(250, seed=11))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_ten_thousand_points(seed: int) -> None:
    assert_exact(points(1_000, seed=100 + seed))


def test_gradient_anywhere() -> None:
    at = points(60, seed=12)
    gradient = bg_nbd.log_likelihood_gradient(at.params, at.x, at.t_x, at.T)[1]
    for i in range(60):
        params = [float(p[i]) for p in at.params]
        for k in range(4):

            def along(log_step: Any, i: int = i, k: int = k, params: list[float] = params) -> Any:
                moved = [mp.mpf(p) * (mp.exp(log_step) if j == k else 1) for j, p in enumerate(params)]
                return closed_form(moved, at.x[i], at.t_x[i], at.T[i])

            with mp.workdps(60):
                slope = mp.diff(along, 0)
            assert abs(gradient[k, i] - slope) <= max(1e-9, 1e-9 * abs(slope)), (params, k)


def closed_form(params: list[Any], x: float, t_x: float, T: float) -> Any:
    """Equation 6 of Fader, Hardie and Lee (2005)."""
    r, alpha, a, b = params
    x, t_x, T = int(x), mp.mpf(t_x), mp.mpf(T)
    still = mp.beta(a, b + x) / mp.beta(a, b) / (alpha + T) ** (r + x)
    left = mp.beta(a + 1, b + x - 1) / mp.beta(a, b) / (alpha + t_x) ** (r + x) if x else 0
    return mp.loggamma(r + x) - mp.loggamma(r) + r * mp.log(alpha) + mp.log(still + left)


@pytest.mark.parametrize(("x", "t_x"), [(0, 0.0), (1, 3.0), (4, 20.0)])
def test_likelihood_is_the_mean_over_customers(x: int, t_x: float) -> None:
    """Each customer's own likelihood, integrated over lambda and p."""
    T = 30.0

    rate, p, density = rates(PARAMS)
    likelihood = (1 - p) ** x * rate**x * np.exp(-rate * T)
    if x:
        likelihood += p * (1 - p) ** (x - 1) * rate**x * np.exp(-rate * t_x)
    whole = (density * likelihood).sum()
    got = float(bg_nbd.log_likelihood(PARAMS, x, t_x, T))
    assert got == pytest.approx(np.log(whole), abs=1e-10)


@pytest.fixture(scope="module")
def followed() -> plain_orders.Followed:
    return plain_orders.follow(PARAMS, T=30.0, horizon=20.0, customers=150_000, first_may_end=False, seed=5)


def test_new_customers_are_as_simulated_order_by_order(followed: plain_orders.Followed) -> None:
    n = len(followed.x)
    shares = np.bincount(followed.x.astype(int), minlength=9)[:9] / n
    chances = bg_nbd.pmf(PARAMS, 30.0, 8)
    assert np.all(np.abs(shares - chances) < 4.5 * np.sqrt(chances * (1 - chances) / n))
    assert_mean(followed.x, bg_nbd.expected_orders(PARAMS, 30.0))
    assert_mean(followed.x + followed.future, bg_nbd.expected_orders(PARAMS, 50.0))


def test_known_customers_are_as_simulated_order_by_order(followed: plain_orders.Followed) -> None:
    history = followed.x, followed.t_x, 30.0
    alive = bg_nbd.p_alive(PARAMS, *history)
    orders = bg_nbd.conditional_expected_orders(PARAMS, *history, 20.0)
    none = bg_nbd.conditional_pmf(PARAMS, *history, 20.0, 0)[:, 0]
    for some in plain_orders.groups(followed):
        assert_mean(followed.alive[some] - alive[some])
        assert_mean(followed.future[some] - orders[some])
        assert_mean((followed.future[some] == 0) - none[some])


def test_simulation_without_a_loop_follows_the_same_law(followed: plain_orders.Followed) -> None:
    rng = np.random.default_rng(1)
    drawn = bg_nbd.simulate(PARAMS, np.full(150_000, 30.0), rng, 20.0)
    for name in ("x", "t_x", "future", "alive"):
        plain, quick = getattr(followed, name).astype(float), getattr(drawn, name).astype(float)
        error = np.sqrt((plain.var() + quick.var()) / 150_000)
        assert abs(plain.mean() - quick.mean()) < 4.5 * error, name
    # The last order's place in the silence, by number of orders.
    for x in (1.0, 3.0):
        plain, quick = followed.t_x[followed.x == x], drawn.t_x[drawn.x == x]
        for power in (1, 2):
            error = np.sqrt((plain**power).var() / len(plain) + (quick**power).var() / len(quick))
            assert abs((plain**power).mean() - (quick**power).mean()) < 4.5 * error


def test_draws_follow_the_conditional_law() -> None:
    rng = np.random.default_rng(2)
    history = 3.0, 25.0, 30.0
    draws = bg_nbd.sample_orders(PARAMS, np.full(200_000, 3.0), 25.0, 30.0, 20.0, rng)
    shares = np.bincount(draws.astype(int), minlength=7)[:7] / 200_000
    chances = bg_nbd.conditional_pmf(PARAMS, *history, 20.0, 6)
    assert np.all(np.abs(shares - chances) < 4.5 * np.sqrt(chances * (1 - chances) / 200_000))


def test_counts_against_equation_8() -> None:
    """In 200 digits, as printed: a difference, which loses digits that these have to spare."""
    for params in (PARAMS, (50.0, 0.2, 0.01, 30.0), (0.02, 400.0, 20.0, 0.3)):
        counts = bg_nbd.pmf(params, 12.0, 60)
        with mp.workdps(200):
            r, alpha, a, b = (mp.mpf(p) for p in params)
            for n in (0, 1, 2, 10, 60):
                share = mp.mpf(12) / (alpha + 12)
                poisson = [
                    mp.rf(r, j) / mp.factorial(j) * (1 - share) ** r * share**j for j in range(max(n, 1))
                ]
                want = (
                    mp.beta(a, b + n)
                    / mp.beta(a, b)
                    * (mp.rf(r, n) / mp.factorial(n) * (1 - share) ** r * share**n)
                )
                if n:
                    want += mp.beta(a + 1, b + n - 1) / mp.beta(a, b) * (1 - mp.fsum(poisson[:n]))
                assert abs(counts[n] - want) <= 1e-12 * want, (params, n)


@pytest.mark.parametrize("t", [26.0, np.inf])
@pytest.mark.parametrize("delta", [1e-4, 0.0027, 0.3])
@pytest.mark.parametrize(("x", "t_x", "T"), [(0.0, 0.0, 8.0), (7.0, 35.0, 38.0)])
def test_discounted_orders_against_their_density(
    x: float, t_x: float, T: float, t: float, delta: float
) -> None:
    """The density of orders at u, a 2F1, integrated against exp(-delta u) in mpmath."""
    r, alpha, a, b = PARAMS
    got = float(bg_nbd.discounted_expected_orders(PARAMS, x, t_x, T, t, delta))
    R, c, stays = r + x, alpha + T, b + x

    def worth(v: Any) -> Any:
        u = mp.exp(v)
        density = R / c * mp.hyp2f1(R + 1, a, a + stays, -u / c)
        return u * density * mp.exp(-delta * u)

    end = min(t, 45 / delta)
    whole = mp.quad(worth, [*np.linspace(-40, 0, 5), *np.linspace(1, np.log(end), 6)])
    alive = float(bg_nbd.p_alive(PARAMS, x, t_x, T))
    assert got == pytest.approx(alive * float(whole), rel=1e-10)


def test_discounted_orders_anywhere() -> None:
    """Without end, each customer is worth rate / (delta + rate p): trapezoids over log odds of p and log rate."""
    rng = np.random.default_rng(3)
    y = np.linspace(-80, 80, 4_001)[:, None]
    v = np.linspace(-80, 8, 2_201)[None, :]
    for _ in range(8):
        R, c, a, b, delta = 10 ** rng.uniform(-0.3, 2, 5)
        delta /= c
        log_p, log_q = -np.logaddexp(0, -y), -np.logaddexp(0, y)
        of_p = np.exp(a * log_p + b * log_q)
        of_rate = np.exp(R * v - np.exp(v))
        rate = np.exp(v) / c
        worth = rate / (delta + rate * np.exp(log_p))
        want = (of_p * of_rate * worth).sum() / (of_p.sum() * of_rate.sum())
        got = float(discounted(R, c, a, b, np.inf, delta))
        assert got == pytest.approx(want, rel=1e-10), (R, c, a, b, delta)


def assert_mean(values: Array, want: float | Array = 0.0) -> None:
    values = np.asarray(values, dtype=float)
    assert abs(values.mean() - want) <= 4.5 * values.std() / np.sqrt(len(values))
