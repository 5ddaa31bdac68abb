"""Row-wise work in chunks that fit the processor's cache, on all its cores: memory stays bounded, results the same."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from evervalue.numerics.arrays import Array, Number

ROWS = 8_192
_WORTH = 3  # fewer chunks than this are done before threads have started


def in_chunks(rows_of: Callable[..., Array], *arguments: Number, rows: int = ROWS) -> Array:
    """What `rows_of` gives for chunks of the broadcast arguments, put together in their broadcast shape.

    `rows_of` takes flat arrays of one length n, or scalars as arrays of length 1, and gives (..., n): axes that it
    adds come first. Chunks are cut by size alone, so that the result does not depend on the number of threads.

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

    def part(start: int) -> Array:
        return rows_of(*(array if array.size == 1 else array[start : start + rows] for array in flat))

    starts = range(0, size, rows) if size else range(1)
    threads = min(_cores(), len(starts))
    if threads > 1 and len(starts) >= _WORTH:
        # Not kept between calls: a pool does not survive a fork, and starting one costs less than a chunk.
        with ThreadPoolExecutor(threads) as pool:
            parts = list(pool.map(part, starts))
    else:
        parts = [part(start) for start in starts]
    whole = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=-1)
    return whole.reshape((*whole.shape[:-1], *shape))


def _cores() -> int:
    """Cores that this process may use."""
    allowed = getattr(os, "sched_getaffinity", None)
    return len(allowed(0)) if allowed else os.cpu_count() or 1
