"""Folds made of a few numbers, and candidates that say what a test wants them to say."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evervalue.core.errors import FitFailed
from evervalue.models.fold import Fold, Folds
from evervalue.models.forecast import Forecast, Outlook

ORIGIN = dt.date(2024, 1, 1)


def fold(
    actual_orders: ArrayLike,
    actual_value: ArrayLike | None = None,
    *,
    frequency: ArrayLike = 0.0,
    T: ArrayLike = 100.0,
    monetary_value: ArrayLike = 0.0,
    window_orders: ArrayLike = 0.0,
    window_value: ArrayLike = 0.0,
    late: ArrayLike = False,
    ids: Sequence[str] | None = None,
    origin: dt.date = ORIGIN,
    horizon_days: int = 50,
    first_order_date: NDArray[Any] | None = None,
) -> Fold:
    """A fold whose columns are broadcast to the length of the outcomes."""
    orders = np.asarray(actual_orders, dtype=np.float64)
    n = len(orders)

    def column(value: ArrayLike) -> Any:
        return np.broadcast_to(np.asarray(value, dtype=np.float64), n).copy()

    first = np.full(n, np.datetime64(origin) - np.timedelta64(100, "D"))
    x = column(frequency)
    return Fold(
        origin=origin,
        horizon_days=horizon_days,
        ids=np.array(ids if ids is not None else [f"{k:06}" for k in range(n)], dtype=object),
        first_order_date=first if first_order_date is None else first_order_date,
        frequency=x,
        recency=np.where(x > 0, column(T) / 2, 0.0),
        T=column(T),
        monetary_value=column(monetary_value),
        window_days=horizon_days,
        window_orders=column(window_orders),
        window_value=column(window_value),
        actual_orders=orders,
        actual_value=orders * 10 if actual_value is None else column(actual_value),
        late=np.broadcast_to(np.asarray(late, dtype=bool), n).copy(),
    )


def folds(*some: Fold) -> Folds:
    """Them together."""
    last = some[-1]
    return Folds(some, last.horizon_days, last.end, ORIGIN - dt.timedelta(days=400), len(last), None, [])


@dataclass(frozen=True)
class Says:
    """A candidate whose forecasts are given: mean and score, one a customer, the same for orders and money."""

    key: str
    mean: Any
    crps: Any
    money: bool = True
    fails: bool = False
    naive: bool = False

    @property
    def name(self) -> str:
        return self.key.upper()

    def forecast(self, fold: Fold, interval: float | None) -> Forecast:
        if self.fails:
            raise FitFailed("nothing to see")
        mean = np.broadcast_to(np.asarray(self.mean, dtype=np.float64), len(fold)).copy()
        crps = np.broadcast_to(np.asarray(self.crps, dtype=np.float64), len(fold)).copy()
        outlook = Outlook(mean, mean - 1, mean + 1, np.full(len(fold), interval or np.nan), crps)
        p_any = np.clip(mean, 0, 1)
        return Forecast(outlook, p_any, -crps, outlook if self.money else None)
