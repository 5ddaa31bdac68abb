"""Least squares with coefficients that are not negative.

scipy has it too, but the module around it takes as long to import as a small run takes.
"""

from __future__ import annotations

import numpy as np

from evervalue.numerics.arrays import Array

_STILL = 1e-12


def nonnegative_least_squares(matrix: Array, target: Array) -> Array:
    """The x >= 0 with the least |matrix x - target|.

    Source: Lawson and Hanson (1974), "Solving least squares problems", algorithm NNLS (23.10).

    Parameters
    ----------
    matrix
        (m, n), m small: each step solves a problem of at most m columns.
    target
        (m,).

    Returns
    -------
    Array
        (n,), at most m of them above zero.

    Examples
    --------
    >>> nonnegative_least_squares(np.array([[1.0, 2.0], [1.0, -1.0]]), np.array([2.0, 5.0])).round(6)
    array([3.5, 0. ])
    """
    rows, columns = matrix.shape
    x = np.zeros(columns)
    inside = np.zeros(columns, dtype=bool)
    scale = _STILL * max(1.0, float(np.abs(matrix.T @ target).max(initial=0.0)))
    for _ in range(3 * columns):
        slope = matrix.T @ (target - matrix @ x)
        slope[inside] = -np.inf
        best = int(np.argmax(slope))
        if inside.all() or inside.sum() >= rows or slope[best] <= scale:
            return x
        inside[best] = True
        while True:
            own = np.flatnonzero(inside)
            tried, *_ = np.linalg.lstsq(matrix[:, own], target, rcond=None)
            if (tried > 0).all():
                x[:] = 0.0
                x[own] = tried
                break
            # As far towards the tried point as nothing turns negative; what reaches zero leaves.
            falling = tried <= 0
            step = float((x[own][falling] / (x[own][falling] - tried[falling])).min())
            x[own] += step * (tried - x[own])
            leaves = own[falling & (x[own] <= _STILL)]
            x[leaves] = 0.0
            inside[leaves] = False
            if not inside.any():
                break
    return x
