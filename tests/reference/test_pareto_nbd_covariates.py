"""Pareto/NBD with static covariates: the printed results on the apparel customers of the R package CLVTools.

Meierer, Bachmann, Näf, Schilter and Algesheimer, "Estimating individual customer lifetime values with R: the CLVTools
package", sections 6.2.1 and 6.4.1, and section 4 of the package's paper on advanced techniques (one coefficient shared
by both processes). Every customer has an alpha and a beta of their own, divided by exp(coefficients' z).
"""

from __future__ import annotations

import numpy as np
import pytest

import evervalue as ev
from evervalue.numerics.arrays import Array
from evervalue.numerics.estimation.optimise import Maximum, maximise
from evervalue.numerics.purchases import pareto_nbd
from tests.support import published

PLAIN = (1.4490, 48.6361, 0.5613, 46.8844)
# r, alpha, s, beta, then on dropout gender and channel, on transactions gender and channel.
ESTIMATES = (1.8378, 92.9123, 0.5920, 49.6227, -0.6430, 0.7907, 0.2859, 0.6241)
ERRORS = (0.3455, 16.9670, 0.2609, 36.2509, 0.2955, 0.3059, 0.1041, 0.1050)
SHARED = (1.7939, 94.7223, 0.4287, 59.0743, 0.3283, 1.0228, 0.3283, 0.6384)


def value_and_gradient(theta: Array) -> tuple[float, Array]:
    """Of log r, log alpha, log s, log beta and the four coefficients."""
    data = published.apparel()
    z = np.stack([data["gender"], data["channel"]])
    r, alpha, s, beta = np.exp(theta[:4])
    params = (r, alpha * np.exp(-theta[6:] @ z), s, beta * np.exp(-theta[4:6] @ z))
    value, slopes = pareto_nbd.log_likelihood_gradient(params, data["frequency"], data["recency"], data["T"])
    return float(value.sum()), np.concatenate([slopes.sum(axis=1), -z @ slopes[3], -z @ slopes[1]])


def fitted(shared: bool = False) -> Maximum:
    """The maximum; `shared` with one coefficient of gender for both processes."""
    free = np.eye(8)
    if shared:
        free[4, 6] = 1
        free = np.delete(free, 6, axis=0)

    def objective(theta: Array) -> tuple[float, Array]:
        value, gradient = value_and_gradient(theta @ free)
        return value, free @ gradient

    start = np.array([np.log(v) for v in PLAIN] + [0.0] * (len(free) - 4))
    found = maximise(objective, [start], lower=start - 9, upper=start + 9)
    assert found.converged
    return found


def natural(log_params: Array) -> Array:
    return np.concatenate([np.exp(log_params[:4]), log_params[4:]])


def test_without_covariates() -> None:
    data = published.apparel()
    value = pareto_nbd.log_likelihood(PLAIN, data["frequency"], data["recency"], data["T"]).sum()
    assert value == pytest.approx(-5848.0978, abs=1e-4)


def test_log_likelihood_at_the_printed_estimates() -> None:
    at = np.array(ESTIMATES)
    value, gradient = value_and_gradient(np.concatenate([np.log(at[:4]), at[4:]]))
    assert value == pytest.approx(-5821.0627, abs=1e-4)
    np.testing.assert_allclose(gradient, 0, atol=0.05)


def test_estimates_and_standard_errors() -> None:
    found = fitted()
    assert found.value == pytest.approx(-5821.0627, abs=1e-4)
    estimates = natural(found.log_params)
    # The search behind the printed numbers stopped a little early, on a long flat ridge: 0.2 % of a standard error.
    np.testing.assert_array_less(np.abs(estimates - ESTIMATES), 0.01 * np.array(ERRORS))
    errors = np.sqrt(np.diag(np.linalg.inv(-found.hessian)))
    errors[:4] *= estimates[:4]
    np.testing.assert_allclose(errors, ERRORS, rtol=5e-3)


def test_one_coefficient_for_both_processes() -> None:
    found = fitted(shared=True)
    assert found.value == pytest.approx(-5826.5342, abs=1e-4)
    estimates = natural(found.log_params)
    np.testing.assert_allclose(estimates, np.delete(SHARED, 6), rtol=2e-3)
    # The likelihood ratio test that rejects it, with one degree of freedom.
    assert 2 * (fitted().value - found.value) == pytest.approx(10.943, abs=1e-3)


def test_coefficients_of_zero_are_the_plain_model() -> None:
    data = published.apparel()
    at = np.concatenate([np.log(PLAIN), np.zeros(4)])
    plain, slopes = pareto_nbd.log_likelihood_gradient(
        np.exp(at[:4]), data["frequency"], data["recency"], data["T"]
    )
    value, gradient = value_and_gradient(at)
    assert value == float(plain.sum())
    np.testing.assert_array_equal(gradient[:4], slopes.sum(axis=1))


def test_the_estimator() -> None:
    """The same printed numbers, asked for as a user does."""
    model = ev.ParetoNBD(
        transaction_covariates=["gender", "channel"], dropout_covariates=["gender", "channel"]
    ).fit(published.apparel(), unit="W")

    assert model.log_likelihood_ == pytest.approx(-5821.0627, abs=1e-4)
    found = [
        *model.params_.values(),
        *model.coefficients_["dropout"].values(),
        *model.coefficients_["transaction"].values(),
    ]
    np.testing.assert_array_less(np.abs(np.array(found) - ESTIMATES), 0.01 * np.array(ERRORS))
    errors = [
        *model.standard_errors_.values(),
        *np.sqrt(np.diag(model.covariance_)[[6, 7, 4, 5]]),
    ]
    np.testing.assert_allclose(errors, ERRORS, rtol=5e-3)
