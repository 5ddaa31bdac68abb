"""The score of a law of money on a grid: against draws, pair by pair, and in closed form."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from evervalue.numerics.arrays import Array
from evervalue.numerics.measures.probability_scores import crps_draws
from evervalue.numerics.predictive.grid_law import GridLaw

ATOMS = np.array([0.0, 0.3, 0.9])


def of_any_sign(atoms: Array) -> GridLaw:
    """Normal(0.5, 1) but for an atom at zero."""
    grid = np.linspace(-3.2, 3.2, 1281)
    share = stats.norm.cdf(np.sinh(grid))
    below = float(stats.norm.cdf(-0.5))
    centre, unit = np.full(len(atoms), 0.5), np.ones(len(atoms))
    return GridLaw(grid, (1 - atoms)[:, None] * share, atoms, (1 - atoms) * below, (centre, unit))


@pytest.mark.parametrize("outcome", [0.0, 0.2, 1.0, 2.5, 40.0])
def test_gamma_money_with_an_atom_at_zero(outcome: float) -> None:
    low, high = np.log(stats.gamma.ppf(1e-9, 2.0)), np.log(stats.gamma.isf(1e-12, 2.0))
    grid = np.arange(low, high, 0.01)
    law = GridLaw(grid, (1 - ATOMS)[:, None] * stats.gamma.cdf(np.exp(grid), 2.0), ATOMS, np.zeros(3))
    rng = np.random.default_rng(1)
    drawn = np.where(rng.random((3, 100_000)) < ATOMS[:, None], 0.0, rng.gamma(2.0, size=(3, 100_000)))
    came = np.full(3, outcome)
    assert law.crps(came) == pytest.approx(crps_draws(drawn, came), abs=0.02)


@pytest.mark.parametrize("outcome", [-3.0, -0.4, 0.0, 0.55, 2.5, 40.0])
def test_money_of_any_sign(outcome: float) -> None:
    rng = np.random.default_rng(2)
    normal = rng.normal(0.5, 1.0, (3, 100_000))
    drawn = np.where(rng.random((3, 100_000)) < ATOMS[:, None], 0.0, normal)
    came = np.full(3, outcome)
    assert of_any_sign(ATOMS).crps(came) == pytest.approx(crps_draws(drawn, came), abs=0.02)


def test_a_normal_law_without_an_atom_in_closed_form() -> None:
    y = np.linspace(-4, 4, 33)
    closed = y * (2 * stats.norm.cdf(y) - 1) + 2 * stats.norm.pdf(y) - 1 / np.sqrt(np.pi)
    assert of_any_sign(np.zeros(33)).crps(y + 0.5) == pytest.approx(closed, abs=1e-4)


def test_an_atom_alone_scores_the_absolute_error() -> None:
    law = GridLaw(np.linspace(-3, 3, 61), np.zeros((2, 61)), np.ones(2), np.zeros(2))
    assert law.crps(np.array([0.0, 7.0])) == pytest.approx([0.0, 7.0], abs=1e-9)
