"""Integrals from 0 to 1 of v^(a-1) g(v), exact for polynomials g, for any a > 0 however near to 0."""

from __future__ import annotations

from functools import cache

import numpy as np

from evervalue.numerics.arrays import Array
from evervalue.numerics.functions.gauss_legendre import gauss_legendre

END = 12
"""Nodes of the rule: those of Gauss-Legendre, on [0, 1]."""


def power_weights(a: Array) -> Array:
    """Weights of the rule for each a; a has shape (n, 1), the weights (n, END).

    g is interpolated at the nodes. The moments of shifted Legendre polynomials P_k under v^(a-1) are
    (a - 1) ... (a - k) / (a (a + 1) ... (a + k)).

    >>> node = gauss_legendre(END)[0]
    >>> float((power_weights(np.array([[0.01]]))[0] * node**3).sum().round(12)) == round(1 / 3.01, 12)
    True
    """
    k = np.arange(1, END)
    moments = np.concatenate([np.ones_like(a), np.cumprod((a - k) / (a + k), axis=1)], axis=1) / a
    # Not a matrix product: its last digits would hang on how many rows there are.
    weights: Array = (moments[:, None, :] * _legendre()).sum(axis=2)
    return weights


@cache
def _legendre() -> Array:
    """(2k + 1) w_i P_k(2 v_i - 1), by i and k."""
    node, weight = gauss_legendre(END)
    values = np.polynomial.legendre.legvander(2 * node - 1, END - 1)
    return (2 * np.arange(END) + 1) * weight[:, None] * values
