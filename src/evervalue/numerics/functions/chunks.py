"""Row-wise work in chunks that fit the processor's cache, on all its cores: memory stays bounded, results the same."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from evervalue.numerics.arrays import Array, Number

ROWS = 4_096
_LONG = 512  # a last axis as long as this is worked through by itself


def in_chunks(rows_of: Callable[..., Array], *arguments: Number, rows: int = ROWS) -> Array:
    """What `rows_of` gives for chunks of the broadcast arguments, put together in their broadcast shape.

    `rows_of` takes flat arrays of one length n, or of length 1, and gives (..., n): axes that it adds come first.
    Chunks are cut by shape alone, so that the result does not depend on the number of threads. Draws (D, 1) of
    parameters meet customers (n,) one draw at a time, without a copy of either.

    >>> in_chunks(lambda a, b: np.stack([a + b, a * b]), np.arange(3.0), 2.0)
    array([[2., 3., 4.],
           [0., 2., 4.]])
    """
    arrays = [np.asarray(argument, dtype=float) for argument in arguments]
    shape = np.broadcast_shapes(*(array.shape for array in arrays))
    if len(shape) == 1 or (len(shape) > 1 and shape[-1] >= _LONG and 0 not in shape):
        outer, length = shape[:-1], shape[-1]
        lines = [np.broadcast_to(array, (*outer, array.shape[-1] if array.ndim else 1)) for array in arrays]
    else:
        outer, length = (), int(np.prod(shape))
        lines = [
            array.reshape(1) if array.size == 1 else np.broadcast_to(array, shape).reshape(-1)
            for array in arrays
        ]

    def part(index: tuple[int, ...], chunk: slice) -> Array:
        chosen = (line[index] for line in lines)
        return rows_of(*(line if line.size == 1 else line[chunk] for line in chosen))

    tasks = [
        (index, slice(start, start + rows))
        for index in np.ndindex(outer)
        for start in (range(0, length, rows) if length else range(1))
    ]
    first = part(*tasks[0])
    whole = np.empty((*first.shape[:-1], *outer, length))

    def keep(done: Array, index: tuple[int, ...], chunk: slice) -> None:
        place: tuple[Any, ...] = (..., *index, chunk)
        whole[place] = done

    def put(task: tuple[tuple[int, ...], slice]) -> None:
        keep(part(*task), *task)

    keep(first, *tasks[0])
    threads = min(_cores(), len(tasks) - 1)
    if threads > 1 and whole.size > rows:
        # Not kept between calls: a pool does not survive a fork, and starting one costs less than a chunk.
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(put, tasks[1:]))
    else:
        for task in tasks[1:]:
            put(task)
    return whole.reshape((*first.shape[:-1], *shape))


def _cores() -> int:
    """Cores that this process may use."""
    allowed = getattr(os, "sched_getaffinity", None)
    return len(allowed(0)) if allowed else os.cpu_count() or 1
