"""Real customers at an origin, and what they did in the time after it, by way of `ev.purchase_history`."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

import evervalue as ev
from evervalue.numerics.arrays import Array
from tests.support import cdnow


@dataclass(frozen=True)
class Holdout:
    """Histories in days with the purchase days and the money of the time after, row by row."""

    history: pl.DataFrame
    orders: Array
    value: Array
    days: int


def holdout(purchases: pl.DataFrame, origin: dt.date, days: int) -> Holdout:
    """Histories at an origin and outcomes within `days` after it; `purchases` has customer, order_date, monetary."""
    history = ev.purchase_history(purchases, as_of=origin, unit="D").sort("customer")
    after = (
        purchases.filter(
            (pl.col("order_date") >= origin) & (pl.col("order_date") < origin + dt.timedelta(days=days))
        )
        .group_by("customer")
        .agg(pl.col("order_date").n_unique().alias("orders"), pl.col("monetary").sum().alias("value"))
    )
    both = history.join(after, on="customer", how="left", maintain_order="left")
    return Holdout(
        history,
        both["orders"].fill_null(0).to_numpy().astype(np.float64),
        both["value"].fill_null(0.0).to_numpy().astype(np.float64),
        days,
    )


def cdnow_purchases() -> pl.DataFrame:
    """The CDNOW sample."""
    rows = cdnow.orders()
    return pl.DataFrame(
        {
            "customer": [customer for customer, _, _ in rows],
            "order_date": [day for _, day, _ in rows],
            "monetary": [float(amount) for _, _, amount in rows],
        }
    )


def online_retail_purchases(data_dir: Path) -> pl.DataFrame:
    """Online Retail: sales with a customer, above zero in quantity and price."""
    lines = pl.read_parquet(data_dir / "online_retail" / "online_retail_2010_2011.parquet")
    return lines.filter(
        pl.col("CustomerID").is_not_null()
        & ~pl.col("InvoiceNo").cast(pl.String).str.starts_with("C")
        & (pl.col("Quantity") > 0)
        & (pl.col("UnitPrice") > 0)
    ).select(
        pl.col("CustomerID").cast(pl.Int64).cast(pl.String).alias("customer"),
        pl.col("InvoiceDate").cast(pl.Date).alias("order_date"),
        (pl.col("Quantity") * pl.col("UnitPrice")).cast(pl.Float64).alias("monetary"),
    )


def complete_journey_purchases(folder: Path) -> pl.DataFrame:
    """The Complete Journey: baskets of weeks 1 to 26."""
    return pl.read_parquet(folder / "baskets_w01_26.parquet").select(
        pl.col("household_id").cast(pl.String).alias("customer"),
        pl.col("ts").cast(pl.Date).alias("order_date"),
        pl.col("sales_value").cast(pl.Float64).alias("monetary"),
    )
