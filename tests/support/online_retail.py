"""Purchase days of the customers of *Online Retail*, a gift wholesaler, as the models want them."""

from __future__ import annotations

import datetime as dt
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl

from evervalue.numerics.arrays import Array

FILE = Path(__file__).resolve().parents[1] / "data" / "online_retail" / "online_retail_2010_2011.parquet"
FIRST_DAY_AFTER = dt.date(2011, 9, 1)
WEEKS_AFTER = 100 / 7
"""2011-09-01 to 2011-12-09."""


@cache
def purchase_days() -> dict[int, Array]:
    """Sorted days (ordinals) with a sale, by customer."""
    lines = pl.read_parquet(FILE, columns=["CustomerID", "InvoiceDate", "Quantity"])
    sales = lines.filter(pl.col("CustomerID").is_not_null() & (pl.col("Quantity") > 0))
    days = sales.select("CustomerID", day=pl.col("InvoiceDate").dt.date().cast(pl.Int32)).unique()
    by_customer = days.group_by("CustomerID").agg(pl.col("day").sort()).sort("CustomerID")
    return {int(row[0]): np.array(row[1], dtype=float) for row in by_customer.iter_rows()}


@cache
def calibration() -> dict[str, Array]:
    """Histories to 2011-08-31 in weeks, with the orders that came after, one element a customer."""
    end = float((FIRST_DAY_AFTER - dt.date(1970, 1, 1)).days)
    rows = []
    for days in purchase_days().values():
        before = days[days < end]
        if len(before):
            gaps = np.diff(before) / 7
            rows.append(
                (
                    len(gaps),
                    gaps.sum(),
                    (end - 1 - before[0]) / 7,
                    np.log(gaps).sum(),
                    len(days) - len(before),
                )
            )
    table = np.array(rows)
    names = ("frequency", "recency", "T", "log_interval_sum", "holdout_orders")
    return {name: table[:, i] for i, name in enumerate(names)}


def last_two_intervals() -> Array:
    """Share of the last interval in the last two, of customers with at least two, all days counted."""
    shares = []
    for days in purchase_days().values():
        if len(days) > 2:
            before, last = np.diff(days)[-2:]
            shares.append(last / (before + last))
    return np.array(shares)
