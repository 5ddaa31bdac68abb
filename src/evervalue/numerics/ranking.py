"""Whether those predicted to be worth most are: rank correlation, normalised Gini, top capture, deciles.

Customers with one prediction are told apart by nothing, so each is given the average of its tie: otherwise the order
of rows would decide. Weights as in `measures`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evervalue.numerics.arrays import Array, Number
from evervalue.numerics.measures import Weights, given, ratio, taken

CELLS = 2_000_000
"""Weights are taken in blocks of about so many, so that memory stays bounded."""


def spearman(predicted: ArrayLike, actual: ArrayLike, weight: Weights = None) -> Number:
    """Correlation of the ranks of prediction and outcome, -1 to 1, ties sharing the mean rank.

    Source: Spearman (1904); with ties it is Pearson's correlation of mid-ranks.
    Limits: nan where all predictions or all outcomes are equal.

    Parameters
    ----------
    predicted, actual
        One element a customer.
    weight
        How often each customer counts; a matrix gives one value a row.

    Examples
    --------
    >>> round(float(spearman([1.0, 2.0, 3.0, 4.0], [0.0, 0.0, 5.0, 1.0])), 4)
    0.7379
    """
    p, a, w = taken(predicted, actual, weight)
    by_p, by_a = Ties.of(p), Ties.of(a)

    def block(w: Array) -> Array:
        half = w.sum(axis=0) / 2
        (mid_p, group_p), (mid_a, group_a) = by_p.midranks(w), by_a.midranks(w)
        mid_p, mid_a = mid_p - half, mid_a - half
        spread = np.sqrt((group_p * mid_p**2).sum(axis=0) * (group_a * mid_a**2).sum(axis=0))
        w = w * mid_p[by_p.inverse]
        w *= mid_a[by_a.inverse]
        return ratio(w.sum(axis=0), spread)

    return given(_blocks(block, w), weight)


def normalised_gini(predicted: ArrayLike, actual: ArrayLike, weight: Weights = None) -> Number:
    """Gini of the outcome in the order of the predictions, over the Gini of the outcome in its own order.

    1 for a perfect order, 0 for one that knows nothing, negative for one turned round. Customers run from the highest
    prediction down; the area between their share of the outcome and the diagonal is divided by the same area for the
    best possible order. Within a tie the share grows evenly, which is the mean over all orders of the tie.

    Limits: nan where the outcome sums to zero or less, or is equal for all.

    Parameters
    ----------
    predicted, actual, weight
        As for `spearman`.

    Examples
    --------
    >>> round(float(normalised_gini([3.0, 2.0, 1.0], [10.0, 0.0, 5.0])), 12)
    0.5
    """
    p, a, w = taken(predicted, actual, weight)
    by_p, by_a = Ties.of(-p), Ties.of(-a)

    def block(w: Array) -> Array:
        return ratio(_lorenz_area(by_p, a, w), _lorenz_area(by_a, a, w))

    return given(_blocks(block, w), weight)


def top_capture(
    predicted: ArrayLike, actual: ArrayLike, weight: Weights = None, *, share: float = 0.1
) -> Number:
    """Share of the whole outcome that the top `share` of customers by prediction brought.

    A tie across the edge gives its average. Limits: nan where the outcome sums to zero.

    Parameters
    ----------
    predicted, actual, weight
        As for `spearman`.
    share
        Part of the customers that is looked at, above 0, up to 1.

    Examples
    --------
    >>> float(top_capture([4.0, 3.0, 2.0, 1.0], [6.0, 1.0, 2.0, 1.0], share=0.25))
    0.6
    """
    if not 0 < share <= 1:
        raise ValueError(f"share={share} is no part of the customers.")
    p, a, w = taken(predicted, actual, weight)
    ties = Ties.of(-p)

    def block(w: Array) -> Array:
        size, money = ties.sums(w), ties.sums(w * a[:, None])
        taken_whole = np.clip(share * w.sum(axis=0) - (np.cumsum(size, axis=0) - size), 0.0, size)
        part = np.divide(taken_whole, size, out=np.zeros_like(size), where=size > 0)
        return ratio((part * money).sum(axis=0), a @ w)

    return given(_blocks(block, w), weight)


@dataclass(frozen=True)
class Deciles:
    """Means by tenth of the customers, the lowest predictions first; (draws, bins) where weights were a matrix."""

    predicted: Array
    actual: Array
    size: Array


def deciles(predicted: ArrayLike, actual: ArrayLike, weight: Weights = None, *, bins: int = 10) -> Deciles:
    """Mean prediction and mean outcome of each tenth of the customers, sorted by prediction.

    Sorted ascending, ties in the order given (by customer id), customer k of n falls into bin 1 + the number of j
    with k > 1 + (n-1)j/bins: the rule by which LRFM scores. A customer drawn twice stands there twice.

    Parameters
    ----------
    predicted, actual, weight
        As for `spearman`.
    bins
        How many parts; fewer customers than bins leave some empty (nan).

    Examples
    --------
    >>> deciles([1.0, 2.0, 3.0, 4.0], [0.0, 2.0, 2.0, 6.0], bins=2).actual.tolist()
    [1.0, 4.0]
    """
    p, a, w = taken(predicted, actual, weight)
    order = np.argsort(p, kind="stable")
    p, a, w = p[order][:, None], a[order][:, None], w.T[order]
    reached = np.vstack([np.zeros(w.shape[1]), np.cumsum(w, axis=0)])
    n = reached[-1]
    edges = np.floor(1 + (n - 1) * np.arange(1, bins)[:, None] / bins + 1e-9)
    edges = np.vstack([np.zeros_like(n), np.minimum(edges, n), n])
    place, part = _places(edges, reached)

    def between(values: Array) -> Array:
        sums = np.vstack([np.zeros_like(n), np.cumsum(w * values, axis=0)])
        left = np.take_along_axis(sums, place - 1, axis=0)
        at: Array = left + part * (np.take_along_axis(sums, place, axis=0) - left)
        return at[1:].T - at[:-1].T

    size: Array = edges[1:].T - edges[:-1].T
    found = Deciles(ratio(between(p), size), ratio(between(a), size), size)
    if weight is None or np.ndim(weight) == 1:
        return Deciles(found.predicted[0], found.actual[0], found.size[0])
    return found


def decile_mape(predicted: ArrayLike, actual: ArrayLike, weight: Weights = None) -> Number:
    """Mean over the deciles of |mean prediction - mean outcome| / mean outcome: how well levels are calibrated.

    Limits: a decile in which nothing happened has no such ratio and is left out; nan where none has.

    Parameters
    ----------
    predicted, actual, weight
        As for `spearman`.

    Examples
    --------
    >>> round(float(decile_mape(range(1, 21), [2 * n for n in range(1, 21)])), 3)
    0.5
    """
    found = deciles(predicted, actual, weight)
    off = ratio(np.abs(found.predicted - found.actual), np.abs(found.actual))
    there = np.isfinite(off)
    mean = ratio(np.where(there, off, 0.0).sum(axis=-1), there.sum(axis=-1).astype(np.float64))
    return float(mean) if np.ndim(mean) == 0 else mean


@dataclass(frozen=True)
class Ties:
    """The order of some values, ascending, with the groups of equal ones."""

    order: NDArray[np.intp]
    starts: NDArray[np.intp]
    inverse: NDArray[np.intp]

    @classmethod
    def of(cls, values: Array) -> Ties:
        """The ties of the values."""
        order = np.argsort(values, kind="stable")
        ordered = values[order]
        new = np.concatenate([[True], ordered[1:] != ordered[:-1]])
        inverse = np.empty(len(values), dtype=np.intp)
        inverse[order] = np.cumsum(new) - 1
        return cls(order, np.flatnonzero(new), inverse)

    def sums(self, values: Array) -> Array:
        """Sum of each group; values (n, draws)."""
        ordered = values[self.order]
        if len(self.starts) == len(self.order):
            return ordered
        found: Array = np.add.reduceat(ordered, self.starts, axis=0)
        return found

    def midranks(self, weight: Array) -> tuple[Array, Array]:
        """For each group the weight below it with half of its own, and its own."""
        size = self.sums(weight)
        return np.cumsum(size, axis=0) - size / 2, size


def _lorenz_area(ties: Ties, actual: Array, weight: Array) -> Array:
    """Area between the share of the outcome, in the order of the ties, and the diagonal."""
    mid, _ = ties.midranks(weight)
    money, total = ties.sums(weight * actual[:, None]), weight.sum(axis=0)
    whole = np.where((actual @ weight) > 0, actual @ weight, np.nan)
    # Whoever stands at mid-rank m counts on all of the curve behind m; trapezoids sum to exactly this.
    area: Array = (money * (total - mid)).sum(axis=0) / (whole * total) - 0.5
    return area


def _places(at: Array, reached: Array) -> tuple[NDArray[np.intp], Array]:
    """In each column the first row that reaches each `at`, and how far from the row before it that lies, 0 to 1."""
    # One search for all columns: each is lifted above the one before.
    lift = (reached[-1].max() + 1.0) * np.arange(reached.shape[1])
    found = np.searchsorted((reached + lift).T.ravel(), (at + lift).T.ravel()).reshape(at.T.shape).T
    place = np.clip(found - len(reached) * np.arange(reached.shape[1]), 1, len(reached) - 1)
    left, right = (np.take_along_axis(reached, p, axis=0) for p in (place - 1, place))
    part = np.divide(at - left, right - left, out=np.ones_like(at), where=right > left)
    return place, np.clip(part, 0.0, 1.0)


def _blocks(measure: Callable[[Array], Array], weight: Array) -> Array:
    """The measure of every row of weights, a block of rows at a time.

    A block is turned to (n, draws): then sorting moves whole rows, which is several times faster than single numbers.
    """
    rows = max(1, CELLS // weight.shape[1])
    blocks = (weight[n : n + rows].T for n in range(0, len(weight), rows))
    return np.concatenate([measure(np.ascontiguousarray(block)) for block in blocks])
