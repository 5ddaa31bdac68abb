"""Pareto/NBD: the published numbers on CDNOW, and printed values at printed parameters."""

from __future__ import annotations

import numpy as np
import pytest

from evervalue.numerics import pareto_nbd
from evervalue.numerics.arrays import Array
from tests.support import cdnow

MAXIMUM = (0.553277, 10.57768, 0.606240, 11.66873)
ROUNDED = (0.55, 10.56, 0.61, 11.64)


@pytest.fixture(scope="module")
def histories() -> tuple[Array, Array, Array]:
    columns = cdnow.calibration()
    return columns["frequency"], columns["recency"], columns["T"]


def test_log_likelihood_at_the_published_maximum(histories: tuple[Array, Array, Array]) -> None:
    value, gradient = pareto_nbd.log_likelihood_gradient(MAXIMUM, *histories)
    assert value.sum() == pytest.approx(-9594.9762, abs=1e-4)
    np.testing.assert_allclose(gradient.sum(axis=1), 0, atol=1e-3)


def test_new_customers() -> None:
    weeks = np.array([1.0, 2.0, 3.0])
    printed = np.array([0.05077821, 0.09916088, 0.14542507])
    np.testing.assert_allclose(pareto_nbd.expected_orders(ROUNDED, weeks), printed, atol=5e-9)
    assert pareto_nbd.expected_orders(MAXIMUM, 52) == pytest.approx(1.473434, abs=5e-7)


def test_customer_1516() -> None:
    assert pareto_nbd.p_alive(MAXIMUM, 26, 30.857, 31) == pytest.approx(0.997874, abs=5e-6)
    expected = pareto_nbd.conditional_expected_orders(MAXIMUM, 26, 30.857, 31, 52)
    assert expected == pytest.approx(25.45518, abs=1e-4)
