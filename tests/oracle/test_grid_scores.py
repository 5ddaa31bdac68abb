"""The score of a law of money on a grid against the pairs of its definition, by simulation and in closed form."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from evervalue.numerics.grid_law import GridLaw
from evervalue.numerics.grid_scores import crps_grid
from evervalue.numerics.probability_scores import crps_draws

ATOMS = np.array([0.0, 0.3, 0.9])
OUTCOMES = np.array([0.0, 0.2, 1.0, 2.5, 40.0])


def every(law: GridLaw, outcome: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return crps_grid(law, np.arange(law.rows), np.full(law.rows, outcome))


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_gamma_money_with_an_atom_at_zero(outcome: float) -> None:
    grid = np.log(stats.gamma.ppf(1e-9, 2.0)) + 0.01 * np.arange(2500)
    grid = grid[grid < np.log(stats.gamma.isf(1e-12, 2.0))]
    share = stats.gamma.cdf(np.exp(grid), 2.0)
    law = GridLaw(grid, "log", (1 - ATOMS)[:, None] * share, ATOMS, np.zeros(3))
    rng = np.random.default_rng(1)
    drawn = np.where(rng.random((3, 100_000)) < ATOMS[:, None], 0.0, rng.gamma(2.0, size=(3, 100_000)))
    assert every(law, outcome) == pytest.approx(crps_draws(drawn, np.full(3, outcome)), abs=0.02)


@pytest.mark.parametrize("outcome", [-3.0, -0.4, 0.0, 0.55, 2.5, 40.0])
@pytest.mark.parametrize("shift", [0.0, 0.0037], ids=["zero on the grid", "zero between points"])
def test_money_of_any_sign(outcome: float, shift: float) -> None:
    grid = np.linspace(-8, 9, 1701) + shift
    share = stats.norm.cdf(grid, loc=0.5)
    below = np.full(3, float(stats.norm.cdf(-0.5)))
    law = GridLaw(grid, "linear", (1 - ATOMS)[:, None] * share, ATOMS, (1 - ATOMS) * below)
    rng = np.random.default_rng(2)
    normal = rng.normal(0.5, 1.0, (3, 100_000))
    drawn = np.where(rng.random((3, 100_000)) < ATOMS[:, None], 0.0, normal)
    assert every(law, outcome) == pytest.approx(crps_draws(drawn, np.full(3, outcome)), abs=0.02)


def test_a_normal_law_without_an_atom_in_closed_form() -> None:
    grid = np.linspace(-9, 9, 3601)
    law = GridLaw(grid, "linear", stats.norm.cdf(grid)[None, :], np.zeros(1), np.array([0.5]))
    y = np.linspace(-4, 4, 33)
    closed = y * (2 * stats.norm.cdf(y) - 1) + 2 * stats.norm.pdf(y) - 1 / np.sqrt(np.pi)
    assert crps_grid(law, np.zeros(33, dtype=np.intp), y) == pytest.approx(closed, abs=1e-5)


def test_an_atom_alone_scores_the_absolute_error() -> None:
    grid = np.linspace(-3, 3, 61)
    law = GridLaw(grid, "log", np.zeros((1, 61)), np.ones(1), np.zeros(1))
    assert crps_grid(law, np.zeros(2, dtype=np.intp), np.array([0.0, 7.0])) == pytest.approx([0.0, 7.0])
