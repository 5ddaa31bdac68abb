"""Pareto/NBD: the published numbers on CDNOW, and printed values at printed parameters."""

from __future__ import annotations

import numpy as np
import pytest

from evervalue.numerics.arrays import Array
from evervalue.numerics.estimation.optimise import hessian, maximise
from evervalue.numerics.purchases import pareto_nbd
from tests.support import cdnow

MAXIMUM = (0.553277, 10.57768, 0.606240, 11.66873)
ROUNDED = (0.55, 10.56, 0.61, 11.64)
LAST = 216 / 7  # customer 1516's last order, printed as 30.857


def total(log_params: Array) -> tuple[float, Array]:
    columns = cdnow.calibration()
    value, gradient = pareto_nbd.log_likelihood_gradient(
        np.exp(log_params), columns["frequency"], columns["recency"], columns["T"]
    )
    return float(value.sum()), gradient.sum(axis=1)


def test_log_likelihood_at_the_published_maximum() -> None:
    value, gradient = total(np.log(MAXIMUM))
    assert value == pytest.approx(-9594.9762, abs=1e-4)
    np.testing.assert_allclose(gradient, 0, atol=2e-4)


def test_the_maximum_is_found_and_its_standard_errors() -> None:
    wide = np.full(4, 12.0)
    found = maximise(total, [np.zeros(4)], lower=-wide, upper=wide)
    assert found.converged
    assert found.value == pytest.approx(-9594.9762, abs=1e-4)
    np.testing.assert_allclose(np.exp(found.log_params), MAXIMUM, rtol=1e-5)
    # Standard errors of the parameters themselves, by the delta rule from those of their logs.
    covariance = np.linalg.inv(-hessian(total, found.log_params))
    errors = np.exp(found.log_params) * np.sqrt(np.diag(covariance))
    assert [round(e, n) for e, n in zip(errors, (4, 3, 3, 3), strict=True)] == [0.0476, 0.843, 0.187, 6.211]


def test_new_customers() -> None:
    weeks = np.array([1.0, 2.0, 3.0])
    printed = np.array([0.05077821, 0.09916088, 0.14542507])
    np.testing.assert_allclose(pareto_nbd.expected_orders(ROUNDED, weeks), printed, atol=5e-9)
    assert pareto_nbd.expected_orders(MAXIMUM, 52) == pytest.approx(1.473434, abs=5e-7)


def test_customer_1516() -> None:
    assert pareto_nbd.p_alive(MAXIMUM, 26, LAST, 31) == pytest.approx(0.997874, abs=1e-6)
    expected = float(pareto_nbd.conditional_expected_orders(MAXIMUM, 26, LAST, 31, 52))
    assert expected == pytest.approx(25.45518, abs=5e-6)
    # Printed at parameters that were rounded, which does not say how.
    assert expected == pytest.approx(25.45647, abs=2e-3)


def test_discounted_expected_residual_transactions() -> None:
    at = (0.5629966, 12.559037, 0.4081095, 10.5148048)
    worth = pareto_nbd.discounted_expected_orders(at, 7, 35, 77.86, np.inf, 0.0027)
    assert worth == pytest.approx(1.864183, abs=5e-7)
    assert pareto_nbd.p_alive(at, 7, 35, 77.86) == pytest.approx(0.100746, abs=5e-7)


def test_holdout_of_cdnow() -> None:
    """Bias, MAE and RMSE of the 39 weeks after, as the reference table gives them."""
    columns = cdnow.calibration()
    expected = pareto_nbd.conditional_expected_orders(
        MAXIMUM, columns["frequency"], columns["recency"], columns["T"], 39.0
    )
    actual = columns["holdout_orders"]
    assert actual.sum() == 1882
    miss = expected - actual
    assert miss.sum() / actual.sum() == pytest.approx(-0.115, abs=5e-4)
    assert np.abs(miss).mean() == pytest.approx(0.7545, abs=5e-5)
    assert np.sqrt((miss**2).mean()) == pytest.approx(1.6028, abs=5e-5)
