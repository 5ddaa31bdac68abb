"""The hierarchical normal model by a second method: mpmath on a wide grid, quadrature, and simulation."""

from __future__ import annotations

from typing import Any

import mpmath as mp
import numpy as np
import pytest
from scipy import special

from evervalue.numerics.spend import normal_spend
from evervalue.numerics.spend.student_t import t_cdf, t_quantile
from tests.support import spend_grid

PARAMS = (10.0, 0.5, 3.0, 80.0)
BAR = 1e-8


@pytest.fixture(scope="module")
def grid() -> spend_grid.Grid:
    return spend_grid.normal_grid()


@pytest.mark.parametrize("alone", [False, True], ids=["amounts", "means"])
def test_likelihood_and_gradient_on_ten_thousand_points(
    grid: spend_grid.Grid, alone: bool, full_proof: bool
) -> None:
    squares = None if alone else grid.squares
    with np.errstate(all="raise", under="ignore"):
        value, gradient = normal_spend.log_likelihood_gradient(grid.params, grid.x, grid.m, squares)
        itself = normal_spend.log_likelihood(grid.params, grid.x, grid.m, squares)
    assert np.isfinite(value).all()
    assert np.isfinite(gradient).all()
    assert itself.tolist() == value.tolist()

    with mp.workdps(spend_grid.DIGITS):
        for i in range(0, spend_grid.SIZE, 1 if full_proof else 10):
            exact = spend_grid.normal_exactly(*grid.at(i), alone=alone)
            for found, wanted in zip((value[i], *gradient[:, i]), exact, strict=True):
                assert spend_grid.distance(float(found), wanted) < BAR, grid.at(i)


def test_law_of_the_sum_on_ten_thousand_points(grid: spend_grid.Grid) -> None:
    rng = np.random.default_rng(3)
    n = np.round(10 ** rng.uniform(0, np.log10(5_000), spend_grid.SIZE))
    x = np.where(rng.random(spend_grid.SIZE) < 0.3, 0, grid.x)
    asked = rng.uniform(0.001, 0.999, spend_grid.SIZE)
    with np.errstate(all="raise", under="ignore"):
        y = normal_spend.sum_quantile(grid.params, n, x, grid.m, asked, grid.squares)
        back = normal_spend.sum_cdf(grid.params, n, x, grid.m, y, grid.squares)
        drawn = normal_spend.sample_sum(grid.params, n, x, grid.m, rng, grid.squares)
        mean = normal_spend.sum_mean(grid.params, n, x, grid.m, grid.squares)
        variance = normal_spend.sum_variance(grid.params, n, x, grid.m, grid.squares)
    for values in (y, back, drawn, mean):
        assert np.isfinite(values).all()
    assert not np.isnan(variance).any()
    # A sum known to within rounding of its own middle has no digits left to go back by.
    wide = (np.abs(y) < 1e300) & (np.abs(y - mean) > 1e-6 * np.abs(mean))
    assert wide.mean() > 0.6
    assert np.abs(back - asked)[wide].max() < BAR


def _normal(z: Any) -> Any:
    return mp.erfc(-z / mp.sqrt(2)) / 2


@pytest.mark.parametrize("alone", [False, True], ids=["amounts", "means"])
def test_likelihood_and_law_of_the_sum_by_quadrature(alone: bool) -> None:
    """Integrated over sigma^2 numerically; theta given sigma^2 is an ordinary normal regression to the mean."""
    m0, kappa, shape, scale = map(mp.mpf, PARAMS)
    x, m, squares, n, y = 3, mp.mpf("-2"), mp.mpf("14"), 4, mp.mpf("20")

    def joint(precision: Any) -> Any:
        variance = 1 / precision
        prior = scale**shape / mp.gamma(shape) * precision ** (shape - 1) * mp.exp(-scale * precision)
        apart = variance / x + variance / kappa
        of_mean = mp.exp(-((m - m0) ** 2) / apart / 2) / mp.sqrt(2 * mp.pi * apart)
        if alone:
            return prior * of_mean
        # The amounts given their mean: an (x - 1)-dimensional normal, whose density in the amounts has 1 / sqrt(x).
        given = (2 * mp.pi * variance) ** (-mp.mpf(x - 1) / 2) * mp.exp(-squares / variance / 2) / mp.sqrt(x)
        return prior * of_mean * given

    def within(precision: Any) -> Any:
        variance = 1 / precision
        weight = kappa + x
        middle = (kappa * m0 + x * m) / weight
        unit = mp.sqrt(n * variance + n * n * variance / weight)
        return joint(precision) * _normal((y - n * middle) / unit)

    cuts = [0, 0.01, 0.03, 0.06, 0.1, 0.2, 0.4, 1, mp.inf]
    total = mp.quad(joint, cuts)
    known = None if alone else float(squares)
    found = normal_spend.log_likelihood(PARAMS, x, float(m), known)
    assert float(found) == pytest.approx(float(mp.log(total)), abs=1e-9)
    cdf = normal_spend.sum_cdf(PARAMS, n, x, float(m), float(y), known)
    assert float(cdf) == pytest.approx(float(mp.quad(within, cuts) / total), abs=1e-9)


def test_gradient_by_finite_differences() -> None:
    rng = np.random.default_rng(4)
    x = rng.geometric(0.3, 200).astype(float)
    drawn = normal_spend.simulate(PARAMS, x, rng)
    start, step = np.array([PARAMS[0], *np.log(PARAMS[1:])]), 1e-5
    for squares in (drawn.squares, None):
        _, gradient = normal_spend.log_likelihood_gradient(PARAMS, x, drawn.mean, squares)
        for i in range(4):
            values = []
            for sign in (1, -1):
                at = start + sign * step * (np.arange(4) == i)
                params = (at[0], *np.exp(at[1:]))
                values.append(normal_spend.log_likelihood(params, x, drawn.mean, squares))
            assert gradient[i] == pytest.approx((values[0] - values[1]) / (2 * step), abs=1e-6)


def test_moments_and_draws_by_simulation_of_single_amounts() -> None:
    """Amounts drawn one by one: nothing of the closed forms is used."""
    rng = np.random.default_rng(5)
    m0, kappa, shape, scale = PARAMS
    customers, x, n = 150_000, 3, 4
    sigma = np.sqrt(scale / rng.gamma(shape, 1, customers))
    theta = rng.normal(m0, sigma / np.sqrt(kappa))
    amounts = rng.normal(theta[:, None], sigma[:, None], (customers, x + n))
    m, future = amounts[:, :x].mean(axis=1), amounts[:, x:].sum(axis=1)
    squares = ((amounts[:, :x] - m[:, None]) ** 2).sum(axis=1)

    for known in (squares, None):
        expected = normal_spend.sum_mean(PARAMS, n, x, m, known)
        variance = normal_spend.sum_variance(PARAMS, n, x, m, known)
        off = (future - expected) / np.sqrt(variance)
        assert off.mean() == pytest.approx(0, abs=0.015)
        assert (off**2).mean() == pytest.approx(1, abs=0.05)
        drawn = normal_spend.sample_sum(PARAMS, n, x, m, rng, known)
        for sums in (future, drawn):
            some = slice(0, 40_000)
            own = None if known is None else known[some]
            u = normal_spend.sum_cdf(PARAMS, n, x, m[some], sums[some], own)
            assert np.abs(np.sort(u) - (np.arange(40_000) + 0.5) / 40_000).max() < 0.01


def test_simulated_customers_follow_the_model() -> None:
    rng = np.random.default_rng(6)
    x = np.repeat([0.0, 1.0, 4.0], 20_000)
    drawn = normal_spend.simulate(PARAMS, x, rng, n=2.0)
    assert drawn.squares is not None
    assert not drawn.mean[x == 0].any()
    assert not drawn.squares[x < 2].any()
    four = x == 4
    assert np.mean(drawn.squares[four]) == pytest.approx(3 * PARAMS[3] / (PARAMS[2] - 1), rel=0.05)
    u = normal_spend.sum_cdf(PARAMS, 4.0, 0, 0, 4 * drawn.mean[four])
    assert np.abs(np.sort(u) - (np.arange(20_000) + 0.5) / 20_000).max() < 0.015
    u = normal_spend.sum_cdf(PARAMS, 2.0, x, drawn.mean, drawn.future, drawn.squares)
    assert np.abs(np.sort(u) - (np.arange(60_000) + 0.5) / 60_000).max() < 0.01


def test_student_t_against_mpmath() -> None:
    rng = np.random.default_rng(7)
    z = rng.choice([-1.0, 1.0], 150) * 10 ** rng.uniform(-3, 4, 150)
    df = 10 ** rng.uniform(-3, 3, 150)
    found = t_cdf(z, df)
    for i in range(150):
        square, half = mp.mpf(float(z[i])) ** 2, mp.mpf(float(df[i])) / 2
        tail = mp.betainc(half, 0.5, 0, 2 * half / (2 * half + square), regularized=True) / 2
        exact = tail if z[i] < 0 else 1 - tail
        assert found[i] == pytest.approx(float(exact), rel=1e-11)


def test_student_t_against_scipy_and_back() -> None:
    z = np.linspace(-40, 40, 401)
    for df in (0.3, 1.0, 2.5, 30.0, 1e5):
        assert t_cdf(z, df) == pytest.approx(special.stdtr(df, z), rel=1e-9)
        some = z < (5 if df > 5 else 40)  # 1 minus a small tail keeps few digits of it
        some &= z > -37
        assert t_quantile(t_cdf(z[some], df), df) == pytest.approx(z[some], rel=1e-6, abs=1e-9)
    assert t_quantile(np.array([0.0, 1.0]), 3.0).tolist() == [-np.finfo(float).max, np.finfo(float).max]
