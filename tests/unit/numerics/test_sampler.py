"""The ensemble sampler and its diagnostics, against targets and chains whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from evervalue.numerics.arrays import Array
from evervalue.numerics.estimation.proposals import Mixture, t_law
from evervalue.numerics.estimation.sampler import diagnostics, sample

SPREAD = np.array([[4.0, 1.9, 0.0], [1.9, 1.0, 0.0], [0.0, 0.0, 1e-4]])


def correlated(x: Array) -> Array:
    """A normal law of correlation 0.95 and scales 2, 1 and 0.01, around (1, -2, 5)."""
    away = x - np.array([1.0, -2.0, 5.0])
    value: Array = -0.5 * np.einsum("ni,ij,nj->n", away, np.linalg.inv(SPREAD), away)
    return value


@pytest.mark.parametrize("leaping", [False, True])
def test_moments_of_a_badly_scaled_target(leaping: bool) -> None:
    rng = np.random.default_rng(0)
    starts = np.array([1.0, -2.0, 5.0]) + rng.normal(size=(24, 3)) * [4.0, 2.0, 0.02]
    leaps = t_law(np.array([1.0, -2.0, 5.0]), SPREAD, 4.0) if leaping else None

    found = sample(correlated, starts, leaps=leaps, draws=4_000, rng=rng)

    assert found.settled
    assert found.r_hat < 1.01
    error = np.sqrt(np.diag(SPREAD) / found.ess)
    assert np.all(np.abs(found.draws.mean(axis=0) - [1.0, -2.0, 5.0]) < 4 * error)
    assert np.cov(found.draws.T) == pytest.approx(SPREAD, rel=0.15, abs=0.02)
    assert found.accepted > 0.15


def test_a_leap_reaches_a_part_that_no_walk_does() -> None:
    """Two normal laws 40 standard deviations apart, with masses 1 and 3."""

    def target(x: Array) -> Array:
        two: Array = np.logaddexp(-0.5 * x[:, 0] ** 2, np.log(3) - 0.5 * (x[:, 0] - 40) ** 2)
        return two

    rng = np.random.default_rng(1)
    leaps = Mixture([t_law(np.array([at]), np.eye(1), 4.0) for at in (1.0, 39.0)], np.array([0.5, 0.5]))

    found = sample(target, rng.normal(size=(24, 1)), leaps=leaps, draws=4_000, rng=rng)

    assert found.settled
    assert np.mean(found.draws > 20) == pytest.approx(0.75, abs=4 * np.sqrt(0.1875 / found.ess) + 0.01)


def test_walkers_that_cannot_meet_are_not_called_settled() -> None:
    def target(x: Array) -> Array:
        two: Array = np.logaddexp(-0.5 * x[:, 0] ** 2, -0.5 * (x[:, 0] - 1e4) ** 2)
        return two

    rng = np.random.default_rng(2)
    starts = rng.normal(size=(24, 1)) + np.where(np.arange(24) < 12, 0, 1e4)[:, None]

    found = sample(target, starts, draws=100, rng=rng, max_evaluations=40_000)

    assert not found.settled
    assert found.r_hat > 1.5


def test_the_same_seed_gives_the_same_draws() -> None:
    def draws() -> Array:
        rng = np.random.default_rng(3)
        return sample(lambda x: -0.5 * (x**2).sum(axis=1), rng.normal(size=(16, 2)), draws=50, rng=rng).draws

    assert np.array_equal(draws(), draws())


def test_the_budget_is_kept() -> None:
    rng = np.random.default_rng(4)

    def sharp(x: Array) -> Array:
        value: Array = -0.5 * (x[:, 0] ** 2 + 1e4 * (x[:, 1] - 5 * x[:, 0] ** 2) ** 2)
        return value

    found = sample(sharp, rng.normal(size=(16, 2)), draws=10, rng=rng, max_evaluations=30_000)

    assert not found.settled
    assert found.evaluations <= 30_000


@pytest.mark.parametrize(("shape", "says"), [((7, 1), "even"), ((6, 2), "4 a parameter")])
def test_too_few_walkers_are_refused(shape: tuple[int, int], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        sample(lambda x: -(x**2).sum(axis=1), np.zeros(shape), draws=1, rng=np.random.default_rng(0))


def test_walkers_outside_the_support_are_refused() -> None:
    with pytest.raises(ValueError, match="outside the support"):
        sample(lambda x: np.full(len(x), -np.inf), np.zeros((8, 1)), draws=1, rng=np.random.default_rng(0))


@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.9])
def test_effective_number_of_autoregressive_chains(correlation: float) -> None:
    """An AR(1) chain of n draws is worth n (1 - rho) / (1 + rho)."""
    rng = np.random.default_rng(5)
    steps, chains = 4_000, 8
    paths = np.empty((steps, chains, 1))
    at = rng.normal(size=chains)
    for n in range(steps):
        at = correlation * at + np.sqrt(1 - correlation**2) * rng.normal(size=chains)
        paths[n, :, 0] = at

    r_hat, ess = diagnostics(paths)

    assert ess == pytest.approx(steps * chains * (1 - correlation) / (1 + correlation), rel=0.15)
    assert r_hat < 1.01


def test_r_hat_sees_means_and_spreads_that_differ() -> None:
    rng = np.random.default_rng(6)
    alike = rng.normal(size=(1_000, 4, 1))

    assert diagnostics(alike)[0] < 1.01
    assert diagnostics(alike + np.array([0, 0, 0, 1.0])[:, None])[0] > 1.1, "one chain lies elsewhere"
    assert diagnostics(alike * np.array([1, 1, 1, 4.0])[:, None])[0] > 1.1, "one chain is wider"
    drifting = alike + np.linspace(0, 2, 1_000)[:, None, None]
    assert diagnostics(drifting)[0] > 1.1, "all drift together, which only halves of chains show"
    assert diagnostics(np.zeros((10, 4, 1))) == (np.inf, 1.0)
