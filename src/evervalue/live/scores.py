"""Scores of one customer against the boundaries that a run published, which everyone else left.

The rule of `customers.lrfm`: 1 + the number of boundary rows that the customer stands above, by value, then (where ties
are parted by name) by shown name and key. Recency is turned; its boundaries move with the cutoff, since everyone's
recency grows by a day each day.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from evervalue.live.figures import Figures


@dataclass(frozen=True)
class Bound:
    """A boundary row: of value, name and key."""

    value: Decimal
    name: str
    key: str


@dataclass(frozen=True)
class Scoring:
    """How a run scores: the settings and the boundary rows of L, R, F and M."""

    bins: int
    ties: str
    high_value_at: int
    mid_value_at: int
    bounds: Mapping[str, Sequence[Bound]]


@dataclass(frozen=True)
class Scores:
    """Scores, None for a customer without a sale."""

    l_score: int | None = None
    r_score: int | None = None
    f_score: int | None = None
    m_score: int | None = None
    lrfm_score: int | None = None
    customer_value: str | None = None


def scored(found: Figures, name: str, key: str, scoring: Scoring, *, days_since: int = 0) -> Scores:
    """The scores of a customer's figures.

    Parameters
    ----------
    found
        The figures.
    name, key
        Shown name and key of the customer, by which ties are parted.
    scoring
        The published rule.
    days_since
        Days from the published cutoff to that of the figures.
    """
    if not found.frequency or found.length_days is None or found.recency_days is None:
        return Scores()

    def above(dimension: str, value: Decimal | int) -> int:
        return sum(is_above(b, value, name, key, scoring.ties) for b in scoring.bounds.get(dimension, ()))

    length, recency = (
        1 + above("L", found.length_days),
        scoring.bins - above("R", found.recency_days - days_since),
    )
    frequency, monetary = 1 + above("F", found.frequency), 1 + above("M", found.monetary)
    total = length + recency + frequency + monetary
    reached = tier(total, scoring.high_value_at, scoring.mid_value_at)
    return Scores(length, recency, frequency, monetary, total, reached)


def tier(total: int, high_value_at: int, mid_value_at: int) -> str:
    """The value tier of a score."""
    return "High-Value" if total >= high_value_at else "Mid-Value" if total >= mid_value_at else "Low-Value"


def is_above(bound: Bound, value: Decimal | int, name: str, key: str, ties: str) -> bool:
    """Whether a customer stands above a boundary row."""
    if bound.value != value:
        return bound.value < value
    return ties == "first" and (bound.name, bound.key) < (name, key)
