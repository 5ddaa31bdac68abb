"""Row-wise work in chunks that fit the processor's cache, so that memory stays bounded."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from evervalue.numerics.arrays import Array, Number

ROWS = 2_048


def in_chunks(rows_of: Callable[..., Array], *arguments: Number, rows: int = ROWS) -> Array:
    """What `rows_of` gives for chunks of the broadcast arguments, put together in their broadcast shape.

    `rows_of` takes flat arrays of one length n, or scalars as arrays of length 1, and gives (..., n): axes that it
    adds come first.

    >>> in_chunks(lambda a, b: np.stack([a + b, a * b]), np.arange(3.0), 2.0)
    array([[2., 3., 4.],
           [0., 2., 4.]])
    """
    arrays = [np.asarray(argument, dtype=float) for argument in arguments]
    shape = np.broadcast_shapes(*(array.shape for array in arrays))
    size = int(np.prod(shape))
    flat = [
        array.reshape(1) if array.size == 1 else np.broadcast_to(array, shape).reshape(-1) for array in arrays
    ]
    starts = range(0, size, rows) if size else [0]
    parts = [
        rows_of(*(array if array.size == 1 else array[start : start + rows] for array in flat))
        for start in starts
    ]
    whole = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=-1)
    return whole.reshape((*whole.shape[:-1], *shape))
