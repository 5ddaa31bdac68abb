"""Lifetime value by months, over times that are not whole months: the month that has begun counts, as in lifetimes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from evervalue.compat.lifetimes import GammaGammaFitter


class Steady:
    """An order a day, whatever the history."""

    def predict(self, t: float, frequency: Any, recency: Any, T: Any) -> Any:
        return np.full(len(frequency), float(t))


def clv(time: float) -> Any:
    fitter = GammaGammaFitter()
    fitter.params_ = pd.Series({"p": 6.0, "q": 4.0, "v": 15.0})
    x, t_x, T, m = (np.array(c) for c in ([2.0, 0.0], [30.0, 0.0], [50.0, 50.0], [35.0, 0.0]))
    return fitter.customer_lifetime_value(Steady(), x, t_x, T, m, time=time, discount_rate=0.0)


@pytest.mark.parametrize(("time", "months"), [(1.5, 2), (2, 2), (2.0, 2), (0.5, 1), (0, 0)])
def test_a_month_begun_counts_whole(time: float, months: int) -> None:
    assert clv(time).tolist() == pytest.approx((months * clv(1)).tolist())
    assert (clv(1) > 0).all()
