"""Posteriors whose truth is known: shapes that are easy, lopsided, flat, bent, heavy-tailed, and wrongly introduced."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import qmc

from evervalue.numerics.arrays import Array
from evervalue.numerics.estimation.laplace import laplace
from evervalue.numerics.estimation.low_discrepancy import even_points
from evervalue.numerics.estimation.posterior import Posterior, posterior
from evervalue.numerics.estimation.proposals import Mixture, SplitT, t_law
from evervalue.numerics.estimation.ridges import with_ridges
from evervalue.numerics.estimation.weak_prior import log_weak_prior, with_weak_prior

Density = Callable[[Array], Array]


def drawn(density: Density, mode: object, hessian: object, *, draws: int = 4_000, seed: int = 0) -> Posterior:
    return posterior(
        density,
        np.asarray(mode, dtype=float),
        np.asarray(hessian, dtype=float),
        draws=draws,
        rng=np.random.default_rng(seed),
    )


def close(found: Array, mean: object, sd: object, ess: float) -> bool:
    """Whether draws have that mean and standard deviation, within four of their own standard errors."""
    target, spread = np.asarray(mean, dtype=float), np.asarray(sd, dtype=float)
    error = 4 * spread / np.sqrt(min(ess, len(found)))
    return bool(
        np.all(np.abs(found.mean(axis=0) - target) < error)
        and np.all(np.abs(found.std(axis=0) - spread) < 1.5 * error)
    )


def normal(spread: Array, centre: Array) -> Density:
    inverse = np.linalg.inv(spread)

    def density(x: Array) -> Array:
        value: Array = -0.5 * np.einsum("ni,ij,nj->n", x - centre, inverse, x - centre)
        return value

    return density


def banana(bend: float) -> Density:
    """x ~ N(0, 2), y | x ~ N(-bend (x^2 - 4), 1/2): means 0, deviations 2 and sqrt(1/4 + 32 bend^2)."""

    def density(x: Array) -> Array:
        value: Array = -0.5 * (x[:, 0] ** 2 / 4 + 4 * (x[:, 1] + bend * (x[:, 0] ** 2 - 4)) ** 2)
        return value

    return density


@pytest.mark.parametrize("k", [1, 2, 4, 8])
def test_a_normal_law_of_any_correlation(k: int) -> None:
    rng = np.random.default_rng(k)
    mix = rng.normal(size=(k, k)) * 0.2
    spread, centre = mix @ mix.T + 1e-3 * np.eye(k), rng.normal(size=k)

    found = drawn(normal(spread, centre), centre, -np.linalg.inv(spread))

    assert found.method == "laplace+psis"
    assert found.k_hat < 0
    assert found.ess > 0.5 * 4_000
    assert close(found.log_draws, centre, np.sqrt(np.diag(spread)), found.ess)


@pytest.mark.parametrize(
    ("mode", "hessian"),
    [
        ([0.0, 0.0], -1e4 * np.eye(2)),
        ([9.0, -7.0], -1e-4 * np.eye(2)),
        ([0.0, 0.0], np.zeros((2, 2))),
        ([0.0, 0.0], np.eye(2)),
        ([2.0, 3.0], np.full((2, 2), np.nan)),
    ],
)
def test_a_wrong_mode_and_curvature_are_put_right(mode: list[float], hessian: Array) -> None:
    """Curvature 10,000 times too sharp or too flat, none, of the wrong sign, or not a number."""
    spread, centre = np.array([[0.5, 0.3], [0.3, 0.2]]), np.array([2.0, 3.0])

    found = drawn(normal(spread, centre), mode, hessian)

    assert found.method == "laplace+psis"
    assert close(found.log_draws, centre, np.sqrt([0.5, 0.2]), found.ess)


def test_the_mode_is_sought_and_its_axes_scaled_by_side() -> None:
    """exp(-e^-x - x/4), of skewness 6: on the left it falls at once, on the right as an exponential law."""

    def gumbel(x: Array) -> Array:
        value: Array = -np.exp(-x[:, 0]) - x[:, 0] / 4
        return value

    law = laplace(gumbel, np.array([0.0]), np.array([[-1.0]]))
    left, right = sorted([law.below[0], law.above[0]])

    assert law.centre[0] == pytest.approx(np.log(4), abs=0.5)
    assert right > 1.5 * left
    found = drawn(gumbel, [0.0], [[-1.0]])
    # -x is the logarithm of a Gamma(1/4) variable: mean digamma(1/4), variance trigamma(1/4).
    assert close(found.log_draws, [4.2274535], [np.sqrt(17.197329)], found.ess)


@pytest.mark.parametrize("bend", [0.05, 0.2])
def test_a_bent_target_is_covered_by_following_its_ridge(bend: float) -> None:
    found = drawn(banana(bend), [0.0, 4 * bend], -np.diag([0.25, 4.0]))

    assert found.method == "laplace+psis"
    assert found.trusted
    assert close(found.log_draws, [0, 0], [2, np.sqrt(0.25 + 32 * bend**2)], found.ess / 3)


def test_a_sharply_bent_target_goes_to_the_sampler() -> None:
    found = drawn(banana(0.5), [0.0, 2.0], -np.diag([0.25, 4.0]))

    assert found.method == "sampler"
    assert found.trusted
    assert found.r_hat is not None
    assert found.r_hat < 1.01
    assert close(found.log_draws, [0, 0], [2, np.sqrt(8.25)], found.ess / 3)


def test_what_does_not_settle_says_so() -> None:
    found = posterior(
        banana(3.0),
        np.array([0.0, 12.0]),
        -np.diag([0.25, 4.0]),
        rng=np.random.default_rng(0),
        max_evaluations=20_000,
    )

    assert found.method == "sampler"
    assert not found.trusted
    assert "did NOT settle" in found.says


def test_a_heavy_tailed_target_is_learnt() -> None:
    """A t law of 4 degrees of freedom, heavier than the first proposal."""

    def heavy(x: Array) -> Array:
        value: Array = -3.0 * np.log1p((x**2).sum(axis=1) / 4)
        return value

    found = drawn(heavy, [0.0, 0.0], -1.5 * np.eye(2))

    assert found.trusted
    assert found.method == "laplace+psis"
    assert close(found.log_draws, [0, 0], np.sqrt([2, 2]), found.ess / 4)


def test_a_target_without_a_variance_is_not_passed_by_the_weights_alone() -> None:
    """Cauchy: whatever the draws, means and variances of it do not exist, and no importance weights may pass."""

    def cauchy(x: Array) -> Array:
        value: Array = -1.5 * np.log1p((x**2).sum(axis=1))
        return value

    assert drawn(cauchy, [0.0, 0.0], -3 * np.eye(2), draws=1_000).method == "sampler"


def test_directions_without_any_information_have_the_prior() -> None:
    """Flat to log 1,000 on both sides, normal flanks beyond: its standard deviation by quadrature."""

    def moment(power: int) -> float:
        def mass(x: float) -> float:
            return float(x**power * np.exp(log_weak_prior(np.array([[x]]))[0]))

        return float(quad(mass, -20, 20, limit=200)[0])

    sd = np.sqrt(moment(2) / moment(0))

    found = drawn(log_weak_prior, np.zeros(3), np.zeros((3, 3)))

    assert found.method == "laplace+psis"
    assert close(found.log_draws, np.zeros(3), np.full(3, sd), found.ess)


@pytest.mark.parametrize("start", [1.0, 5.0, 11.0])
def test_a_ridge_that_is_flat_on_one_side(start: float) -> None:
    """Falls below 0 and never above; a search may have stopped anywhere on it. Truth by quadrature along it."""

    def ridge(x: Array) -> Array:
        value: Array = -np.exp(-3 * x[:, 0]) - 50 * (x[:, 0] - x[:, 1]) ** 2 + log_weak_prior(x)
        return value

    def moment(power: int) -> float:
        def mass(x: float) -> float:
            return float(x**power * np.exp(-np.exp(-3 * x) + 2 * log_weak_prior(np.array([[x]]))[0]))

        return float(quad(mass, -3, 15, limit=200)[0])

    mean = moment(1) / moment(0)
    sd = np.sqrt(moment(2) / moment(0) - mean**2)

    found = drawn(ridge, [start, start], -100 * np.array([[1.0, -1.0], [-1.0, 1.0]]))

    assert found.method == "laplace+psis"
    assert close(found.log_draws, [mean, mean], [sd, sd], found.ess)


def test_a_ridge_that_leaves_the_mode_around_a_corner() -> None:
    """A normal law, and 3 % of the mass on a long ridge at an angle to it: weights alone would never tell of it."""
    along = np.array([1.0, 1.0]) / np.sqrt(2)

    def cornered(x: Array) -> Array:
        bulk = -0.5 * (x[:, 0] ** 2 / 0.09 + (x[:, 1] - x[:, 0]) ** 2 / 0.01)
        far, off = x @ along, x @ np.array([1.0, -1.0]) / np.sqrt(2)
        ridge = -4.6 - 0.5 * np.maximum(np.maximum(-far, far - 7), 0) ** 2 / 0.04 - 0.5 * off**2 / 0.005
        value: Array = np.logaddexp(bulk, ridge)
        return value

    grid = np.stack(np.meshgrid(np.linspace(-3, 9, 900), np.linspace(-3, 9, 900), indexing="ij"), axis=-1)
    mass = np.exp(cornered(grid.reshape(-1, 2))).reshape(900, 900)
    truth = mass[grid[..., 0] > 1.5].sum() / mass.sum()
    assert 0.02 < truth < 0.1

    found = drawn(cornered, [0, 0], -np.array([[111.0, -100.0], [-100.0, 100.0]]))

    assert np.mean(found.log_draws[:, 0] > 1.5) == pytest.approx(truth, abs=4 * np.sqrt(truth / found.ess))


def test_the_same_seed_gives_the_same_draws_and_another_seed_others() -> None:
    one, again = (drawn(banana(0.1), [0, 0.4], -np.diag([0.25, 4.0]), seed=1).log_draws for _ in range(2))
    other = drawn(banana(0.1), [0, 0.4], -np.diag([0.25, 4.0]), seed=2).log_draws

    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


def test_any_part_of_the_draws_is_a_fair_sample() -> None:
    found = drawn(normal(np.eye(2), np.zeros(2)), [0, 0], -np.eye(2), draws=8_000)

    for part in np.split(found.log_draws, 4):
        assert close(part, [0, 0], [1, 1], len(part))


def test_weighted_points_say_what_the_draws_say() -> None:
    found = posterior(
        banana(0.1), np.array([0, 0.4]), -np.diag([0.25, 4.0]),
        rng=np.random.default_rng(0), draws=50_000, proposals=5_000, keep_weighted=True,
    )  # fmt: skip

    assert found.points is not None
    assert found.weights is not None
    assert found.weights.sum() == pytest.approx(1)
    # Systematic resampling takes each point as often as its weight says, rounded up or down.
    assert found.log_draws.mean(axis=0) == pytest.approx(found.weights @ found.points, abs=0.01)


def test_a_density_that_overflows_far_out_has_no_support_there() -> None:
    def fragile(x: Array) -> Array:
        value: Array = np.where(np.abs(x[:, 0]) > 2, np.nan, -0.5 * x[:, 0] ** 2)
        return value

    found = drawn(fragile, [0.0], [[-1.0]])

    assert np.abs(found.log_draws).max() <= 2


@pytest.mark.parametrize(
    ("density", "says"),
    [
        (lambda x: np.full(len(x), -np.inf), "mode"),
        (lambda x: np.where(x[:, 0] > 1, np.inf, -(x[:, 0] ** 2)), "inf"),
        (lambda x: np.zeros((len(x), 2)), "shape"),
    ],
)
def test_a_density_that_is_none_is_refused(density: Density, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        drawn(density, [0.0], [[-1.0]])


LOPSIDED = SplitT(np.array([1.0, -1.0]), np.linalg.qr(np.array([[1.0, 2], [3, 4]]))[0], np.array([1.0, 0.2]),
                  np.array([3.0, 0.5]), 5.0)  # fmt: skip
BOTH = Mixture([LOPSIDED, t_law(np.zeros(2), np.array([[2.0, 0.9], [0.9, 0.5]]), 4.0)], np.array([0.3, 0.7]))


@pytest.mark.parametrize("law", [LOPSIDED, BOTH], ids=["split t", "mixture"])
@pytest.mark.parametrize("even", [True, False], ids=["even", "independent"])
def test_a_proposal_has_the_density_that_it_draws_from(law: SplitT | Mixture, even: bool) -> None:
    """The mean of q2/q1 over draws of q1 is 1, and boxes hold the share that the density gives them."""
    rng = np.random.default_rng(0)
    points = law.draw(200_000, rng, even=even)
    grid = np.stack(np.meshgrid(*[np.arange(-29.975, 30, 0.05)] * 2), axis=-1).reshape(-1, 2)
    density = np.exp(law.log_density(grid)) * 0.05**2

    assert density.sum() == pytest.approx(1, abs=0.015)
    for low, high in (([0, -2], [2, 0]), ([-1, -1], [1, 1]), ([2, 0], [10, 10])):
        inside = np.all((points > low) & (points < high), axis=1).mean()
        wanted = density[np.all((grid > low) & (grid < high), axis=1)].sum()
        assert inside == pytest.approx(wanted, abs=0.02)


@pytest.mark.parametrize("dimensions", [1, 2, 5, 13])
def test_even_points_are_the_sobol_points_up_to_flipped_digits(dimensions: int) -> None:
    """scipy's sequence comes in Gray-code order and unflipped: the differences between points are the same sets."""
    n = 256
    ours = even_points(n, dimensions, np.random.default_rng(0))
    theirs = qmc.Sobol(dimensions, scramble=False, bits=32).random(n)

    flipped = (ours * 2**32).astype(np.uint64) ^ (ours[0] * 2**32).astype(np.uint64)
    assert {tuple(row) for row in flipped} == {tuple(row) for row in (theirs * 2**32).astype(np.uint64)}


def test_even_points_are_even_for_any_number_and_many_dimensions() -> None:
    points = even_points(1_777, 20, np.random.default_rng(0))

    assert points.shape == (1_777, 20)
    assert points.min() > 0
    assert points.max() < 1
    assert np.abs(points.mean(axis=0) - 0.5).max() < 0.004
    counts = np.histogramdd(points[:, :4], bins=3, range=[(0, 1)] * 4)[0]
    assert counts.var() < 0.5 * counts.mean(), "independent points would have a variance equal to the mean"


def test_a_normal_law_needs_no_ridge() -> None:
    law = laplace(normal(0.5 * np.eye(3), np.zeros(3)), np.zeros(3), -2 * np.eye(3))

    assert with_ridges(normal(0.5 * np.eye(3), np.zeros(3)), law) is law


def test_likelihoods_are_not_asked_where_the_prior_has_no_mass() -> None:
    """They overflow out there; a spread judges coefficients by what they move."""
    asked: list[Array] = []

    def likelihood(x: Array) -> Array:
        asked.append(x)
        return np.zeros(len(x))

    density = with_weak_prior(likelihood, lambda x: x * [1.0, 0.1])
    values = density(np.array([[0.0, 0.0], [0.0, 70.0], [27.5, 0.0], [0.0, 300.0], [8.0, 0.0]]))

    assert np.isfinite(values).tolist() == [True, True, False, False, True]
    assert values[1] == pytest.approx(-0.5 * (7.0 - np.log(1000)) ** 2)
    assert np.concatenate(asked).shape == (3, 2)
    assert np.all(density(np.full((2, 2), 1e3)) == -np.inf)
