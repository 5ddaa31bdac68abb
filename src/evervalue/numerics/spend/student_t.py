"""Student's t law at any degrees of freedom, whole or not, with both tails exact."""

from __future__ import annotations

import numpy as np
from scipy.special import betainccinv, betaincinv, stdtr

from evervalue.numerics.arrays import Array, Number

_LARGEST = np.finfo(float).max
_LEAST = 1e-290


def t_cdf(z: Number, df: Number) -> Array:
    """P(t <= z) with df degrees of freedom, df > 0.

    Source: Abramowitz and Stegun (1964), equation 26.7.1. The library's own function keeps the digits of both tails: to
    1e-12 it equals the incomplete beta function of z^2 / (df + z^2) or of its complement, whichever is smaller.

    >>> t_cdf(np.array([-2.0, 0.0, 2.0]), 1.0).round(6)
    array([0.147584, 0.5     , 0.852416])
    """
    cdf: Array = stdtr(np.asarray(df, dtype=float), np.asarray(z, dtype=float))
    return cdf


def t_quantile(probability: Number, df: Number) -> Array:
    """The z that a t of df degrees of freedom stays below with the given probability.

    Limits: a quantile beyond 1e145 is given as the largest double, with its sign.

    >>> t_quantile(np.array([0.05, 0.5, 0.95]), 1.0).round(6)
    array([-6.313752,  0.      ,  6.313752])
    """
    asked, half = np.broadcast_arrays(np.asarray(probability, dtype=float), 0.5 * np.asarray(df, dtype=float))
    both = 2 * np.minimum(asked, 1 - asked)
    share = betaincinv(half, 0.5, both)
    inner = betainccinv(0.5, half, both)
    far = np.sqrt(2 * half) * np.sqrt((1 - np.minimum(share, 0.5)) / np.maximum(share, _LEAST))
    near = np.sqrt(2 * half * inner / np.maximum(1 - inner, 0.5))
    size = np.where(share > 0.5, near, np.where(share > _LEAST, far, _LARGEST))
    quantile: Array = np.where(asked < 0.5, -size, size)
    return quantile
