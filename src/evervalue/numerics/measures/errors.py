"""How far predictions lie from what happened: bias, mean absolute error, root mean squared error.

Every measure takes weights, so that a bootstrap is one call: a customer drawn twice is a customer of weight two, and
a matrix of weights gives one value a row.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from evervalue.numerics.arrays import Array, Number

Weights = ArrayLike | None
"""None (every customer once), (n,) or (draws, n)."""


def bias(predicted: ArrayLike, actual: ArrayLike, weight: Weights = None) -> Number:
    """Predicted total over actual total, less one: -0.12 says that 12 % too little was promised.

    Limits: nan where nothing happened at all.

    Parameters
    ----------
    predicted, actual
        One element a customer.
    weight
        How often each customer counts; a matrix gives one value a row.

    Examples
    --------
    >>> float(bias([1.0, 2.0], [2.0, 2.0]))
    -0.25
    """
    p, a, w = taken(predicted, actual, weight)
    return given(ratio(w @ p, w @ a) - 1.0, weight)


def mean_absolute_error(predicted: ArrayLike, actual: ArrayLike, weight: Weights = None) -> Number:
    """Mean distance between prediction and outcome, in the unit of both.

    For a count that is mostly zero a low value is no praise: predicting zero for all is hard to beat.

    Parameters
    ----------
    predicted, actual, weight
        As for `bias`.

    Examples
    --------
    >>> float(mean_absolute_error([1.0, 2.0], [2.0, 4.0]))
    1.5
    """
    p, a, w = taken(predicted, actual, weight)
    return given(w @ np.abs(p - a) / w.sum(axis=1), weight)


def root_mean_squared_error(predicted: ArrayLike, actual: ArrayLike, weight: Weights = None) -> Number:
    """Root of the mean squared distance, in the unit of both; a few large misses decide it.

    Parameters
    ----------
    predicted, actual, weight
        As for `bias`.

    Examples
    --------
    >>> float(root_mean_squared_error([0.0, 0.0], [6.0, 8.0]))
    7.0710678118654755
    """
    p, a, w = taken(predicted, actual, weight)
    return given(np.sqrt(w @ (p - a) ** 2 / w.sum(axis=1)), weight)


def weighted_mean(values: ArrayLike, weight: Weights = None) -> Number:
    """Mean of the values, one for each row of weights: what every score that is a mean over customers needs.

    Parameters
    ----------
    values
        One element a customer.
    weight
        As for `bias`.

    Examples
    --------
    >>> weighted_mean([1.0, 2.0], [[1, 1], [0, 2]]).tolist()
    [1.5, 2.0]
    """
    v, _, w = taken(values, values, weight)
    return given(w @ v / w.sum(axis=1), weight)


def ratio(above: Array, below: Array) -> Array:
    """The quotient, nan where the denominator is zero."""
    found: Array = np.divide(above, below, out=np.full(np.shape(above), np.nan), where=below != 0)
    return found


def taken(predicted: ArrayLike, actual: ArrayLike, weight: Weights) -> tuple[Array, Array, Array]:
    """The arguments as arrays of doubles, weights as a matrix.

    Raises
    ------
    ValueError
        Lengths differ, or there is nothing to measure.
    """
    p, a = np.asarray(predicted, dtype=np.float64), np.asarray(actual, dtype=np.float64)
    w = np.ones((1, len(p))) if weight is None else np.atleast_2d(np.asarray(weight, dtype=np.float64))
    if p.ndim != 1 or p.shape != a.shape or w.shape[1] != len(p) or len(p) == 0:
        raise ValueError(
            f"predicted {p.shape}, actual {a.shape} and weight {w.shape} do not belong together: "
            "each has one element a customer, and there is at least one."
        )
    return p, a, w


def given(values: Array, weight: Weights) -> Number:
    """A scalar where one set of weights was given, else one value a set."""
    if weight is None or np.ndim(weight) == 1:
        return float(values[0])
    return values
