"""Gamma-Gamma by a second method: mpmath on a wide grid, quadrature over nu, and simulation."""

from __future__ import annotations

import mpmath as mp
import numpy as np
import pytest

from evervalue.numerics.spend import gamma_gamma
from tests.support import spend_grid

PARAMS = (6.25, 3.74, 15.44)
BAR = 1e-8


@pytest.fixture(scope="module")
def grid() -> spend_grid.Grid:
    return spend_grid.gamma_gamma_grid()


def test_likelihood_and_gradient_on_ten_thousand_points(grid: spend_grid.Grid, full_proof: bool) -> None:
    with np.errstate(all="raise", under="ignore"):
        value, gradient = gamma_gamma.log_likelihood_gradient(grid.params, grid.x, grid.m)
        alone = gamma_gamma.log_likelihood(grid.params, grid.x, grid.m)
    assert np.isfinite(value).all()
    assert np.isfinite(gradient).all()
    assert alone.tolist() == value.tolist()

    with mp.workdps(spend_grid.DIGITS):
        for i in range(0, spend_grid.SIZE, 1 if full_proof else 8):
            exact = spend_grid.gamma_gamma_exactly(*grid.at(i))
            for found, wanted in zip((value[i], *gradient[:, i]), exact, strict=True):
                assert spend_grid.distance(float(found), wanted) < BAR, grid.at(i)


def test_expectations_on_ten_thousand_points(grid: spend_grid.Grid, full_proof: bool) -> None:
    with np.errstate(all="raise", under="ignore"):
        found = gamma_gamma.conditional_expected_order_value(grid.params, grid.x, grid.m)
    with mp.workdps(spend_grid.DIGITS):
        for i in range(0, spend_grid.SIZE, 1 if full_proof else 8):
            p, q, v, x, m, _ = grid.at(i)
            if p * x + q <= 1:
                assert found[i] == np.inf
            else:
                # p x + q - 1 cannot be told better than p x and q themselves are.
                slack = 4e-16 * float((p * x + q) / abs(p * x + q - 1))
                assert float(abs(found[i] / (p * (v + x * m) / (p * x + q - 1)) - 1)) < 1e-14 + slack


def test_law_of_the_sum_on_ten_thousand_points(grid: spend_grid.Grid) -> None:
    rng = np.random.default_rng(3)
    n = np.round(10 ** rng.uniform(0, np.log10(5_000), spend_grid.SIZE))
    x = np.where(rng.random(spend_grid.SIZE) < 0.3, 0, grid.x)
    asked = rng.uniform(0.001, 0.999, spend_grid.SIZE)
    with np.errstate(all="raise", under="ignore"):
        y = gamma_gamma.sum_quantile(grid.params, n, x, grid.m, asked)
        back = gamma_gamma.sum_cdf(grid.params, n, x, grid.m, y)
        drawn = gamma_gamma.sample_sum(grid.params, n, x, grid.m, rng)
        gamma_gamma.sum_mean(grid.params, n, x, grid.m)
        variance = gamma_gamma.sum_variance(grid.params, n, x, grid.m)
    for values in (y, back, drawn):
        assert np.isfinite(values).all()
    assert not np.isnan(variance).any()
    whole = (y > 1e-280) & (y < 1e300)
    assert whole.mean() > 0.9
    assert np.abs(back - asked)[whole].max() < BAR


@pytest.mark.parametrize(
    ("params", "n", "x", "m", "y"),
    [
        (PARAMS, 3, 2, 22.35, 90.0),
        (PARAMS, 1, 0, 0.0, 35.0),
        ((0.7, 1.3, 40.0), 12, 4, 8.0, 300.0),
        ((9.0, 0.6, 2.0), 5, 1, 90.0, 700.0),
    ],
)
def test_law_of_the_sum_by_quadrature_over_nu(
    params: tuple[float, ...], n: int, x: int, m: float, y: float
) -> None:
    p, q, v = map(mp.mpf, params)

    def likelihood_times_prior(nu: mp.mpf) -> mp.mpf:
        seen = (nu * x * mp.mpf(m)) ** (p * x) * mp.exp(-nu * x * mp.mpf(m)) if x else 1
        return seen * nu ** (q - 1) * mp.exp(-v * nu)

    def within(nu: mp.mpf) -> mp.mpf:
        return likelihood_times_prior(nu) * mp.gammainc(p * n, 0, nu * y, regularized=True)

    middle = (p * x + q) / (v + x * mp.mpf(m))
    cuts = [0, middle / 4, middle / 2, middle, 2 * middle, 4 * middle, 10 * middle, mp.inf]
    exact = mp.quad(within, cuts) / mp.quad(likelihood_times_prior, cuts)

    assert float(gamma_gamma.sum_cdf(params, n, x, m, y)) == pytest.approx(float(exact), abs=1e-9)


def test_density_of_the_mean_by_quadrature_over_nu() -> None:
    p, q, v = map(mp.mpf, PARAMS)
    x, m = 3, mp.mpf("27.5")

    def joint(nu: mp.mpf) -> mp.mpf:
        rate = nu * x  # the mean of x amounts of Gamma(p, nu) is Gamma(p x, nu x)
        of_mean = rate ** (p * x) * m ** (p * x - 1) * mp.exp(-rate * m) / mp.gamma(p * x)
        return of_mean * v**q * nu ** (q - 1) * mp.exp(-v * nu) / mp.gamma(q)

    exact = mp.log(mp.quad(joint, [0, 0.1, 0.2, 0.4, 1, 5]))
    assert float(gamma_gamma.log_likelihood(PARAMS, x, float(m))) == pytest.approx(float(exact), abs=1e-10)


def test_gradient_by_finite_differences() -> None:
    rng = np.random.default_rng(4)
    x = rng.geometric(0.3, 200).astype(float)
    m = gamma_gamma.simulate(PARAMS, x, rng).mean
    logs, step = np.log(PARAMS), 1e-5
    _, gradient = gamma_gamma.log_likelihood_gradient(PARAMS, x, m)
    for i in range(3):
        ahead = np.array([step if j == i else 0.0 for j in range(3)])
        up = gamma_gamma.log_likelihood(np.exp(logs + ahead), x, m)
        down = gamma_gamma.log_likelihood(np.exp(logs - ahead), x, m)
        assert gradient[i] == pytest.approx((up - down) / (2 * step), abs=1e-7)


def test_moments_and_draws_by_simulation_of_single_amounts() -> None:
    """Amounts drawn one by one: nothing of the closed forms is used."""
    rng = np.random.default_rng(5)
    p, q, v = PARAMS
    customers, x, n = 400_000, 2, 3
    nu = rng.gamma(q, 1 / v, customers)
    amounts = rng.gamma(p, 1 / nu[:, None], (customers, x + n))
    m, future = amounts[:, :x].mean(axis=1), amounts[:, x:].sum(axis=1)

    expected = n * gamma_gamma.conditional_expected_order_value(PARAMS, x, m)
    spread = gamma_gamma.sum_variance(PARAMS, n, x, m)
    off = (future - expected) / np.sqrt(spread)
    assert off.mean() == pytest.approx(0, abs=0.01)
    assert (off**2).mean() == pytest.approx(1, abs=0.03)
    u = gamma_gamma.sum_cdf(PARAMS, n, x, m[:50_000], future[:50_000])
    assert np.abs(np.sort(u) - (np.arange(50_000) + 0.5) / 50_000).max() < 0.01
    drawn = gamma_gamma.sum_cdf(
        PARAMS, n, x, m[:50_000], gamma_gamma.sample_sum(PARAMS, n, x, m[:50_000], rng)
    )
    assert np.abs(np.sort(drawn) - (np.arange(50_000) + 0.5) / 50_000).max() < 0.01


def test_simulated_customers_follow_the_model() -> None:
    rng = np.random.default_rng(6)
    x = np.repeat([0.0, 1.0, 4.0], 60_000)
    drawn = gamma_gamma.simulate(PARAMS, x, rng, n=2.0)
    assert not drawn.mean[x == 0].any()
    for count in (1.0, 4.0):
        own = drawn.mean[x == count]
        u = gamma_gamma.sum_cdf(PARAMS, count, 0, 0, count * own)
        assert np.abs(np.sort(u) - (np.arange(60_000) + 0.5) / 60_000).max() < 0.01
    u = gamma_gamma.sum_cdf(PARAMS, 2.0, x, drawn.mean, drawn.future)
    assert np.abs(np.sort(u) - (np.arange(180_000) + 0.5) / 180_000).max() < 0.006
    assert np.average(1 / drawn.true_mean) == pytest.approx(PARAMS[1] / PARAMS[2] / PARAMS[0], rel=0.01)


@pytest.mark.parametrize(("p", "x"), [(0.7, 2), (4.0, 3), (25.0, 6)])
def test_what_amounts_vary_by_within_customers_by_simulation(p: float, x: int) -> None:
    """The law that `shape_within` stands on, amounts drawn one by one with rates far apart, and its own answer."""
    rng = np.random.default_rng(8)
    customers = 100_000
    amounts = rng.gamma(p, 10 ** rng.uniform(-3, 3, customers)[:, None], (customers, x))
    m = amounts.mean(axis=1)
    squares = ((amounts - m[:, None]) ** 2).sum(axis=1)
    seen = squares / m**2
    error = seen.std() / np.sqrt(customers)
    assert seen.mean() == pytest.approx(x * (x - 1) / (p * x + 1), abs=4 * error)
    found, spread = gamma_gamma.shape_within(np.full(customers, float(x)), m, squares, np.ones(customers))
    assert abs(np.log(found / p)) < 4 * spread < 0.1
