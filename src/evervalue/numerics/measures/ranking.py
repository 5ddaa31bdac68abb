"""Whether those predicted to be worth most are: rank correlation, normalised Gini, top capture, deciles.

Customers with one prediction are told apart by nothing, so each is given the average of its tie: otherwise the order
of rows would decide. Weights as in `measures`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evervalue.numerics.arrays import Array, Number
from evervalue.numerics.measures.errors import Weights, given, ratio, taken

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
    return rank_measures({"": predicted}, actual, weight)[""].spearman


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
    return rank_measures({"": predicted}, actual, weight)[""].normalised_gini


def top_capture(
    predicted: ArrayLike, actual: ArrayLike, weight: Weights = None, *, share: float = 0.1
) -> Number:
    """Share of the whole outcome that the top `share` of customers by prediction brought.

    A tie across the edge gives its average. Limits: nan where the outcome sums to zero or less, for a share of a loss
    would call those best who lost most.

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
    return rank_measures({"": predicted}, actual, weight, share=share)[""].top_capture


@dataclass(frozen=True)
class RankMeasures:
    """The three measures that ask for the order of the predictions alone."""

    spearman: Number
    normalised_gini: Number
    top_capture: Number


def rank_measures(
    predictions: Mapping[str, ArrayLike], actual: ArrayLike, weight: Weights = None, *, share: float = 0.1
) -> dict[str, RankMeasures]:
    """The three measures of several predictions of one outcome; what they share is computed once.

    Parameters
    ----------
    predictions
        By name, one element a customer each.
    actual, weight
        As for `spearman`.
    share
        As for `top_capture`.

    Examples
    --------
    >>> found = rank_measures({"best": [1.0, 2.0, 9.0], "worst": [3.0, 2.0, 1.0]}, [0.0, 1.0, 5.0])
    >>> {name: round(float(one.spearman), 4) for name, one in found.items()}
    {'best': 1.0, 'worst': -1.0}
    """
    if not 0 < share <= 1:
        raise ValueError(f"share={share} is no part of the customers.")
    checked = {name: taken(one, actual, weight) for name, one in predictions.items()}
    ties = {name: Ties.of(-p) for name, (p, _, _) in checked.items()}
    _, a, w = next(iter(checked.values()))
    best = Ties.of(-a)
    found: dict[str, list[tuple[Array, Array, Array]]] = {name: [] for name in ties}
    for block in _blocks(w):
        outcome = _Outcome.of(block, a, best)
        for name, one in ties.items():
            found[name].append(outcome.measured(one, share))
    joined = {
        name: [np.concatenate(part) for part in zip(*parts, strict=True)] for name, parts in found.items()
    }
    return {name: RankMeasures(*(given(part, weight) for part in parts)) for name, parts in joined.items()}


@dataclass(frozen=True)
class _Outcome:
    """What measures of one outcome share, for a block of weights (n, draws). Ranks run from the highest down."""

    weight: Array
    money: Array
    """Weight times outcome."""
    ranked: Array
    """Weight times the outcome's rank, counted from the middle."""
    spread: Array
    """Weighted squares of those ranks, summed."""
    area: Array
    """Between the best possible share curve and the diagonal."""
    half: Array
    whole: Array

    @classmethod
    def of(cls, weight: Array, actual: Array, best: Ties) -> _Outcome:
        half, money = weight.sum(axis=0) / 2, weight * actual[:, None]
        whole = money.sum(axis=0)
        mid, size = best.midranks(weight)
        area = _area(best.sums(money), mid, half, whole)
        mid -= half
        spread = (size * mid**2).sum(axis=0)
        return cls(weight, money, weight * mid[best.inverse], spread, area, half, whole)

    def measured(self, ties: Ties, share: float) -> tuple[Array, Array, Array]:
        """Spearman, normalised Gini and top capture of predictions with these ties."""
        mid, size = ties.midranks(self.weight)
        money = ties.sums(self.money)
        area = _area(money, mid, self.half, self.whole)
        if len(ties.starts) == 1:
            area = np.where(np.isnan(area), np.nan, 0.0)  # the diagonal itself, whatever rounding makes of it
        reached = np.clip(2 * share * self.half - (mid - size / 2), 0.0, size)
        part = np.divide(reached, size, out=np.zeros_like(size), where=size > 0)
        capture = (part * money).sum(axis=0) / _gained(self.whole)
        mid -= self.half
        spread = np.sqrt((size * mid**2).sum(axis=0) * self.spread)
        return ratio((mid * ties.sums(self.ranked)).sum(axis=0), spread), ratio(area, self.area), capture


def _area(money: Array, mid: Array, half: Array, whole: Array) -> Array:
    """Area between the share of the outcome, group by group, and the diagonal; nan where the outcome is not above 0."""
    # Whoever stands at mid-rank m counts on all of the curve behind m; trapezoids sum to exactly this.
    below = _gained(whole) * 2 * half
    area: Array = (money * (2 * half - mid)).sum(axis=0) / below - 0.5
    return area


def _gained(whole: Array) -> Array:
    """The whole outcome of which shares are taken; nan where there is none to share."""
    return np.where(whole > 0, whole, np.nan)


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
    reached = _running(w)
    n = reached[-1]
    edges = np.floor(1 + (n - 1) * np.arange(1, bins)[:, None] / bins + 1e-9)
    edges = np.vstack([np.zeros_like(n), np.minimum(edges, n), n])
    place, part = _places(edges, reached)

    def between(values: Array) -> Array:
        sums = _running(w * values)
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


def _running(values: Array) -> Array:
    """Sums of the first 0, 1, ... rows."""
    found = np.zeros((len(values) + 1, values.shape[1]))
    np.cumsum(values, axis=0, out=found[1:])
    return found


def _places(at: Array, reached: Array) -> tuple[NDArray[np.intp], Array]:
    """In each column the first row that reaches each `at`, and how far from the row before it that lies, 0 to 1."""
    # One search for all columns: each is lifted above the one before.
    lift = (reached[-1].max() + 1.0) * np.arange(reached.shape[1])
    found = np.searchsorted((reached + lift).T.ravel(), (at + lift).T.ravel()).reshape(at.T.shape).T
    place = np.clip(found - len(reached) * np.arange(reached.shape[1]), 1, len(reached) - 1)
    left, right = (np.take_along_axis(reached, p, axis=0) for p in (place - 1, place))
    part = np.divide(at - left, right - left, out=np.ones_like(at), where=right > left)
    return place, np.clip(part, 0.0, 1.0)


def _blocks(weight: Array) -> Iterator[Array]:
    """Weights a block of draws at a time, turned to (n, draws).

    Then sorting moves whole rows, which is several times faster than single numbers.
    """
    draws = max(1, CELLS // weight.shape[1])
    for n in range(0, len(weight), draws):
        yield np.ascontiguousarray(weight[n : n + draws].T)
