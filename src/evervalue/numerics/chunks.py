"""Row-wise work in chunks that fit the processor's cache, on all its cores: memory stays bounded, results the same."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from evervalue.numerics.arrays import Array, Number

ROWS = 4_096


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

    starts = range(0, size, rows) if size else range(1)
    first = rows_of(*(array if array.size == 1 else array[:rows] for array in flat))
    whole = np.empty((*first.shape[:-1], size))
    whole[..., :rows] = first

    def part(start: int) -> None:
        chunk = slice(start, start + rows)
        whole[..., chunk] = rows_of(*(array if array.size == 1 else array[chunk] for array in flat))

    threads = min(_cores(), len(starts) - 1)
    if threads > 1:
        # Not kept between calls: a pool does not survive a fork, and starting one costs less than a chunk.
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(part, starts[1:]))
    else:
        for start in starts[1:]:
            part(start)
    return whole.reshape((*first.shape[:-1], *shape))


def _cores() -> int:
    """Cores that this process may use."""
    allowed = getattr(os, "sched_getaffinity", None)
    return len(allowed(0)) if allowed else os.cpu_count() or 1
