"""Resampling of customers: how far a measure, or the difference of two, would move with other customers.

A resample is a row of counts, so that a measure that takes weights gives all its resampled values in one call.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evervalue.numerics.arrays import Array


def resamples(n: int, draws: int, random_state: int = 0) -> Array:
    """How often each of `n` customers is drawn, with replacement, in each of `draws` resamples of size n.

    Source: Efron (1979). A customer who stands in several rows (one an origin) is drawn once for all of them: index
    the columns of the result by customer.

    Parameters
    ----------
    n
        Customers.
    draws
        Resamples.
    random_state
        Same state, same resamples.

    Examples
    --------
    >>> resamples(4, 3).sum(axis=1).tolist()
    [4.0, 4.0, 4.0]
    """
    if n < 1 or draws < 1:
        raise ValueError(f"{draws} resamples of {n} customers cannot be drawn.")
    rng = np.random.default_rng(random_state)
    counts = np.empty((draws, n))
    for row in range(draws):
        counts[row] = np.bincount(rng.integers(n, size=n), minlength=n)
    return counts


@dataclass(frozen=True)
class Spread:
    """Where a resampled quantity lies."""

    low: float
    high: float
    standard_error: float

    @property
    def sign(self) -> int:
        """-1 or 1 where the whole interval lies on that side of zero, else 0."""
        return int(self.low > 0) - int(self.high < 0)


def spread(values: Array, mass: float = 0.9) -> Spread:
    """Percentile interval and standard error of resampled values.

    Source: Efron (1981), the percentile method. Limits: nan where a resample gave none.

    Parameters
    ----------
    values
        One a resample.
    mass
        Share of them between the ends.

    Examples
    --------
    >>> round(spread(np.arange(101.0)).low, 9)
    5.0
    """
    if len(values) == 0 or not np.isfinite(values).all():
        return Spread(float("nan"), float("nan"), float("nan"))
    low, high = np.quantile(values, [(1 - mass) / 2, (1 + mass) / 2])
    return Spread(float(low), float(high), float(np.std(values, ddof=1)) if len(values) > 1 else 0.0)
