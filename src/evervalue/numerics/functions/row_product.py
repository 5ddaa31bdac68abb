"""A matrix product in which a row's bits do not depend on the rows it stands among."""

from __future__ import annotations

import numpy as np

from evervalue.numerics.arrays import Array

TILE = 64
"""Rows come in multiples of this: linear algebra libraries treat the rest by other code."""


def row_product(rows: Array, table: Array) -> Array:
    """The product of `rows` (n, k) and `table` (k, m).

    >>> row_product(np.array([[1.0, 2.0]]), np.array([[3.0, 1.0], [4.0, 0.0]]))
    array([[11.,  1.]])
    """
    whole = -(-len(rows) // TILE) * TILE
    if whole == len(rows):
        return np.asarray(rows @ table)
    padded = np.zeros((whole, rows.shape[1]))
    padded[: len(rows)] = rows
    return np.asarray((padded @ table)[: len(rows)])
