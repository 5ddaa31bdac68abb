"""Posteriors of purchase models on CDNOW equal quadrature over a grid, and a long run of the sampler."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import ModuleType

import numpy as np
import pytest

from evervalue.numerics.arrays import Array
from evervalue.numerics.estimation.optimise import Maximum, maximise
from evervalue.numerics.estimation.posterior import posterior
from evervalue.numerics.estimation.sampler import sample
from evervalue.numerics.estimation.weak_prior import HALF_WIDTH, log_weak_prior
from evervalue.numerics.purchases import bg_nbd, pareto_nbd
from tests.support import cdnow


class Target:
    """Log posterior density of one model on every `every`th customer, with some log parameters held fixed."""

    def __init__(self, model: ModuleType, every: int = 1, held: Sequence[float | None] = (None,) * 4) -> None:
        data = cdnow.calibration()
        rows = np.stack([data["frequency"], data["recency"], data["T"]], axis=1)[::every]
        distinct, self.weight = np.unique(rows, axis=0, return_counts=True)
        self.model, self.held = model, held
        scale = distinct[:, 2].max()
        self.x, self.t_x, self.T = distinct[:, 0], distinct[:, 1] / scale, distinct[:, 2] / scale
        self.free = [i for i, value in enumerate(held) if value is None]

    def whole(self, thetas: Array) -> Array:
        full = np.array([0.0 if value is None else value for value in self.held])
        filled = np.tile(full, (len(thetas), 1))
        filled[:, self.free] = thetas
        return filled

    def __call__(self, thetas: Array) -> Array:
        params = np.exp(self.whole(thetas)).T[:, :, None]
        parts = [
            self.model.log_likelihood(params[:, i : i + 50], self.x, self.t_x, self.T) @ self.weight
            for i in range(0, len(thetas), 50)
        ]
        return np.concatenate(parts) + log_weak_prior(thetas)

    def maximum(self) -> Maximum:
        def objective(theta: Array) -> tuple[float, Array]:
            params = np.exp(self.whole(theta[None])[0])
            ll, gradient = self.model.log_likelihood_gradient(params, self.x, self.t_x, self.T)
            return float(ll @ self.weight), (gradient @ self.weight)[self.free]

        box = np.full(len(self.free), HALF_WIDTH)
        return maximise(objective, [np.zeros(len(self.free))], lower=-box, upper=box)


def grid_moments(
    target: Target, axes: Sequence[Array], reach: Callable[[Array], Array]
) -> tuple[Array, Array]:
    """Means and standard deviations by the trapezoid rule on a grid of coordinates that `reach` makes log parameters.

    For smooth densities that vanish at the ends its error is exponentially small in the number of points.
    """
    points = reach(np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(axes)))
    values = target(points)
    mass = np.exp(values - values.max())
    mass /= mass.sum()
    mean = mass @ points
    return mean, np.sqrt(mass @ (points - mean) ** 2)


def within_error(found: Array, ess: float, mean: Array, sd: Array) -> bool:
    n = min(ess, len(found))
    return bool(
        np.all(np.abs(found.mean(axis=0) - mean) < 4 * sd / np.sqrt(n))
        and np.all(np.abs(found.std(axis=0) / sd - 1) < 6 / np.sqrt(n))
    )


def test_dropout_of_bg_nbd_on_few_customers_where_a_ridge_runs_to_the_prior() -> None:
    """80 customers, r and alpha held: a and b may grow without end together. Quadrature over the plane."""
    target = Target(bg_nbd, every=30, held=(-1.416, -2.175, None, None))
    best = target.maximum()

    found = posterior(target, best.log_params, best.hessian, draws=4_000, rng=np.random.default_rng(0))

    mean, sd = grid_moments(target, [np.linspace(-11, 11, 250)] * 2, lambda z: z)
    assert sd.min() > 1.0, "the data hardly tell"
    assert found.method == "laplace+psis"
    assert within_error(found.log_draws, found.ess, mean, sd)


def test_dropout_of_pareto_nbd_with_its_ridge_to_customers_who_are_all_alike() -> None:
    """r and alpha held: 2 % of the mass lies at s > 10, where a proposal shaped by the mode alone never goes."""
    target = Target(pareto_nbd, every=4, held=(-0.592, -1.301, None, None))
    best = target.maximum()

    found = posterior(target, best.log_params, best.hessian, draws=2_000, rng=np.random.default_rng(0))

    total, share = np.linspace(-4, 10, 90), np.linspace(-3.5, 3.5, 60)
    mean, sd = grid_moments(target, [total, share], lambda z: np.stack([z[:, 0] + z[:, 1], z[:, 0]], axis=1))
    assert found.method == "laplace+psis"
    assert within_error(found.log_draws, found.ess, mean, sd)


def test_the_prior_changes_nothing_where_the_data_speak() -> None:
    """On CDNOW it is exactly flat over the posterior of BG/NBD: the draws are those of the likelihood alone."""
    target = Target(bg_nbd)
    best = target.maximum()

    found = posterior(target, best.log_params, best.hessian, rng=np.random.default_rng(0))

    assert found.method == "laplace+psis"
    assert found.trusted
    assert found.k_hat < 0.5
    assert found.ess > 700
    assert np.all(log_weak_prior(found.log_draws) == 0)


@pytest.mark.slow
def test_bg_nbd_equals_quadrature_in_four_dimensions_and_a_long_walk() -> None:
    target = Target(bg_nbd)
    best = target.maximum()
    values, axes = np.linalg.eigh(-best.hessian)
    root = axes / np.sqrt(values)

    found = posterior(target, best.log_params, best.hessian, draws=4_000, rng=np.random.default_rng(0))

    # The first axis is long on one side.
    spans = [np.linspace(-6, 9, 21), *[np.linspace(-4.8, 4.8, 13)] * 3]
    if (best.log_params + root @ np.array([-9.0, 0, 0, 0]))[2] > best.log_params[2]:
        spans[0] = -spans[0][::-1]
    mean, sd = grid_moments(target, spans, lambda z: best.log_params + z @ root.T)
    walked = sample(
        target,
        best.log_params + 1.5 * np.random.default_rng(1).normal(size=(24, 4)) @ root.T,
        draws=4_000,
        rng=np.random.default_rng(1),
        smallest_ess=1_000,
        max_evaluations=150_000,
    )

    assert within_error(found.log_draws, found.ess, mean, sd)
    assert walked.settled
    assert within_error(walked.draws, walked.ess, mean, sd)
    # In natural units, for who wants to compare: medians 0.2425, 4.40 weeks, 0.81, 2.50.
    medians = np.exp(np.median(found.log_draws, axis=0)) * [1, 38.857142857, 1, 1]
    assert medians == pytest.approx([0.2427, 4.42, 0.81, 2.51], rel=0.03)
