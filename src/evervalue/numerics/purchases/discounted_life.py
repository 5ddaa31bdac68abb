"""Expected discounted active time of a customer whose dropout rate is Gamma(s, b)."""

from __future__ import annotations

import numpy as np
from scipy.special import exprel

from evervalue.numerics.arrays import Array, Number
from evervalue.numerics.functions.chunks import in_chunks
from evervalue.numerics.functions.gauss_legendre import gauss_legendre
from evervalue.numerics.purchases.falling_integral import (
    FALL,
    Rows,
    both_fallen,
    by_nodes,
    fallen,
    nodes_needed,
)

_LEAST = 1e-250  # what a fall is divided by


def expected_life(s: Number, b: Number, t: Number) -> Array:
    """Expected active time within t: b / (s - 1) (1 - (b / (b + t))^(s - 1)), and its limit b log(1 + t/b) at s = 1.

    Raises
    ------
    ValueError
        t is infinite: for s <= 1 so is the expectation.

    Examples
    --------
    >>> expected_life(np.array([1.0, 1 + 1e-12, 2.0]), 3.0, 6.0).round(6)
    array([3.295837, 3.295837, 2.      ])
    """
    if np.any(np.isinf(t)):
        raise ValueError("t = inf: an endless time needs a discount, as in discounted_expected_orders")
    length = np.log1p(np.divide(t, b))
    life: Array = b * length * exprel(-np.subtract(s, 1) * length)
    return life


def discounted_life(s: Number, b: Number, t: Number, delta: Number) -> Array:
    """Integral over u in (0, t) of exp(-delta u) (1 + u/b)^-s: active time within t, discounted continuously.

    Source: for t = inf this is the integral behind the confluent hypergeometric function Psi of Fader, Hardie and Lee
    (2005), "RFM and CLV: using iso-value curves for customer base analysis", appendix; quadrature in log(1 + u/b)
    serves a finite t as well and has no large parts that cancel.
    Domain: delta >= 0, t = inf only where delta > 0.
    Limits: relative error below 1e-12 where delta b > 1e-15 or t/b < 1e15.

    Raises
    ------
    ValueError
        delta is negative, or an infinite time is not discounted.

    Examples
    --------
    >>> discounted_life(2.0, 3.0, 6.0, np.array([0.0, 1e-9, 0.1])).round(6)
    array([2.      , 2.      , 1.666997])
    """
    if np.any(np.less(delta, 0)):
        raise ValueError("delta < 0: a discount rate cannot be negative")
    if np.any(np.isinf(t) & np.equal(delta, 0)):
        raise ValueError(
            "t = inf and delta = 0: the worth of an endless time is only defined where it is discounted"
        )
    return in_chunks(_discounted_life, s, b, t, delta)


def _discounted_life(s: Array, b: Array, t: Array, delta: Array) -> Array:
    s, b, t, delta = np.broadcast_arrays(s, b, t, delta)
    shrink = delta * b
    free = shrink == 0
    # exp(-shrink w) has fallen enough at FALL / shrink.
    cut = both_fallen(fallen(s - 1), FALL / np.maximum(shrink, _LEAST))
    end = np.log1p(np.minimum(t / b, cut))
    fall = (s - 1) * end + shrink * np.expm1(end)

    def integrate(nodes: int, rows: Rows) -> Array:
        node, weight = (column[:, None] for column in gauss_legendre(nodes))
        u = node * end[rows]
        density: Array = np.exp((1 - s[rows]) * u - shrink[rows] * np.expm1(u))
        density *= weight
        total: Array = density.sum(axis=0, keepdims=True)
        return total

    whole: Array = by_nodes(nodes_needed(fall, end), integrate, 1)[0] * end * b
    if free.any():
        whole[free] = expected_life(s[free], b[free], t[free])
    return whole
