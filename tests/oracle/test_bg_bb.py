"""BG/BB against the paper's closed forms in 40 digits, against all sequences of purchases, and against simulation."""

from __future__ import annotations

from itertools import product

import mpmath as mp
import numpy as np
import pytest

from evervalue.numerics.arrays import Array
from evervalue.numerics.periods import bg_bb

PARAMS = (1.2, 0.75, 0.66, 2.78)
FAR = 1e-9


def points(size: int, seed: int, longest: int = 500) -> tuple[Array, ...]:
    """Random parameters from 1e-4 to 1e5 and random histories, a fifth of them with a purchase at the end."""
    rng = np.random.default_rng(seed)
    params = np.exp(rng.uniform(np.log(1e-4), np.log(1e5), (4, size)))
    n = np.exp(rng.uniform(0, np.log(longest + 0.99), size)).astype(int)
    t_x = np.where(rng.random(size) < 0.2, n, rng.integers(0, n + 1))
    x = np.where(t_x > 0, 1 + (rng.random(size) * t_x).astype(int), 0)
    return params, x.astype(float), t_x.astype(float), n.astype(float)


class Exact:
    """The paper's formulas for one customer."""

    def __init__(self, params: Array, x: float, t_x: float, n: float) -> None:
        self.a, self.b, self.g, self.d = (mp.mpf(float(p)) for p in params)
        self.x, self.n = int(x), int(n)
        a, b, g, d = self.a, self.b, self.g, self.d
        self.there = self.beta(a, b, self.x, self.n - self.x) * self.beta(d, g, self.n, 0)
        gone = mp.mpf(0)
        last = int(t_x)
        term = self.beta(a, b, self.x, last - self.x) * self.beta(g, d, 1, last)
        for i in range(self.n - last):
            gone += term
            silent = (b + last - self.x + i) / (a + b + last + i)
            term *= silent * (d + last + i) / (g + d + 1 + last + i)
        self.likelihood = self.there + gone

    def beta(self, a: mp.mpf, b: mp.mpf, i: int, j: int) -> mp.mpf:
        """B(a + i, b + j) / B(a, b)."""
        return mp.rf(a, i) * mp.rf(b, j) / mp.rf(a + b, i + j)

    def p_alive(self) -> mp.mpf:
        return self.there / self.likelihood * (self.d + self.n) / (self.g + self.d + self.n)

    def expected(self, t: int) -> mp.mpf:
        """Equation 13."""
        a, b, g, d, x, n = self.a, self.b, self.g, self.d, self.x, self.n
        mean = self.beta(a, b, x + 1, n - x) * d / (g - 1)
        return mean * (self.rest(n) - self.rest(n + t)) / self.likelihood

    def rest(self, n: int) -> mp.mpf:
        """Gamma(gamma + delta) Gamma(1 + delta + n) / (Gamma(gamma + delta + n) Gamma(1 + delta))."""
        return mp.rf(1 + self.d, n) / mp.rf(self.g + self.d, n)

    def conditional_pmf(self, t: int, k: int) -> mp.mpf:
        a, b, x, n = self.a, self.b, self.x, self.n
        found = 1 - self.there / self.likelihood if k == 0 else mp.mpf(0)
        for s in range(k, t + 1):
            ways = mp.binomial(s, k) * self.beta(a + x, b + n - x, k, s - k)
            stays = self.beta(self.d + n, self.g, s, 0 if s == t else 1)
            found += self.there / self.likelihood * ways * stays
        return found

    def dert(self, d: mp.mpf) -> mp.mpf:
        """Equation 14, its 2F1 as the sum that it stands for."""
        a, b, x, n = self.a, self.b, self.x, self.n
        term, total = mp.mpf(1), mp.mpf(0)
        for i in range(100_000):
            term *= (self.d + n + i) / ((self.g + self.d + n + i) * (1 + d))
            total += term
            if term < total * d * mp.mpf(10) ** -16:
                break
        return self.there / self.likelihood * (a + x) / (a + b + n) * total


def agrees(found: float, exact: mp.mpf) -> bool:
    return bool(abs(found - exact) <= max(FAR * abs(exact), mp.mpf(10) ** -13))


def check(size: int, seed: int, longest: int) -> None:
    params, x, t_x, n = points(size, seed, longest)
    log_likelihood, gradient = bg_bb.log_likelihood_gradient(params, x, t_x, n)
    assert np.isfinite(gradient).all()
    assert bg_bb.log_likelihood(params, x, t_x, n) == pytest.approx(log_likelihood, rel=1e-14)
    alive = bg_bb.p_alive(params, x, t_x, n)
    expected = bg_bb.conditional_expected_orders(params, x, t_x, n, 37)
    with mp.workdps(40):
        for i in range(size):
            exact = Exact(params[:, i], x[i], t_x[i], n[i])
            where = (params[:, i], x[i], t_x[i], n[i])
            assert agrees(log_likelihood[i], mp.log(exact.likelihood)), where
            assert agrees(alive[i], exact.p_alive()), where
            assert agrees(expected[i], exact.expected(37)), where


def test_random_points_in_40_digits() -> None:
    check(300, 1, 400)


@pytest.mark.slow
def test_ten_thousand_random_points_in_40_digits() -> None:
    check(10_000, 2, 500)


def test_laws_and_discounted_expectations_in_40_digits() -> None:
    params, x, t_x, n = points(60, 3, 60)
    d = np.exp(np.random.default_rng(4).uniform(np.log(0.03), np.log(2), 60))
    law = bg_bb.conditional_pmf(params, x, t_x, n, 9, 10)
    dert = bg_bb.discounted_expected_orders(params, x, t_x, n, np.inf, np.log1p(d))
    with mp.workdps(40):
        for i in range(60):
            exact = Exact(params[:, i], x[i], t_x[i], n[i])
            for k in range(10):
                assert agrees(law[i, k], exact.conditional_pmf(9, k)), (i, k)
            assert agrees(dert[i], exact.dert(mp.expm1(mp.log1p(mp.mpf(d[i]))))), i
    assert not law[:, 10].any()


def test_gradient_against_differences() -> None:
    params, x, t_x, n = points(200, 5, 60)
    params = np.clip(params, 1e-2, 1e3)
    _, gradient = bg_bb.log_likelihood_gradient(params, x, t_x, n)
    h = 1e-5
    for k in range(4):
        step = np.exp(h * (np.arange(4) == k))[:, None]
        up, down = (bg_bb.log_likelihood(params * s, x, t_x, n) for s in (step, 1 / step))
        assert gradient[k] == pytest.approx((up - down) / (2 * h), rel=1e-5, abs=1e-6)


def histories(n: int) -> dict[tuple[int, ...], mp.mpf]:
    """Chance of every sequence of n purchases and silences, over every opportunity to leave at."""
    a, b, g, d = (mp.mpf(p) for p in PARAMS)
    chance: dict[tuple[int, ...], mp.mpf] = {}
    for s in range(n + 1):
        leaves = mp.beta(g + (s < n), d + s) / mp.beta(g, d)
        for kept in product((0, 1), repeat=s):
            sequence = kept + (0,) * (n - s)
            bought = mp.beta(a + sum(kept), b + s - sum(kept)) / mp.beta(a, b)
            chance[sequence] = chance.get(sequence, mp.mpf(0)) + leaves * bought
    return chance


def test_every_sequence_of_purchases_over_eight_opportunities() -> None:
    """Likelihood, law and conditional law by counting sequences out: five opportunities seen, three to come."""
    n, t = 5, 3
    whole, seen = histories(n + t), histories(n)
    assert float(sum(whole.values())) == pytest.approx(1, abs=1e-14)
    law = np.zeros(n + t + 1)
    for sequence, chance in whole.items():
        law[sum(sequence)] += float(chance)
    assert bg_bb.pmf(PARAMS, n + t, n + t) == pytest.approx(law, rel=1e-12)
    for past, chance in seen.items():
        x, t_x = sum(past), max((i + 1 for i in range(n) if past[i]), default=0)
        assert float(bg_bb.log_likelihood(PARAMS, x, t_x, n)) == pytest.approx(
            float(mp.log(chance)), rel=1e-13
        )
        later = np.zeros(t + 1)
        for future in product((0, 1), repeat=t):
            later[sum(future)] += float(whole[past + future] / chance)
        assert bg_bb.conditional_pmf(PARAMS, x, t_x, n, t, t) == pytest.approx(later, rel=1e-12)
        mean = float(later @ np.arange(t + 1))
        assert float(bg_bb.conditional_expected_orders(PARAMS, x, t_x, n, t)) == pytest.approx(
            mean, rel=1e-12
        )


def test_simulation_agrees() -> None:
    """200,000 customers over six opportunities and five to come, within five standard errors."""
    size, n, t = 200_000, 6, 5
    drawn = bg_bb.simulate(PARAMS, np.full(size, float(n)), np.random.default_rng(6), horizon=t)
    assert ((drawn.t_x == 0) == (drawn.x == 0)).all()
    assert (drawn.x <= drawn.t_x).all()
    share = np.bincount(drawn.x.astype(int), minlength=n + 1) / size
    law = bg_bb.pmf(PARAMS, n, n)
    assert (np.abs(share - law) < 5 * np.sqrt(law * (1 - law) / size)).all()
    for x, t_x in [(0, 0), (1, 1), (3, 5), (6, 6)]:
        rows = (drawn.x == x) & (drawn.t_x == t_x)
        expected = float(bg_bb.conditional_expected_orders(PARAMS, x, t_x, n, t))
        off = drawn.future[rows].mean() - expected
        assert abs(off) < 5 * drawn.future[rows].std() / np.sqrt(rows.sum()), (x, t_x)
        alive = float(bg_bb.p_alive(PARAMS, x, t_x, n))
        assert abs(drawn.alive[rows].mean() - alive) < 5 * np.sqrt(alive * (1 - alive) / rows.sum()), (x, t_x)


def test_draws_of_future_purchases_follow_their_law() -> None:
    size = 200_000
    x, t_x = np.tile([2.0, 4.0], size // 2), np.tile([4.0, 4.0], size // 2)
    drawn = bg_bb.sample_orders(PARAMS, x, t_x, 6, 4, np.random.default_rng(7))
    law = bg_bb.conditional_pmf(PARAMS, np.array([2.0, 4.0]), 4.0, 6, 4, 4)
    for row in range(2):
        share = np.bincount(drawn[row::2].astype(int), minlength=5) / (size // 2)
        assert (np.abs(share - law[row]) < 5 * np.sqrt(law[row] / (size // 2))).all()


def test_small_and_large_parameters_draw_without_a_warning() -> None:
    rng = np.random.default_rng(8)
    for params in product((1e-4, 1e5), repeat=4):
        drawn = bg_bb.simulate(params, np.full(200, 300.0), rng, horizon=30)
        assert np.isfinite(drawn.future).all()
        assert np.isfinite(bg_bb.sample_orders(params, drawn.x, drawn.t_x, 300, 30, rng)).all()
