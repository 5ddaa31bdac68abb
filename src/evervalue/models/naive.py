"""Rules without a model, which every backtest has to beat: zero, cohort mean, past rate, past spend.

A rule says how many orders and how much money. So that it can be scored as a law and give an interval, its orders are
taken as Poisson around that number, each worth the same: what a spreadsheet would have to assume. Zero stays a point.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln, xlogy

from evervalue.models.fold import Fold
from evervalue.models.forecast import Forecast, Outlook
from evervalue.numerics.arrays import Array
from evervalue.numerics.measures.probability_scores import crps_discrete
from evervalue.numerics.predictive.intervals import shortest_counts

COHORT = 30
"""A quarter with fewer customers takes the mean of all."""
CELLS = 2_000_000
"""Probabilities held at once."""


@dataclass(frozen=True)
class NaiveRule:
    """One rule: expected orders and expected money of each customer, from the features of a fold."""

    key: str
    name: str
    says: str
    means: Callable[[Fold], tuple[Array, Array]]

    @property
    def naive(self) -> bool:
        """It is."""
        return True

    def forecast(self, fold: Fold, interval: float | None) -> Forecast:
        """Its forecast with Poisson orders of equal worth.

        Parameters
        ----------
        fold
            The origin.
        interval
            Mass that the intervals shall hold; None leaves them out.
        """
        orders, value = self.means(fold)
        return _poisson(orders, value, fold, interval)


def zero(fold: Fold) -> tuple[Array, Array]:
    """Nothing from anybody."""
    return np.zeros(len(fold)), np.zeros(len(fold))


def cohort_mean(fold: Fold) -> tuple[Array, Array]:
    """Repeat orders and repeat money a customer-day of the customer's cohort, times the horizon.

    A cohort is the quarter of the first order; one of fewer than `COHORT` customers takes the mean of all.
    """
    month = fold.first_order_date.astype("datetime64[M]").astype(np.int64)
    _, cohort, size = np.unique(month // 3, return_inverse=True, return_counts=True)
    repeat_money = fold.frequency * fold.monetary_value

    def each(what: Array) -> Array:
        days = np.asarray(np.bincount(cohort, fold.T), dtype=np.float64)
        own = _over(np.asarray(np.bincount(cohort, what), dtype=np.float64), days)
        whole = _over(np.array([what.sum()]), np.array([fold.T.sum()]))
        found: Array = np.where((size >= COHORT) & (days > 0), own, whole)[cohort] * fold.horizon_days
        return found

    return each(fold.frequency), each(repeat_money)


def past_rate(fold: Fold) -> tuple[Array, Array]:
    """Own past rate, x / T, times the horizon, each order worth the own mean of repeat orders."""
    orders = _over(fold.frequency, fold.T) * fold.horizon_days
    return orders, orders * fold.monetary_value


def past_spend(fold: Fold) -> tuple[Array, Array]:
    """The window before once more: orders and money of the last `window_days`, scaled to the horizon."""
    scale = fold.horizon_days / fold.window_days
    return fold.window_orders * scale, fold.window_value * scale


RULES = (
    NaiveRule("zero", "zero", "nobody orders again", zero),
    NaiveRule(
        "cohort-mean", "cohort mean", "everyone goes on at the mean rate of their quarter", cohort_mean
    ),
    NaiveRule("past-rate", "past rate", "everyone goes on at their own rate, x / T", past_rate),
    NaiveRule("past-spend", "past spend", "everyone spends what they spent in the window before", past_spend),
)
"""The rules that stand in every table."""


def _poisson(orders: Array, value: Array, fold: Fold, interval: float | None) -> Forecast:
    n = len(orders)
    worth = _over(value, orders)
    low, high, mass = (np.full(n, np.nan) for _ in range(3))
    crps, crps_value = np.zeros(n), np.zeros(n)
    rates, place = np.unique(orders, return_inverse=True)
    order = np.argsort(place, kind="stable")
    begin = 0
    while begin < n:
        # Customers by rising rate: as many at once as fit, with as many counts as the last of them needs.
        stop = n
        while (stop - begin) * _counts(orders[order[stop - 1]]) > CELLS and stop > begin + 1:
            stop = begin + (stop - begin + 1) // 2
        rows = order[begin:stop]
        first, last = place[rows[0]], place[rows[-1]]
        counts = np.arange(_counts(rates[last]), dtype=np.float64)
        pmf = _pmf(rates[first : last + 1, None], counts)
        here = place[rows] - first
        if interval is not None:
            found = shortest_counts(pmf, interval)
            low[rows], high[rows], mass[rows] = found.low[here], found.high[here], found.mass[here]
        law = pmf[here]
        crps[rows] = crps_discrete(counts, law, fold.actual_orders[rows])
        unit = np.where(worth[rows] == 0, 1.0, worth[rows])
        of_value = np.abs(unit) * crps_discrete(counts, law, fold.actual_value[rows] / unit)
        crps_value[rows] = np.where(worth[rows] == 0, np.abs(fold.actual_value[rows]), of_value)
        begin = stop
    ends = np.sort([low * worth, high * worth], axis=0)
    impossible = (orders == 0) & (fold.actual_orders > 0)
    exponent = xlogy(fold.actual_orders, orders) - orders - gammaln(fold.actual_orders + 1)
    return Forecast(
        orders=Outlook(orders, low, high, mass, crps),
        p_any=-np.expm1(-orders),
        log_score=np.where(impossible, -np.inf, exponent),
        value=Outlook(value, ends[0], ends[1], mass, crps_value),
    )


def _counts(rate: float) -> int:
    """How many counts a Poisson law needs for a tail below 1e-12."""
    return int(np.ceil(rate + 8 * np.sqrt(rate) + 12))


def _pmf(rate: Array, counts: Array) -> Array:
    found: Array = np.exp(xlogy(counts, rate) - rate - gammaln(counts + 1))
    return found


def _over(above: Array, below: Array) -> Array:
    """The quotient, zero where there is nothing below."""
    found: Array = np.divide(above, below, out=np.zeros(np.shape(above)), where=below > 0)
    return found
