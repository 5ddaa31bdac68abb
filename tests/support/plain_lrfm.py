"""LRFM written a second time, in plain Python, from the words of the method alone: the oracle of the SQL tables."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Any

DAY = dt.timedelta(days=1)
CENT = Decimal("0.0001")


@dataclass(frozen=True)
class Line:
    """An order line as a frame holds it."""

    customer_id: Any
    order_id: Any
    order_date: dt.date
    monetary: Decimal
    kind: str = "sale"
    customer: str | None = None


@dataclass
class Customer:
    """What a customer did before the cutoff."""

    key: str
    name: str
    first: dt.date | None
    last: dt.date | None
    frequency: int
    monetary: Decimal
    as_of: dt.date

    @property
    def length_days(self) -> int | None:
        return (self.last - self.first).days if self.first and self.last else None

    @property
    def recency_days(self) -> int | None:
        return (self.as_of - self.last).days if self.last else None


def orders_of(lines: Sequence[Line]) -> list[tuple[Any, dt.date, str, Decimal]]:
    """(customer, day, kind, money) of each order: lines of a customer with one id, or a line without one.

    Lines that take something back stand apart from the sale whose id they carry, by kind and day.
    """
    groups: dict[Any, list[Line]] = {}
    for number, line in enumerate(lines):
        alone = ("line", number)
        order = line.order_id if line.order_id is not None else alone
        apart = () if line.kind == "sale" else (line.kind, line.order_date)
        groups.setdefault((line.customer_id, (order, apart)), []).append(line)
    return [
        (
            customer,
            min(line.order_date for line in group),
            "sale" if any(line.kind == "sale" for line in group) else "other",
            sum((line.monetary for line in group), Decimal(0)),
        )
        for (customer, _), group in groups.items()
    ]


def customers_of(lines: Sequence[Line], as_of: dt.date | None) -> list[Customer]:
    """Everyone on the lines, with what they did before the cutoff."""
    orders = orders_of(lines)
    cutoff = as_of or max(day for _, day, _, _ in orders) + DAY
    found = []
    for key in {line.customer_id for line in lines}:
        named = [
            (line.order_date, line.customer) for line in lines if line.customer_id == key and line.customer
        ]
        mine = [o for o in orders if o[0] == key and o[1] < cutoff]
        days = [day for _, day, kind, _ in mine if kind == "sale"]
        found.append(
            Customer(
                str(key), max(named)[1] if named else str(key), min(days, default=None), max(days, default=None),
                len(days), sum((money for *_, money in mine), Decimal(0)), cutoff,
            )
        )  # fmt: skip
    return found


def ascending_score(
    values: Mapping[str, Any], names: Mapping[str, str], bins: int, ties: str
) -> dict[str, int]:
    """Score by key, the highest the largest value: rank k against 1 + (n-1) j / bins, exactly."""
    order = sorted(values, key=lambda key: (values[key], names[key], key))
    n = len(order)
    if n == 0:
        return {}
    limits = [Fraction(1) + Fraction((n - 1) * j, bins) for j in range(1, bins)]
    if ties == "first":
        return {key: 1 + sum(k > limit for limit in limits) for k, key in enumerate(order, 1)}
    boundaries = [values[order[int(limit) - 1]] for limit in limits]
    return {key: 1 + sum(b < values[key] for b in boundaries) for key in order}


def lrfm(
    lines: Sequence[Line], *, as_of: dt.date | None = None, bins: int = 4, ties: str = "first",
    high: int | None = None, mid: int | None = None,
) -> dict[str, dict[str, Any]]:  # fmt: skip
    """The promised columns of every customer, by key."""
    return scored(customers_of(lines, as_of), bins=bins, ties=ties, high=high, mid=mid)


def scored(
    everyone: Sequence[Customer],
    *,
    bins: int = 4,
    ties: str = "first",
    high: int | None = None,
    mid: int | None = None,
) -> dict[str, dict[str, Any]]:
    """Scores and tiers of customers whose history is known."""
    high = high if high is not None else -(-7 * bins // 2)
    mid = mid if mid is not None else -(-5 * bins // 2)
    buyers = {c.key: c for c in everyone if c.frequency}
    names = {c.key: c.name for c in everyone}
    by = {
        what: ascending_score({k: getattr(c, what) for k, c in buyers.items()}, names, bins, ties)
        for what in ("length_days", "recency_days", "frequency", "monetary")
    }
    rows = {}
    for c in everyone:
        row: dict[str, Any] = {
            "customer": c.name, "length_days": c.length_days, "recency_days": c.recency_days,
            "frequency": c.frequency, "monetary": c.monetary.quantize(CENT, ROUND_HALF_UP),
            "l_score": None, "r_score": None, "f_score": None, "m_score": None,
            "lrfm_score": None, "customer_value": None,
        }  # fmt: skip
        if c.key in buyers:
            row["l_score"] = by["length_days"][c.key]
            row["r_score"] = bins + 1 - by["recency_days"][c.key]
            row["f_score"] = by["frequency"][c.key]
            row["m_score"] = by["monetary"][c.key]
            row["lrfm_score"] = row["l_score"] + row["r_score"] + row["f_score"] + row["m_score"]
            row["customer_value"] = (
                "High-Value"
                if row["lrfm_score"] >= high
                else "Mid-Value"
                if row["lrfm_score"] >= mid
                else "Low-Value"
            )
        rows[c.key] = row
    return rows
