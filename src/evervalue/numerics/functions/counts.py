"""Functions of a count, evaluated once a count instead of once a customer."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from evervalue.numerics.arrays import Array, Number, Params

_WORTH = 8  # below this many customers a table saves nothing


def by_count(function: Callable[[Array], Array], x: Array, params: Params) -> Array:
    """`function(x)`, by a table from the least to the largest x where that is shorter than x.

    A million customers have a few hundred different numbers of purchases, and log-gamma is what a likelihood spends its
    time in. `function` takes counts (n,) and gives (..., n); with `params` that differ along the last axis, counts
    that are not whole, or few customers, it is asked directly. Counts must be finite and at or above zero.

    >>> by_count(np.sqrt, np.array([4.0, 9.0, 4.0] * 4), (1.0,))[:3]
    array([2., 3., 2.])
    """
    alike = all(np.ndim(value) == 0 or np.shape(value)[-1] == 1 for value in params)
    if not alike or x.ndim != 1 or x.size < _WORTH:
        return function(x)
    least, most = float(x.min()), float(x.max())
    if most - least >= x.size or least != np.floor(least):
        return function(x)
    place = (x - least).astype(np.intp)
    if not np.array_equal(place + least, x):
        return function(x)
    return np.take(function(np.arange(least, most + 1)), place, axis=-1)


def over_counts(f: Callable[..., Array], x: Number, *params: Number) -> Array:
    """f(*params, x), by a table of f over the counts in `x`; see `by_count`.

    >>> over_counts(lambda r, x: r * x, np.array([2.0, 0.0, 3.0]), 10.0)
    array([20.,  0., 30.])
    """
    return by_count(lambda counts: f(*params, counts), np.asarray(x, dtype=float), params)
