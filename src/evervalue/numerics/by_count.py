"""A function of whole counts, computed once a distinct count."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from evervalue.numerics.arrays import Array, Params


def by_count(function: Callable[[Array], Array], x: Array, params: Params) -> Array:
    """`function(x)`, by a table from the least to the largest x where that is shorter than x.

    A million customers have a few hundred different numbers of purchases, and log-gamma is what a likelihood spends its
    time in. `function` takes counts (n,) and gives (..., n); with `params` that differ along the last axis, counts
    that are not whole, or few customers, it is asked directly. Counts must be finite and at or above zero.

    >>> by_count(np.sqrt, np.array([4.0, 9.0, 4.0] * 4), (1.0,))[:3]
    array([2., 3., 2.])
    """
    alike = all(np.ndim(value) == 0 or np.shape(value)[-1] == 1 for value in params)
    if not alike or x.ndim != 1 or x.size < 8:
        return function(x)
    least, most = float(x.min()), float(x.max())
    if most - least >= x.size or least != np.floor(least):
        return function(x)
    place = (x - least).astype(np.intp)
    if not np.array_equal(place + least, x):
        return function(x)
    return np.take(function(np.arange(least, most + 1)), place, axis=-1)
