"""Nodes and weights of Gauss-Legendre quadrature on [0, 1]."""

from __future__ import annotations

from functools import cache

import numpy as np

from evervalue.numerics.arrays import Array


@cache
def gauss_legendre(n: int) -> tuple[Array, Array]:
    """Nodes (ascending) and weights that integrate polynomials up to degree 2n - 1 over [0, 1] exactly.

    Computed once a size and shared, hence read-only.

    >>> node, weight = gauss_legendre(4)
    >>> round(float(weight @ node**7), 12)
    0.125
    """
    node, weight = np.polynomial.legendre.leggauss(n)
    unit: tuple[Array, Array] = ((node + 1) / 2, weight / 2)
    for array in unit:
        array.setflags(write=False)
    return unit
