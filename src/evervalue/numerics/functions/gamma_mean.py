"""Means of functions under a gamma distribution, by quadrature that holds for shapes from 1e-4 to 1e5.

As `beta_mean`: near 0, where all but v^(shape-1) is smooth, a product rule integrates this factor exactly; beyond, in
log v, the integrand is analytic in a strip, and panels of Gauss-Legendre nodes converge fast.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from evervalue.numerics.arrays import Array
from evervalue.numerics.functions.gauss_legendre import gauss_legendre
from evervalue.numerics.functions.product_rule import END, power_weights

_PANEL, _LONG = 20, 4.0  # nodes of a panel; its length in log v
_SMALL = 0.25  # the piece near 0 reaches until something changes by this much
_FALL = 42.0  # exp(-42) = 6e-19 of the integrand is not there
_ROWS = 512


def gamma_mean(f: Callable[..., Array], shape: Array, rate: Array, *rest: Array) -> Array:
    """Mean of f(v, *rest) for v ~ Gamma(shape, 1), one a row; shape and rate of one length n.

    Parameters
    ----------
    f
        Positive, rising, no faster than v at the far end. Called with (m, nodes) values of v and the rows of `rest`;
        gives (m, nodes).
    rate
        How fast f changes near 0: it is close to a polynomial of small degree, or negligible, for v < 1 / (4 rate).
    rest
        Arrays with n rows.
    """
    low = np.log(_SMALL / np.maximum(rate, 1))
    fall_low, fall_high = _edge(shape, -1), _edge(shape + 1, 1)
    start = np.maximum(low, fall_low)
    width = np.minimum(_LONG, 6 / np.sqrt(shape + 1))
    panels = np.maximum(np.ceil((fall_high - start) / width), 1).astype(np.intp)
    node, weight = gauss_legendre(_PANEL)
    near = gauss_legendre(END)[0]
    mean = np.empty(shape.shape)
    for count in np.unique(panels):
        members = np.flatnonzero(panels == count)
        cells = ((np.arange(count)[:, None] + node) / count).reshape(-1)
        for first in range(0, len(members), _ROWS):
            m = members[first : first + _ROWS]
            R, begin, span = shape[m, None], start[m, None], (fall_high - start)[m, None]
            top = R * np.log(R) - R
            y = begin + span * cells
            far = np.exp(R * y - np.exp(y) - top) * np.tile(weight, count) * span / count
            v_near = np.exp(begin) * near
            left = np.where((low >= fall_low)[m, None], R * begin - v_near - top, -np.inf)
            v = np.concatenate([v_near, np.exp(y)], axis=1)
            w = np.concatenate([np.exp(left) * power_weights(R), far], axis=1)
            values = f(v, *(array[m] for array in rest))
            mean[m] = (w * values).sum(axis=1) / w.sum(axis=1)
    return mean


def _edge(shape: Array, side: int) -> Array:
    """Log v on one side of the mode where v^shape exp(-v) has fallen by `_FALL` logs; at most a little beyond.

    Newton's method on a concave function comes from outside, so stopping early errs on the safe side.
    """
    mode: Array = np.log(shape)
    y: Array = mode + side * np.sqrt(2 * _FALL / shape)
    if side > 0:
        y = np.minimum(y, np.log(shape + 2 * _FALL + 2 * np.sqrt(shape * _FALL)))
    for _ in range(6):
        v = np.exp(y)
        height = shape * (y - mode) - (v - shape) + _FALL
        slope = shape - v
        y = y - height / np.where(side * slope < 0, slope, -side * 1e-300)
        y = np.maximum(y, mode) if side > 0 else np.minimum(y, mode)
    return y
