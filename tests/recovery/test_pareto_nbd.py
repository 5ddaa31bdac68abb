"""Pareto/NBD: parameters that simulated customers were made with are found again."""

from __future__ import annotations

import numpy as np
import pytest

from evervalue.numerics.arrays import Array
from evervalue.numerics.estimation.optimise import maximise
from evervalue.numerics.purchases import pareto_nbd


@pytest.mark.parametrize(
    "truth", [(0.55, 10.6, 0.61, 11.7), (1.6, 8.0, 1.4, 30.0), (3.0, 5.0, 0.4, 2.0)], ids=str
)
def test_parameters_are_found_within_their_standard_errors(truth: tuple[float, ...]) -> None:
    rng = np.random.default_rng(2718)
    drawn = pareto_nbd.simulate(truth, rng.uniform(20, 78, 20_000), rng)

    def total(log_params: Array) -> tuple[float, Array]:
        value, gradient = pareto_nbd.log_likelihood_gradient(np.exp(log_params), drawn.x, drawn.t_x, drawn.T)
        return float(value.sum()), gradient.sum(axis=1)

    wide = np.full(4, 12.0)
    found = maximise(total, [np.zeros(4)], lower=-wide, upper=wide)
    assert found.converged
    miss = found.log_params - np.log(truth)
    # Squared distance in units of the covariance: chi-squared with 4 degrees of freedom, 99.9 % below 18.5.
    assert -(miss @ found.hessian @ miss) < 18.5
    errors = np.sqrt(np.diag(np.linalg.inv(-found.hessian)))
    assert (errors < 0.25).all()
