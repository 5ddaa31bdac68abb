"""MBG/NBD and MBG/CNBD-k against printed numbers.

CDNOW: the MBG/NBD maximum as R's BTYDplus finds it, and that package's finding that CDNOW's purchases are not regular
(k = 1). What it prints for k = 2 rests on a grocery retailer's data that are not at hand.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict

import numpy as np
import pytest

from evervalue.numerics.arrays import Array
from evervalue.numerics.estimation.optimise import maximise
from evervalue.numerics.purchases import mbg_cnbd_k
from tests.support import cdnow

MAXIMUM = (0.524843, 6.183085, 0.891359, 1.614002)


def test_the_maximum_on_cdnow() -> None:
    c = cdnow.calibration()
    ll, gradient = mbg_cnbd_k.log_likelihood_gradient(MAXIMUM, c["frequency"], c["recency"], c["T"])
    assert ll.sum() == pytest.approx(-9582.1357, abs=5e-5)
    assert np.all(np.abs(gradient.sum(axis=1)) < 1e-3)


def test_expectations_and_p_alive() -> None:
    assert float(mbg_cnbd_k.expected_orders(MAXIMUM, 52)) == pytest.approx(1.418885, abs=1e-6)
    customer_1516 = 26, 216 / 7, 31.0
    assert float(mbg_cnbd_k.p_alive(MAXIMUM, *customer_1516)) == pytest.approx(0.96548, abs=5e-6)
    orders = float(mbg_cnbd_k.conditional_expected_orders(MAXIMUM, *customer_1516, 52))
    assert orders == pytest.approx(23.998, abs=5e-4)


def test_the_39_weeks_that_followed() -> None:
    """16.2 % fewer than the 1,882 orders that came; mean absolute error .7648."""
    c = cdnow.calibration()
    orders = mbg_cnbd_k.conditional_expected_orders(MAXIMUM, c["frequency"], c["recency"], c["T"], 39)
    assert orders.sum() / c["holdout_orders"].sum() - 1 == pytest.approx(-0.162, abs=1e-3)
    assert np.abs(orders - c["holdout_orders"]).mean() == pytest.approx(0.7648, abs=2e-3)


def test_cdnow_is_not_regular() -> None:
    """With what the intervals add, the likelihood of k = 1 beats that of k = 2 and 3 by far."""
    c = cdnow.calibration()
    x, log_intervals = c["frequency"], intervals()

    def log_likelihood(k: int) -> float:
        def objective(log_params: Array) -> tuple[float, Array]:
            ll, gradient = mbg_cnbd_k.log_likelihood_gradient(np.exp(log_params), x, c["recency"], c["T"], k)
            return float(ll.sum()), gradient.sum(axis=1)

        start = np.log([0.5, 6.0 / k, 0.9, 1.6])
        best = maximise(objective, [start], lower=np.full(4, -9.0), upper=np.full(4, 11.0))
        assert best.converged
        return best.value + float(mbg_cnbd_k.interval_log_likelihood(x, log_intervals, k).sum())

    found = [log_likelihood(k) for k in (1, 2, 3)]
    assert found[0] == pytest.approx(-9582.1357, abs=1e-3)
    assert found[0] > found[1] + 100 > found[2] + 200


def intervals() -> Array:
    """Sum of the logs of the weeks between each customer's purchase days, by id as `cdnow.calibration`."""
    days: dict[str, set[dt.date]] = defaultdict(set)
    for customer, day, _ in cdnow.orders():
        days[customer] |= {day} if day < cdnow.FIRST_DAY_AFTER else set()
    return np.array(
        [
            np.log(np.diff([day.toordinal() for day in sorted(days[customer])]) / 7).sum()
            for customer in sorted(days)
        ]
    )
