"""Plots of the spend models, for tools/method_plots.py: one function a model."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

import evervalue as ev
from evervalue.numerics.arrays import Array
from tests.support import cdnow

BLUE, ORANGE, GREY = "#0b5cab", "#c2560a", "#8a94a3"
SALES = Path(__file__).resolve().parent.parent / "examples" / "saas" / "SaaS-Sales.csv"


def gamma_gamma(left: Any, right: Any) -> None:
    """CDNOW: what is expected of a customer by the own mean; and where the holdout fell in what was foretold."""
    history, count, total = _split(_cdnow(), "1997-10-01")
    model = ev.GammaGamma().fit(history)
    own = np.linspace(0.5, 120, 100)
    for x, colour in ((1, ORANGE), (3, BLUE), (10, GREY)):
        rows = {"frequency": np.full(100, x), "monetary_value": own}
        found = model.conditional_expected_order_value(rows)
        left.plot(own, found, color=colour, label=f"{x} repeat purchase{'s' * (x > 1)}")
    left.plot(own, own, color="black", linewidth=0.7, linestyle=":", label="own mean")
    left.axhline(
        model.expected_order_value_, color="black", linewidth=0.7, linestyle="--", label="mean of all"
    )
    left.set(xlabel="own mean ($)", ylabel="expected spend a purchase ($)", xlim=(0, 120), ylim=(0, 120))
    left.legend(frameon=False, fontsize=8)
    fits = {
        "p from means": (model, GREY),
        "p from amounts": (ev.GammaGamma(within="amounts").fit(history), BLUE),
    }
    _ranks(right, history, count, total, fits)


def normal_spend(left: Any, right: Any) -> None:
    """Profit of a SaaS company's customers: expected by the own mean; and ranks of the holdout on CDNOW."""
    history, _, _ = _split(_saas(), "2023-01-01")
    model = ev.NormalSpend(spend="all").fit(history)
    data, found = model.amounts(history), model.conditional_expected_order_value(history)
    left.scatter(data.m, found, s=data.x, color=BLUE, alpha=0.6, linewidth=0)
    reach = np.array([-200.0, 400.0])
    left.plot(reach, reach, color="black", linewidth=0.7, linestyle=":", label="own mean")
    left.axhline(
        model.expected_order_value_, color="black", linewidth=0.7, linestyle="--", label="mean of all"
    )
    left.axvline(0, color=GREY, linewidth=0.5)
    left.set(
        xlabel="own mean profit of a purchase day ($)",
        ylabel="expected ($)",
        xlim=tuple(reach),
        ylim=(-20, 160),
    )
    left.legend(frameon=False, fontsize=8)
    history, count, total = _split(_cdnow(), "1997-10-01")
    fits = {
        "m0 by likelihood": (ev.NormalSpend(location="likelihood").fit(history), GREY),
        "m0 the mean": (ev.NormalSpend().fit(history), BLUE),
    }
    _ranks(right, history, count, total, fits)


def _ranks(axes: Any, history: pl.DataFrame, count: Array, total: Array, fits: dict[str, Any]) -> None:
    """Histogram of where each customer's later spend fell in the law foretold for that many purchases."""
    for label, (model, colour) in fits.items():
        ranks = model.sum_cdf(history, np.maximum(count, 1), total)[count > 0]
        shares = np.histogram(ranks, bins=10, range=(0, 1))[0] / len(ranks)
        axes.stairs(100 * shares, np.linspace(0, 1, 11), color=colour, linewidth=1.6, label=label)
    axes.axhline(10, color="black", linewidth=0.7, linestyle=":", label="where it should be")
    axes.set(
        xlabel="rank of weeks 40-78 in what was foretold", ylabel="% of customers who bought", ylim=(0, 25)
    )
    axes.legend(frameon=False, fontsize=8)


def _cdnow() -> pl.DataFrame:
    return pl.DataFrame(cdnow.orders(), schema=["customer", "order_date", "monetary"], orient="row")


def _saas() -> pl.DataFrame:
    return pl.read_csv(SALES).select(
        customer="Customer", order_date=pl.col("Order Date").str.to_date("%m/%d/%Y"), monetary="Profit"
    )


def _split(orders: pl.DataFrame, as_of: str) -> tuple[pl.DataFrame, Array, Array]:
    """Histories before the cutoff, and purchase days and money after it."""
    history = ev.purchase_history(orders, as_of=as_of, columns="all")
    after = (
        orders.filter(pl.col("order_date") >= dt.date.fromisoformat(as_of))
        .group_by("customer")
        .agg(count=pl.col("order_date").n_unique(), total=pl.col("monetary").sum())
    )
    joined = (
        history.select("customer").join(after, on="customer", how="left", maintain_order="left").fill_null(0)
    )
    return history, joined["count"].to_numpy().astype(float), joined["total"].to_numpy().astype(float)


PLOTS = {"gamma_gamma": gamma_gamma, "normal_spend": normal_spend}
