"""Simulate, fit, and get the truth back, within the standard errors that the fit itself reports."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest

from evervalue.numerics.arrays import Array
from evervalue.numerics.estimation.optimise import maximise
from evervalue.numerics.purchases import bg_nbd, mbg_cnbd_k
from evervalue.numerics.purchases.kernel import Kernel

TRUE: dict[str, tuple[ModuleType, dict[str, int], tuple[float, ...]]] = {
    "BG/NBD": (bg_nbd, {}, (0.6, 5.0, 0.9, 2.5)),
    "MBG/NBD": (mbg_cnbd_k, {}, (0.8, 6.0, 0.8, 2.4)),
    "MBG/CNBD-3": (mbg_cnbd_k, {"k": 3}, (0.85, 1.45, 0.79, 2.42)),
}


@pytest.mark.parametrize("name", TRUE)
def test_the_truth_comes_back(name: str) -> None:
    module, options, true = TRUE[name]
    kernel = Kernel.of(module, **options)
    rng = np.random.default_rng(17)
    drawn = kernel.simulate(true, rng.integers(12, 97, 8_000).astype(float), rng, 32.0)

    def objective(log_params: Array) -> tuple[float, Array]:
        ll, gradient = kernel.log_likelihood_gradient(np.exp(log_params), drawn.x, drawn.t_x, drawn.T)
        return float(ll.sum()), gradient.sum(axis=1)

    best = maximise(objective, [np.zeros(4)], lower=np.full(4, -9.0), upper=np.full(4, 11.0))
    errors = np.sqrt(np.diag(np.linalg.inv(-best.hessian)))
    miss = best.log_params - np.log(true)

    assert best.converged
    assert np.all(errors < 0.35)
    # Squared distance in units of the covariance: chi-squared with 4 degrees of freedom, 99.9 % below 18.5.
    assert -(miss @ best.hessian @ miss) < 18.5
    # And what follows from the fit: who is alive, and how many orders are to come.
    fitted = np.exp(best.log_params)
    history = drawn.x, drawn.t_x, drawn.T
    assert kernel.p_alive(fitted, *history).mean() == pytest.approx(drawn.alive.mean(), abs=0.02)
    orders = kernel.conditional_expected_orders(fitted, *history, 32.0)
    assert orders.mean() == pytest.approx(drawn.future.mean(), rel=0.05)
