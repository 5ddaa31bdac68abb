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
        half = w.sum(axis=1, keepdims=True) / 2
        (mid_p, group_p), (mid_a, group_a) = by_p.midranks(w), by_a.midranks(w)
        mid_p, mid_a = mid_p - half, mid_a - half
        spread = np.sqrt((group_p * mid_p**2).sum(axis=1) * (group_a * mid_a**2).sum(axis=1))
        together = np.einsum("bn,bn,bn->b", w, mid_p[:, by_p.inverse], mid_a[:, by_a.inverse])
        return ratio(together, spread)

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
        size, money = ties.sums(w), ties.sums(w * a)
        edge = share * w.sum(axis=1, keepdims=True)
        taken_whole = np.clip(edge - (np.cumsum(size, axis=1) - size), 0.0, size)
        part = np.divide(taken_whole, size, out=np.zeros_like(size), where=size > 0)
        return ratio((part * money).sum(axis=1), w @ a)

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
    p, a, w = p[order], a[order], w[:, order]
    upto = np.cumsum(w, axis=1)
    n = upto[:, -1:]
    edges = np.minimum(np.floor(1 + (n - 1) * np.arange(1, bins) / bins + 1e-9), n)
    edges = np.hstack([np.zeros_like(n), edges, n])

    def between(values: Array) -> Array:
        sums = np.hstack([np.zeros_like(n), np.cumsum(w * values, axis=1)])
        reached = np.hstack([np.zeros_like(n), upto])
        return np.diff(_interpolated(edges, reached, sums), axis=1)

    size = between(np.ones_like(p))
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
        """Sum of each group; values (draws, n)."""
        return np.add.reduceat(values[:, self.order], self.starts, axis=1)

    def midranks(self, weight: Array) -> tuple[Array, Array]:
        """For each group the weight below it with half of its own, and its own."""
        size = self.sums(weight)
        return np.cumsum(size, axis=1) - size / 2, size


def _lorenz_area(ties: Ties, actual: Array, weight: Array) -> Array:
    """Area between the share of the outcome, in the order of the ties, and the diagonal."""
    mid, _ = ties.midranks(weight)
    money, total = ties.sums(weight * actual), weight.sum(axis=1)
    whole = np.where((weight @ actual) > 0, weight @ actual, np.nan)
    # Whoever stands at mid-rank m counts on all of the curve behind m; trapezoids sum to exactly this.
    area: Array = (money * (total[:, None] - mid)).sum(axis=1) / (whole * total) - 0.5
    return area


def _interpolated(at: Array, x: Array, y: Array) -> Array:
    """`y` at each `at`, linear between the points (x, y) of the same row, x ascending from 0."""
    rows = np.arange(len(x))[:, None]
    # One search for all rows: each row is lifted above the one before.
    lift = (x[:, -1].max() + 1.0) * rows
    right = np.searchsorted((x + lift).ravel(), (at + lift).ravel()).reshape(at.shape) - rows * x.shape[1]
    right = np.clip(right, 1, x.shape[1] - 1)
    left_x, right_x = x[rows, right - 1], x[rows, right]
    part = np.divide(at - left_x, right_x - left_x, out=np.ones_like(at), where=right_x > left_x)
    found: Array = y[rows, right - 1] + np.clip(part, 0.0, 1.0) * (y[rows, right] - y[rows, right - 1])
    return found


def _blocks(measure: Callable[[Array], Array], weight: Array) -> Array:
    """The measure of every row of weights, a block of rows at a time."""
    rows = max(1, CELLS // weight.shape[1])
    return np.concatenate([measure(weight[n : n + rows]) for n in range(0, len(weight), rows)])
