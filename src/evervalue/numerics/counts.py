"""Functions of a count, evaluated once a count instead of once a customer."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from evervalue.numerics.arrays import Array, Number

_WORTH = 64  # below this many customers a table saves nothing


def over_counts(f: Callable[..., Array], x: Number, *params: Number) -> Array:
    """f(*params, x), by a table of f at 0, 1, ... max(x) where that table is shorter than the data.

    A million histories know a few hundred counts, and gamma functions cost more than all else in a likelihood. The
    table is used where no parameter varies along the last axis, which is the axis of the customers.

    >>> over_counts(lambda r, x: r * x, np.array([2.0, 0.0, 3.0]), 10.0)
    array([20.,  0., 30.])
    """
    x = np.asarray(x, dtype=float)
    shared = all(np.ndim(param) == 0 or np.shape(param)[-1] == 1 for param in params)
    if not shared or x.ndim != 1 or x.size < _WORTH:
        return f(*params, x)
    most = float(x.max())
    if not 0 <= most < x.size:
        return f(*params, x)
    index = x.astype(np.intp)
    if not np.array_equal(index, x):
        return f(*params, x)
    table = f(*params, np.arange(most + 1))
    return np.take(table, index, axis=-1)
