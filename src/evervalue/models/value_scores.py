"""What fitted models say of every customer: orders and money within a horizon, each with an interval. Arrays only."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from evervalue.core.arguments import number
from evervalue.core.errors import SettingsError
from evervalue.models.histories import Histories
from evervalue.models.laws import customers_of, orders_law, spend_law, spent_by
from evervalue.models.purchase import PurchaseModel
from evervalue.models.spend_model import SpendModel
from evervalue.numerics.arrays import Array
from evervalue.numerics.predictive.intervals import asked_mass
from evervalue.numerics.predictive.orders import OrdersLaw
from evervalue.numerics.predictive.score import Corrections, Customers, Expectations, expectations, score
from evervalue.numerics.predictive.value import Spent


@dataclass(frozen=True)
class ValueScores:
    """One element a customer; NaN where nothing can be said."""

    p_alive: Array
    p_any_order: Array
    """Probability of at least one order within the horizon."""
    expected_orders: Array
    orders_low: Array
    orders_high: Array
    orders_mass: Array
    """What [low, high] really holds: at least what was asked."""
    expected_order_value: Array
    expected_clv: Array
    """Discounted."""
    clv_low: Array
    clv_high: Array
    clv_mass: Array


@dataclass(frozen=True)
class Asked:
    """What is predicted, in the unit of the history."""

    horizon: float
    delta: float = 0.0
    """Continuous discount rate."""
    interval: float = 0.9
    margin: float = 1.0
    """Share of an amount that is kept."""


def value_scores(
    purchase: PurchaseModel,
    spend: SpendModel | None,
    h: Histories,
    asked: Asked,
    corrections: Corrections | None = None,
    *,
    spent: Spent | None = None,
    intervals: bool = True,
    threads: int | None = None,
) -> ValueScores:
    """Scores of each customer; without a spend model those of money are NaN.

    Means and intervals are of the law that averages over parameters, process and spend; with corrections they are of
    the corrected law. `expected_order_value` is what the spend model predicts. The interval of money is that of what
    is spent within the horizon, times the share that discounting leaves of the expected orders of that history: the
    discount of each single order is not drawn. `spent` replaces what the spend model reads from `h`.

    Raises
    ------
    SettingsError
        The interval or the margin is not possible, or the horizon is infinite and nothing is discounted.
    """
    mass = asked_mass(asked.interval)
    number(
        asked.margin,
        "margin",
        "is no share that is kept. Give one above 0, such as 0.35; 1 keeps amounts as they are.",
        lambda share: 0 < share < math.inf,
    )
    if math.isinf(asked.horizon) and asked.delta <= 0:
        raise SettingsError(
            "An unlimited horizon has a value only where it is discounted: give a discount_rate_annual above 0, or a "
            "horizon such as '365d'."
        )
    if spend is not None and spent is None:
        spent = spent_by(spend, h)
    customers = customers_of(h, spent)
    pace = 1.0 if corrections is None else corrections.pace
    law = replace(orders_law(purchase, asked.horizon), horizon=asked.horizon * pace)
    found = expectations(law, customers.histories, asked.delta / pace)
    each = np.full(len(h), np.nan) if spent is None or spent.order_value is None else spent.order_value
    none = _without_intervals(customers, found, each * asked.margin)
    if math.isinf(asked.horizon) or (not intervals and corrections is None and asked.horizon > 0):
        return none
    if asked.horizon == 0:
        return _nothing(none)
    return _with_intervals(none, law, spend, customers, found, asked, mass, corrections, threads)


def _without_intervals(customers: Customers, found: Expectations, each: Array) -> ValueScores:
    own = customers.place
    unknown = np.full(len(own), np.nan)
    orders = np.where(np.isfinite(found.orders), found.orders, np.nan)
    return ValueScores(
        p_alive=np.clip(found.p_alive, 0.0, 1.0)[own],
        p_any_order=unknown,
        expected_orders=orders[own],
        orders_low=unknown,
        orders_high=unknown,
        orders_mass=unknown,
        expected_order_value=each,
        expected_clv=found.discounted_orders[own] * each,
        clv_low=unknown,
        clv_high=unknown,
        clv_mass=unknown,
    )


def _nothing(scores: ValueScores) -> ValueScores:
    """A horizon of zero: nobody orders, for certain."""
    zero, one = np.zeros(len(scores.p_alive)), np.ones(len(scores.p_alive))
    of_money = np.where(np.isfinite(scores.expected_order_value), 0.0, np.nan)
    return replace(
        scores, p_any_order=zero, expected_orders=zero, orders_low=zero, orders_high=zero, orders_mass=one,
        expected_clv=of_money, clv_low=of_money, clv_high=of_money, clv_mass=one + of_money,
    )  # fmt: skip


def _with_intervals(
    scores: ValueScores,
    law: OrdersLaw,
    spend: SpendModel | None,
    customers: Customers,
    found: Expectations,
    asked: Asked,
    mass: float,
    corrections: Corrections | None,
    threads: int | None,
) -> ValueScores:
    own = customers.place
    kept = np.divide(
        found.discounted_orders, found.orders, out=np.ones(len(found.orders)), where=found.orders > 0
    )
    orders, money = score(
        law,
        customers,
        found,
        mass,
        spend=None if spend is None else spend_law(spend),
        worth=kept[own] * asked.margin,
        corrections=corrections,
        threads=threads,
    )
    scores = replace(
        scores,
        p_any_order=np.clip(1 - orders.p_none, 0.0, 1.0)[own],
        expected_orders=(found.orders * orders.lift)[own],
        orders_low=orders.interval.low[own],
        orders_high=orders.interval.high[own],
        orders_mass=orders.interval.mass[own],
    )
    if money is None:
        return scores
    return replace(
        scores,
        expected_clv=scores.expected_clv * money.lift,
        clv_low=money.interval.low,
        clv_high=money.interval.high,
        clv_mass=money.interval.mass,
    )
