"""A customer's length, recency, frequency and monetary value, and purchase history, from days with orders.

The figures of `customers.history`, `customers.purchase_totals` and `customers.purchase_history`, exact to the last
digit: money is added up as decimals and divided as the tables do.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from evervalue.core.money import divided

NONE = Decimal("0.0000")


@dataclass(frozen=True)
class Day:
    """What one business day brought, of sales or of what takes back."""

    date: dt.date
    is_sale: bool
    orders: int
    revenue: Decimal
    monetary: Decimal


@dataclass(frozen=True)
class Figures:
    """What a customer did before a cutoff."""

    first_order_date: dt.date | None
    last_order_date: dt.date | None
    length_days: int | None
    recency_days: int | None
    frequency: int
    revenue: Decimal
    monetary: Decimal


@dataclass(frozen=True)
class Purchases:
    """What purchase models look at; columns as in `customers.purchase_history`."""

    repeat_orders: int
    length_days: int
    age_days: int
    monetary: Decimal
    repeat_monetary: Decimal
    mean_repeat_monetary: Decimal | None
    mean_monetary: Decimal
    least_monetary: Decimal
    monetary_squared_sum: Decimal
    kept_share: float


def figures(days: Iterable[Day], cutoff: dt.date) -> Figures:
    """What the customer did on days before the cutoff."""
    days = [day for day in days if day.date < cutoff]
    sales = [day.date for day in days if day.is_sale]
    first, last = (min(sales), max(sales)) if sales else (None, None)
    return Figures(
        first_order_date=first,
        last_order_date=last,
        length_days=(last - first).days if first and last else None,
        recency_days=(cutoff - last).days if last else None,
        frequency=sum(day.orders for day in days if day.is_sale),
        revenue=sum((day.revenue for day in days), NONE),
        monetary=sum((day.monetary for day in days), NONE),
    )


def purchases(days: Iterable[Day], cutoff: dt.date) -> Purchases | None:
    """The purchase history before the cutoff; None without a sale."""
    sold: defaultdict[dt.date, Decimal] = defaultdict(lambda: NONE)
    back = NONE
    for day in days:
        if day.date >= cutoff:
            continue
        if day.is_sale:
            sold[day.date] += day.monetary
        else:
            back += day.monetary
    if not sold:
        return None
    first, last, n = min(sold), max(sold), len(sold)
    monetary = sum(sold.values(), NONE)
    repeat = monetary - sold[first]
    kept = 1.0
    if monetary > 0:
        kept = min(1.0, max(0.0, float(monetary + back) / float(monetary)))
    return Purchases(
        repeat_orders=n - 1,
        length_days=(last - first).days,
        age_days=(cutoff - first).days,
        monetary=monetary,
        repeat_monetary=repeat,
        mean_repeat_monetary=divided(repeat, n - 1) if n > 1 else None,
        mean_monetary=divided(monetary, n),
        least_monetary=min(sold.values()),
        monetary_squared_sum=sum((amount * amount for amount in sold.values()), Decimal(0)),
        kept_share=kept,
    )
