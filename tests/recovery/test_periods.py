"""Models in whole periods: simulate, fit, get the truth back within sampling error."""

from __future__ import annotations

import math

import numpy as np
import pytest

import evervalue as ev
from evervalue.models.period_model import PeriodModel
from evervalue.numerics.arrays import Array
from evervalue.numerics.periods import beta_discrete_weibull, bg_bb, shifted_beta_geometric


def near(model: PeriodModel, truth: tuple[float, ...]) -> None:
    """Within four standard errors on the log scale, each, and jointly as chi-squared allows."""
    off = np.log(list(model.params_.values())) - np.log(truth)
    spread = np.sqrt(np.diag(model.covariance_))
    assert (np.abs(off) < 4 * spread).all(), (model.params_, truth)
    joint = float(off @ np.linalg.solve(model.covariance_, off))
    assert joint < len(truth) + 6 * math.sqrt(2 * len(truth))


def bg_bb_history(params: tuple[float, ...], n: Array, seed: int) -> dict[str, Array]:
    drawn = bg_bb.simulate(params, n, np.random.default_rng(seed))
    return {"frequency": drawn.x, "recency": drawn.t_x, "n_periods": drawn.T}


@pytest.mark.parametrize("truth", [(1.2, 0.75, 0.66, 2.78), (0.5, 4.0, 2.0, 20.0), (8.0, 2.0, 0.3, 1.0)])
def test_bg_bb(truth: tuple[float, ...]) -> None:
    model = ev.BetaGeoBetaBinomial().fit(bg_bb_history(truth, np.full(20_000, 10.0), 1))
    near(model, truth)


def test_bg_bb_of_customers_who_came_one_after_the_other() -> None:
    truth = (1.2, 0.75, 0.66, 2.78)
    ages = np.random.default_rng(2).integers(0, 25, 15_000).astype(float)
    near(ev.BetaGeoBetaBinomial().fit(bg_bb_history(truth, ages, 3)), truth)


@pytest.mark.parametrize("truth", [(0.67, 3.8), (0.07, 0.27), (3.8, 15.2)])
def test_shifted_beta_geometric(truth: tuple[float, float]) -> None:
    drawn = shifted_beta_geometric.simulate(truth, np.full(20_000, 12.0), np.random.default_rng(4))
    near(ev.ShiftedBetaGeo().fit({"periods": drawn.periods, "churned": drawn.churned}), truth)


def test_contracts_that_were_first_seen_late() -> None:
    """Only those who were still there when watching began are in the data; leaving that out would bias the fit."""
    truth = (0.67, 3.8)
    rng = np.random.default_rng(5)
    entered = rng.integers(0, 8, 40_000).astype(float)
    drawn = shifted_beta_geometric.simulate(truth, entered + 6, rng)
    there = drawn.lifetime > entered
    frame = {"periods": drawn.periods[there], "churned": drawn.churned[there], "entered": entered[there]}
    near(ev.ShiftedBetaGeo().fit(frame), truth)
    naive = ev.ShiftedBetaGeo().fit({name: frame[name] for name in ("periods", "churned")})
    assert float(naive.survival(6)) > float(shifted_beta_geometric.survival(truth, 6.0)) + 0.1


@pytest.mark.parametrize("truth", [(0.26, 1.72, 1.58), (1.5, 6.0, 0.6)])
def test_beta_discrete_weibull(truth: tuple[float, float, float]) -> None:
    drawn = beta_discrete_weibull.simulate(truth, np.full(40_000, 15.0), np.random.default_rng(6))
    near(ev.BetaDiscreteWeibull().fit({"periods": drawn.periods, "churned": drawn.churned}), truth)
