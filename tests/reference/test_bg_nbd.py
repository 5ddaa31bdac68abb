"""BG/NBD against printed numbers.

CDNOW: Fader, Hardie and Lee (2005), tables 1 to 3, with the maximum and customer 1516 as R's BTYD and CLVTools print
them; Fader and Hardie's notes on implementing the model for the expectation and the probabilities.
"""

from __future__ import annotations

import numpy as np
import pytest

from evervalue.numerics.purchases import bg_nbd
from tests.support import cdnow

MAXIMUM = (0.242595, 4.413602, 0.792922, 2.425907)
ROUNDED = (0.243, 4.414, 0.793, 2.426)


def test_the_maximum_on_cdnow() -> None:
    c = cdnow.calibration()
    ll, gradient = bg_nbd.log_likelihood_gradient(MAXIMUM, c["frequency"], c["recency"], c["T"])
    assert ll.sum() == pytest.approx(-9582.4292, abs=5e-5)
    # Six printed digits leave a slope; a tenth of a standard error away it is ten thousand times as steep.
    assert np.all(np.abs(gradient.sum(axis=1)) < 0.01)
    away = bg_nbd.log_likelihood_gradient((0.2439, *MAXIMUM[1:]), c["frequency"], c["recency"], c["T"])[1]
    assert abs(away[0].sum()) > 2


def test_standard_errors_on_cdnow() -> None:
    """From the curvature of the log-likelihood, by differences of its gradient."""
    c = cdnow.calibration()
    data = c["frequency"], c["recency"], c["T"]
    step = 1e-4
    curvature = np.zeros((4, 4))
    for k in range(4):
        for sign in (1, -1):
            moved = np.array(MAXIMUM)
            moved[k] *= np.exp(sign * step)
            slope = bg_nbd.log_likelihood_gradient(list(moved), *data)[1].sum(axis=1)
            curvature[k] -= sign * slope / (2 * step)
    errors = np.sqrt(np.diag(np.linalg.inv((curvature + curvature.T) / 2))) * MAXIMUM
    assert errors == pytest.approx([0.0126, 0.378, 0.186, 0.705], rel=6e-3)


def test_expectations_and_p_alive() -> None:
    assert float(bg_nbd.expected_orders(MAXIMUM, 52)) == pytest.approx(1.44401, abs=1e-5)
    customer_1516 = 26, 216 / 7, 31.0
    assert float(bg_nbd.p_alive(MAXIMUM, *customer_1516)) == pytest.approx(0.96885, abs=5e-6)
    orders = float(bg_nbd.conditional_expected_orders(MAXIMUM, *customer_1516, 52))
    assert orders == pytest.approx(25.757, abs=5e-4)
    orders = float(bg_nbd.conditional_expected_orders(ROUNDED, 2, 30.43, 38.86, 39))
    assert orders == pytest.approx(1.226, abs=5e-4)


def test_probabilities_of_counts() -> None:
    assert float(bg_nbd.pmf(ROUNDED, 39, 0)[0]) == pytest.approx(0.5737864, abs=5e-8)
    assert float(bg_nbd.pmf(ROUNDED, 2, 10)[10]) == pytest.approx(1.07869e-7, rel=5e-6)


def test_the_39_weeks_that_followed() -> None:
    """12.1 % fewer than the 1,882 orders that came; mean absolute error .7855."""
    c = cdnow.calibration()
    orders = bg_nbd.conditional_expected_orders(MAXIMUM, c["frequency"], c["recency"], c["T"], 39)
    actual = c["holdout_orders"]
    assert actual.sum() == 1882
    assert orders.sum() / actual.sum() - 1 == pytest.approx(-0.121, abs=1e-3)
    assert np.abs(orders - actual).mean() == pytest.approx(0.7855, abs=2e-3)
