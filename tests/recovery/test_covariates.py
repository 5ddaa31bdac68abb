"""Static covariates: the coefficients of simulated customers come back, and so do the other parameters."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import evervalue as ev
from evervalue.models.covariates import Covariates, shifted
from evervalue.models.purchase import PurchaseModel

CUSTOMERS = 20_000
TRUE: dict[str, dict[str, float]] = {
    "pareto-nbd": {"r": 0.8, "alpha": 8.0, "s": 0.7, "beta": 15.0},
    "bg-nbd": {"r": 0.5, "alpha": 6.0, "a": 0.8, "b": 2.5},
    "mbg-nbd": {"r": 0.8, "alpha": 6.0, "a": 0.8, "b": 2.5},
    "mbg-cnbd-k": {"r": 0.8, "alpha": 6.0, "a": 0.8, "b": 2.5},
}
GAMMA = {"transaction": {"loud": 0.6, "size": -0.3}, "dropout": {"loud": 0.5}}


def simulated(model: PurchaseModel) -> dict[str, Any]:
    rng = np.random.default_rng(20)
    columns = {"loud": rng.integers(0, 2, CUSTOMERS).astype(float), "size": rng.normal(size=CUSTOMERS)}
    theta = np.array([*np.log(list(TRUE[model.key].values())), 0.6, -0.3, 0.5])
    params = shifted(model.kernel, theta, model._covariates(), columns)
    drawn = model.kernel.simulate(params, np.full(CUSTOMERS, 60.0), rng)
    return {"frequency": drawn.x, "recency": drawn.t_x, "T": drawn.T, **columns}


@pytest.mark.slow
@pytest.mark.parametrize(
    "model",
    [kind(transaction_covariates=["loud", "size"], dropout_covariates=["loud"])
     for kind in (ev.ParetoNBD, ev.BetaGeo, ev.ModifiedBetaGeo, ev.RegularBetaGeo)],
    ids=lambda m: m.key,
)  # fmt: skip
def test_coefficients_come_back(model: PurchaseModel) -> None:
    history = simulated(model)
    model.fit(history, unit="W")

    place = len(model.params_)
    for process, truths in GAMMA.items():
        for name, truth in truths.items():
            error = np.sqrt(model.covariance_[place, place])
            assert 0.001 < error < 0.15
            assert abs(model.coefficients_[process][name] - truth) < 4 * error
            place += 1
    for i, (name, truth) in enumerate(TRUE[model.key].items()):
        assert abs(np.log(model.params_[name] / truth)) < 4 * np.sqrt(model.covariance_[i, i])
    plain = type(model)().fit(history, unit="W")
    assert model.log_likelihood_ > plain.log_likelihood_ + 100


@pytest.mark.parametrize("kind", [ev.ParetoNBD, ev.BetaGeo])
def test_gradient_with_covariates_against_differences(kind: type[PurchaseModel]) -> None:
    from evervalue.models.histories import distinct, histories
    from evervalue.models.likelihood import Likelihood

    model = kind(transaction_covariates=["loud", "size"], dropout_covariates=["loud"])
    history = {name: column[:300] for name, column in simulated(model).items()}
    h = histories(history, extra=("loud", "size"))
    data = distinct(h.frequency, h.recency, h.T, None, h.extra)
    nought, one = {"loud": 0.0, "size": 0.0}, {"loud": 1.0, "size": 1.0}
    both = nought, one, nought, one
    likelihood = Likelihood(model.kernel, data, 20.0, Covariates(model._covariates(), *both))
    at = np.array([-0.3, 0.2, -0.1, 0.4, 0.3, -0.2, 0.1])
    gradient = likelihood.objective(at)[1]
    for i in range(len(at)):
        step = np.zeros(len(at))
        step[i] = 1e-5
        slope = (likelihood.objective(at + step)[0] - likelihood.objective(at - step)[0]) / 2e-5
        assert gradient[i] == pytest.approx(slope, rel=1e-5, abs=1e-4)
