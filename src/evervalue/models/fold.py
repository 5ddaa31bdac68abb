"""One origin of a backtest: what was known of each customer before a day, and what they did in the time after it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evervalue.models.histories import Histories
from evervalue.numerics.arrays import Array


@dataclass(frozen=True)
class Fold:
    """Features strictly before the origin, labels in [origin, origin + horizon). Times in days, one element a customer.

    Who bought before the origin is in it; who came later is counted in `newcomers` alone.
    """

    origin: dt.date
    """First day that is predicted."""
    horizon_days: int
    ids: NDArray[Any]
    first_order_date: NDArray[np.datetime64]
    frequency: Array
    """Purchase days after the first."""
    recency: Array
    """Days from the first purchase to the last."""
    T: Array
    """Days from the first purchase to the day before the origin."""
    monetary_value: Array
    """Mean money of a repeat purchase day, times the share that returns left; 0 without a repeat."""
    window_days: int
    """Length of the window before the origin that the past-spend rule looks at: the horizon, or all there is."""
    window_orders: Array
    """Purchase days in that window."""
    window_value: Array
    """Money in that window, less what was returned in it."""
    actual_orders: Array
    """Purchase days within the horizon."""
    actual_value: Array
    """Money within the horizon, less what was returned in it."""
    late: NDArray[np.bool_]
    """Whose first order is on or after the first origin of the backtest: unknown when that forecast was made."""
    extra: Mapping[str, Array] = field(default_factory=dict)
    """Further columns of `customers.purchase_history`, for spend and timing models."""
    newcomers: int = 0
    """Customers whose first order falls within the horizon."""
    newcomer_value: float = 0.0
    """Their money within it."""
    currency: str | None = None

    def __len__(self) -> int:
        return len(self.frequency)

    @property
    def end(self) -> dt.date:
        """First day after the horizon."""
        return self.origin + dt.timedelta(days=self.horizon_days)

    def history_with(self, *extra: str) -> Histories:
        """What a model may be fitted to; further columns only as asked, for they make customers differ.

        Parameters
        ----------
        *extra
            Names in `extra`.
        """
        return Histories(
            frequency=self.frequency,
            recency=self.recency,
            T=self.T,
            monetary_value=self.monetary_value,
            unit="D",
            ids={"customer_id": self.ids},
            extra={name: self.extra[name] for name in extra},
            currency=self.currency,
        )


@dataclass(frozen=True)
class Timeline:
    """Purchase days of the customers of one fold over calendar time, for the tracking plot."""

    start_day: Array
    """Distinct days of first orders, counted from the earliest."""
    starts: Array
    """Customers who came on each."""
    first_day: dt.date
    """The earliest first order: day 0."""
    origin_day: int
    """The origin, counted from `first_day`."""
    repeats: Array
    """Repeat purchase days on each day from `first_day` to the end of the horizon."""


@dataclass(frozen=True)
class Folds:
    """The origins of a backtest, oldest first."""

    folds: Sequence[Fold]
    horizon_days: int
    as_of: dt.date
    """First day of which nothing is known."""
    first_day: dt.date
    """Day of the first order in the data."""
    customers: int
    """Customers with an order before the last origin."""
    sampled: int | None
    """How many of them were drawn; None where all are in."""
    notes: Sequence[str]
    """What was left out, and why, in sentences."""
    timeline: Timeline | None = None
    """Of the last fold."""

    def __len__(self) -> int:
        return len(self.folds)

    def __iter__(self) -> Any:
        return iter(self.folds)

    def __getitem__(self, place: int) -> Fold:
        return self.folds[place]
