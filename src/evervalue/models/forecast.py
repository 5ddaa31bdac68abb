"""What a forecast of one fold says of each customer, and how it fared: the form that every candidate answers in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from evervalue.models.fold import Fold
from evervalue.numerics.arrays import Array


@dataclass(frozen=True)
class Outlook:
    """The predicted law of one quantity (orders, or money), one element a customer."""

    mean: Array
    low: Array
    """Ends of the shortest interval that holds the asked mass, NaN where none was asked for ..."""
    high: Array
    mass: Array
    """... and the mass that it really holds; counts and the atom at zero make it more than was asked."""
    crps: Array
    """Continuous ranked probability score against what happened."""


@dataclass(frozen=True)
class Forecast:
    """A candidate's forecast of one fold."""

    orders: Outlook
    p_any: Array
    """P(at least one order within the horizon)."""
    log_score: Array
    """Log of the probability given to the number of orders that came."""
    value: Outlook | None = None
    """None where no spend model took part."""
    note: str = ""
    """What should be known of it, in a sentence."""


class Candidate(Protocol):
    """Something that forecasts: a naive rule, or purchase and spend models."""

    @property
    def key(self) -> str:
        """As options and tables call it."""

    @property
    def name(self) -> str:
        """As people call it."""

    @property
    def naive(self) -> bool:
        """Whether it is a rule without a model."""

    def forecast(self, fold: Fold, interval: float | None) -> Forecast:
        """What it says of the fold, from the features alone; without an interval where only scores are wanted."""
