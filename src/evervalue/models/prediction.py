"""What a run predicts with: fitted models, or the rules that stand in for them, asked in one way.

Times are days. A rule takes the place of the purchase model, of the spend model, or of both.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from evervalue.models.histories import Distinct, Histories, distinct
from evervalue.models.laws import orders_law, spent_by
from evervalue.models.purchase import PurchaseModel
from evervalue.models.recalibration import Recalibration
from evervalue.models.spend_model import SpendModel
from evervalue.models.stand_in import PooledRate
from evervalue.models.value_scores import Asked, ValueScores, value_scores
from evervalue.models.value_total import Total, value_total
from evervalue.numerics.arrays import Array
from evervalue.numerics.predictive.orders import DistinctHistories
from evervalue.numerics.predictive.score import Corrections, expectations


@dataclass(frozen=True)
class Predictor:
    """Orders from a purchase model or a pooled rate, money from a spend model or the mean of all purchase days."""

    asked: Asked
    """In days."""
    purchase: PurchaseModel | None = None
    rule: PooledRate | None = None
    """Stands in where there is no purchase model; without it nothing is said."""
    spend: SpendModel | None = None
    mean_spend: float = math.nan
    """Stands in where there is no spend model."""
    recalibration: Recalibration | None = None
    """Corrects fitted models."""

    def scores(self, h: Histories) -> ValueScores:
        """What is said of each customer; NaN where nothing can be said."""
        if self.purchase is not None and self.spend is not None:
            return value_scores(self.purchase, self.spend, h, self.asked, self._corrections)
        orders = (
            value_scores(self.purchase, None, h, self.asked, self._corrections)
            if self.purchase is not None
            else self._by_rule(len(h))
        )
        each, discounted = self.order_value(h), self.discounted_orders(h.frequency, h.recency, h.T)
        # What discounting leaves of the expected orders, as in intervals of fitted models.
        kept = np.divide(
            discounted, orders.expected_orders, out=np.ones(len(h)), where=orders.expected_orders > 0
        )
        worth = each * kept
        ends = np.sort([orders.orders_low * worth, orders.orders_high * worth], axis=0)
        return replace(
            orders,
            expected_order_value=each,
            expected_clv=discounted * each,
            clv_low=ends[0],
            clv_high=ends[1],
            clv_mass=orders.orders_mass,
        )

    def discounted_orders(self, x: Array, t_x: Array, T: Array) -> Array:
        """Expected orders within the horizon, each counted at its worth now; of a correction its pace alone is in."""
        if self.purchase is not None:
            d = distinct(x, t_x, T)
            pace = self._corrections.pace if self._corrections else 1.0
            law = replace(orders_law(self.purchase, self.asked.horizon), horizon=self.asked.horizon * pace)
            found = expectations(law, DistinctHistories(d.x, d.t_x, d.T), self.asked.delta / pace)
            return found.discounted_orders[d.inverse]
        if self.rule is None:
            return np.full(len(x), np.nan)
        return np.full(len(x), self.rule.discounted(self.asked.horizon, self.asked.delta))

    @property
    def _corrections(self) -> Corrections | None:
        return self.recalibration.corrections if self.recalibration is not None else None

    def order_value(self, h: Histories) -> Array:
        """Expected money of a purchase day of each customer."""
        found = spent_by(self.spend, h).order_value if self.spend is not None else None
        return np.full(len(h), self.mean_spend) if found is None else found

    def total(self, h: Histories, scores: ValueScores, *, shock: float = 0.0) -> Total:
        """What all customers together are expected to order and to be worth, with intervals of the totals.

        `shock` is how far all of them together may do otherwise than told, a standard deviation of logs.
        """
        if self.purchase is not None:
            return value_total(self.purchase, self.spend, h, self.asked, scores, shock=shock)
        low, high, says = math.nan, math.nan, "Nothing is predicted."
        if self.rule is not None and math.isfinite(self.asked.horizon):
            # All customers share one rate, so that n of them for h days are one of them for n h days.
            low, high, _ = self.rule.interval(self.asked.horizon * max(len(h), 1), self.asked.interval)
            says = "The interval of orders is that of one rate shared by all; that of money is not told."
        orders, clv = float(scores.expected_orders.sum()), float(scores.expected_clv.sum())
        return Total(len(h), orders, low, high, clv, math.nan, math.nan, says)

    def _by_rule(self, n: int) -> ValueScores:
        days, unknown = self.asked.horizon, np.full(n, math.nan)
        if self.rule is None:
            return ValueScores(*(unknown for _ in range(11)))
        low, high, held, expected, any_order = (math.nan,) * 5
        if math.isfinite(days):
            low, high, held = self.rule.interval(days, self.asked.interval)
            expected, any_order = self.rule.expected(days), 1 - float(self.rule.pmf(days)[0])
        return ValueScores(
            p_alive=unknown,
            p_any_order=np.full(n, any_order),
            expected_orders=np.full(n, expected),
            orders_low=np.full(n, low),
            orders_high=np.full(n, high),
            orders_mass=np.full(n, held),
            expected_order_value=unknown,
            expected_clv=unknown,
            clv_low=unknown,
            clv_high=unknown,
            clv_mass=unknown,
        )


def places(d: Distinct, h: Histories) -> NDArray[np.intp]:
    """Place of each customer's history among the distinct ones, which the engine has sorted."""
    wide = np.int64(1 << 21)  # more than the days of five thousand years

    def numbers(x: Array, t_x: Array, T: Array) -> NDArray[np.int64]:
        return (x.astype(np.int64) * wide + t_x.astype(np.int64)) * wide + T.astype(np.int64)

    return np.searchsorted(numbers(d.x, d.t_x, d.T), numbers(h.frequency, h.recency, h.T))
