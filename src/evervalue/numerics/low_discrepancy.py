"""Points that fill the unit cube evenly: quasi-random numbers for the few dimensions of a posterior."""

from __future__ import annotations

import numpy as np

from evervalue.numerics.arrays import Array


def even_points(n: int, dimensions: int, rng: np.random.Generator) -> Array:
    """Points (n, dimensions) strictly inside the unit cube, evenly spread, each uniform on its own.

    A Kronecker sequence on the powers of the generalised golden ratio, the root of g^(d+1) = g + 1 (Roberts 2018,
    "The unreasonable effectiveness of quasirandom sequences"), moved by one random shift modulo 1 (Cranley and
    Patterson 1976): means over the points are unbiased, and for smooth functions far closer than those over
    independent draws. Any n will do, no power of two is needed.

    Examples
    --------
    The mean of a coordinate is 0.5 to some 1/n; of independent draws it would be to 0.3/sqrt(n), here 0.009:

    >>> points = even_points(1000, 3, np.random.default_rng(1))
    >>> points.shape, bool(np.all(np.abs(points.mean(axis=0) - 0.5) < 0.002))
    ((1000, 3), True)
    """
    golden = 2.0
    for _ in range(60):
        golden = (1 + golden) ** (1 / (dimensions + 1))
    steps = golden ** -np.arange(1.0, dimensions + 1)
    points = (rng.random(dimensions) + np.arange(1.0, n + 1)[:, None] * steps) % 1.0
    return np.clip(points, 1e-12, 1 - 1e-12)
