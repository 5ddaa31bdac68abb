"""Rows of data that occur more than once, computed once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from evervalue.numerics.arrays import Array, Number, Params

_WORTH = 64


def once_each(f: Callable[..., Array], params: Params, *data: Number) -> Array:
    """f(params, *data), computed for each distinct combination of the data and put back in place.

    Only where no parameter varies along the last axis, the axis of customers; `f` may add axes in front. What an
    active customer does next depends on x and T alone, and days make few of them.

    >>> once_each(lambda params, x, t: params[0] * x + t, (10.0,), np.array([1.0, 2.0, 1.0]), 0.5)
    array([10.5, 20.5, 10.5])
    """
    arrays = [np.asarray(values, dtype=float) for values in data]
    size = max(array.size for array in arrays)
    shared = all(np.ndim(param) == 0 or np.shape(param)[-1] == 1 for param in params)
    if not shared or size < _WORTH or any(array.ndim > 1 for array in arrays):
        return f(params, *arrays)
    code = np.zeros(size, dtype=np.int64)
    for array in arrays:
        if array.size > 1:
            levels, position = np.unique(array, return_inverse=True)
            code = _renumbered(code * len(levels) + position, size)
    first = np.empty(int(code.max()) + 1, dtype=np.intp)
    first[code[::-1]] = np.arange(size - 1, -1, -1)
    if len(first) > size // 2:
        return f(params, *arrays)
    values = f(params, *(array[first] if array.size > 1 else array for array in arrays))
    return np.take(values, code, axis=-1)


def _renumbered(code: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """The codes as 0, 1, ... in the same order: by counting where they are few, else by sorting."""
    if code.max() > 8 * size:
        return np.unique(code, return_inverse=True)[1].astype(np.int64)
    number = np.cumsum(np.bincount(code) > 0) - 1
    return number[code]
