"""Whether intervals hold what they say: their own mass against how often outcomes fell inside, overall and by decile.

An interval of a count, or of a value with an atom at zero, holds more than was asked for, so coverage is held against
the mass that each interval's own law gives it, not against the asked share. Under laws that are right, hits are
independent with these masses as probabilities, and the mean of n of them has the standard error
sqrt(sum m (1 - m)) / n.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evervalue.numerics.arrays import Array

POINTS = 0.03
"""Overall distance between coverage and own mass that is let pass ..."""
ERRORS = 3.0
"""... and that within a decile, in standard errors."""


@dataclass(frozen=True)
class Group:
    """Coverage of some customers."""

    customers: int
    expected: float
    """Their mean expected outcome."""
    mass: float
    """Mean mass that their intervals hold under their own laws."""
    covered: float
    """Share of outcomes inside."""
    standard_error: float
    """Of `covered`, where the laws are right."""
    width: float
    """Mean width of their intervals."""

    @property
    def errors(self) -> float:
        """Standard errors between coverage and mass."""
        gap = self.covered - self.mass
        return gap / self.standard_error if self.standard_error > 0 else (0.0 if gap == 0 else float("inf"))


@dataclass(frozen=True)
class Coverage:
    """Coverage of all, and of tenths by the expected outcome, the lowest first."""

    whole: Group
    deciles: Sequence[Group]

    @property
    def gap(self) -> float:
        """Coverage less own mass, overall."""
        return self.whole.covered - self.whole.mass

    @property
    def farthest(self) -> float:
        """Largest distance of a decile, in standard errors."""
        return max(abs(group.errors) for group in self.deciles)

    @property
    def holds(self) -> bool:
        """Within three points overall and three standard errors in every decile."""
        return abs(self.gap) <= POINTS and self.farthest <= ERRORS


def coverage(
    low: Array, high: Array, mass: Array, outcome: Array, expected: Array, groups: int = 10
) -> Coverage:
    """Coverage of intervals, overall and by tenths of the expected outcome.

    Parameters
    ----------
    low, high, mass
        Closed intervals and the mass that each holds under its own law, (n,).
    outcome
        What happened, (n,).
    expected
        What was expected, (n,): it sorts customers into tenths; ties stay in the order of the outcome's interval.
    groups
        How many parts.

    Examples
    --------
    >>> n = np.arange(20.0)
    >>> found = coverage(n * 0, n * 0 + 14, n * 0 + 0.75, n, n, groups=2)
    >>> found.whole.covered, found.deciles[1].covered, round(found.gap, 4)
    (0.75, 0.5, 0.0)
    """
    inside = ((outcome >= low) & (outcome <= high)).astype(float)

    def group(rows: NDArray[np.intp]) -> Group:
        own = mass[rows]
        return Group(
            customers=len(rows),
            expected=float(expected[rows].mean()),
            mass=float(own.mean()),
            covered=float(inside[rows].mean()),
            standard_error=float(np.sqrt((own * (1 - own)).sum()) / len(rows)),
            width=float((high - low)[rows].mean()),
        )

    order = np.lexsort([outcome, high, low, expected])
    parts = [part for part in np.array_split(order, groups) if part.size]
    return Coverage(group(order), [group(part) for part in parts])
