"""The story of a run in plain facts: what the command line prints and the overview page opens with."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from evervalue.core.text import count, once
from evervalue.warehouse.duckdb import Connection

MANY = 1_000
"""Customers from which tenths of one say nothing."""


@dataclass(frozen=True)
class Headline:
    """One row of `insight.headline` with what it must be read with."""

    customers: int
    scored_customers: int
    high_value: int
    mid_value: int
    low_value: int
    top10_mid: int
    top20_mid: int
    gems: int
    gems_monetary: Decimal
    monetary: Decimal
    revenue: Decimal
    orders: int
    tie_dependent: int
    as_of: dt.date
    later_orders: int
    currency: str
    monetary_basis: str
    bins: int
    ties: str

    @property
    def worth(self) -> str:
        """What monetary value is called here: profit or revenue."""
        return "profit" if self.monetary_basis == "margin" else "revenue"

    def sentences(self) -> list[str]:
        """The findings, one a line, in the order in which they matter."""
        top = min(10, self.scored_customers)
        tiers = f"{self.high_value:,} High-Value, {self.mid_value:,} Mid-Value, {self.low_value:,} Low-Value"
        gems = count(self.gems, "hidden gem")
        told = [
            f"{count(self.scored_customers, 'customer')}: {tiers}.",
            f"{_share(self.top10_mid, top)} of the top {top} {self.worth} performers are Mid-Value"
            + (f" ({self.top20_mid} of the top 20)." if self.scored_customers >= 20 else "."),
            f"{gems} bring {self.gems_monetary:,.2f} of {self.monetary:,.2f} {self.currency} {self.worth}.",
        ]
        unscored = self.customers - self.scored_customers
        if unscored:
            told.append(f"{count(unscored, 'customer')} without a sale are listed unscored.")
        return told

    def warnings(self) -> list[str]:
        """What a reader of the scores should know."""
        told = []
        if self.scored_customers == 0:
            told.append("No customer has a sale before the cutoff, so nobody is scored.")
        elif self.scored_customers < self.bins:
            told.append(
                f"There are fewer customers ({self.scored_customers}) than score bins ({self.bins}): "
                "the rule still scores them, but the scores say little."
            )
        if self.ties == "first":
            told.append(
                f"{count(self.tie_dependent, 'tier')} {'hangs' if self.tie_dependent == 1 else 'hang'} "
                "on the order of names among equal values; "
                'ties = "share" gives equal values the same score.'
            )
        if self.later_orders:
            told.append(f"Left out: {count(self.later_orders, 'order')} on or after the cutoff {self.as_of}.")
        return told


@dataclass(frozen=True)
class ValueHeadline:
    """One row of `insight.value_headline` with the currency."""

    customers: int
    expected_alive: float | None
    expected_orders: float | None
    expected_clv: Decimal | None
    clv_low: Decimal | None
    clv_high: Decimal | None
    top10_share: float | None
    horizon_days: int | None
    interval: float
    discount_rate_annual: float
    model: str
    spend_model: str
    is_fitted: bool
    model_says: str
    findings: str | None
    currency: str

    @property
    def ahead(self) -> str:
        """The horizon in words."""
        return f"the next {count(self.horizon_days, 'day')}" if self.horizon_days else "all time to come"

    def sentences(self) -> list[str]:
        """The findings, one a line, in the order in which they matter."""
        if self.expected_clv is None:
            return [self.model_says]
        between = (
            f" ({self.interval:.0%} sure: {self.clv_low:,.2f} to {self.clv_high:,.2f})"
            if self.clv_low is not None and self.clv_high is not None
            else ""
        )
        brings = "is" if self.customers == 1 else "are"
        told = [
            (
                f"{count(self.customers, 'customer')} {brings} expected to bring {self.expected_clv:,.2f} "
                f"{self.currency} in {self.ahead}{between}, discounted at {self.discount_rate_annual:.0%} a year."
            )
        ]
        if self.expected_alive is not None:
            alive = f"{self.expected_alive:,.1f}" if self.customers < MANY else f"{self.expected_alive:,.0f}"
            told.append(f"{alive} of them are expected to be still active.")
        if self.top10_share is not None and self.customers > 10:
            told.append(f"The ten with the highest expectation hold {self.top10_share:.0%} of it.")
        told.append(f"Predicted by {self.model} and {self.spend_model}. {self.model_says}")
        return told

    def notes(self) -> list[str]:
        """What the data cannot tell."""
        return once(*self.findings.splitlines()) if self.findings else []

    def line(self) -> str:
        """All of it in one line."""
        if self.expected_clv is None:
            return "Value was not predicted: 'evervalue models list' says why."
        between = (
            f" ({self.interval:.0%} sure: {self.clv_low:,.0f} to {self.clv_high:,.0f})"
            if self.clv_low is not None and self.clv_high is not None
            else ""
        )
        return (
            f"Customers are expected to bring {self.expected_clv:,.0f} {self.currency} in {self.ahead}{between}, "
            f"predicted by {self.model} and {self.spend_model}."
        )


def _share(part: int, whole: int) -> str:
    return "Half" if part * 2 == whole else "None" if part == 0 else "All" if part == whole else str(part)


def value_headline(con: Connection) -> ValueHeadline:
    """Predicted value in the connection's tables."""
    cursor = con.execute(
        "select v.*, s.currency from insight.value_headline as v cross join run.settings as s"
    )
    names = [d[0] for d in cursor.description or []]
    row: dict[str, Any] = dict(zip(names, cursor.fetchone() or (), strict=True))
    return ValueHeadline(**{k: v for k, v in row.items() if k in ValueHeadline.__dataclass_fields__})


def headline(con: Connection) -> Headline:
    """The headline of the tables in the connection."""
    cursor = con.execute(
        "select h.*, c.as_of, c.later_orders, s.currency, s.monetary_basis, s.bins, s.ties "
        "from insight.headline as h cross join customers.cutoff as c cross join run.settings as s"
    )
    names = [d[0] for d in cursor.description or []]
    row: dict[str, Any] = dict(zip(names, cursor.fetchone() or (), strict=True))
    return Headline(**{k: v for k, v in row.items() if k in Headline.__dataclass_fields__})
