"""Integrals over (0, end) of functions that fall: where to end, and how many Gauss-Legendre nodes a row needs.

The functions are exp of minus exponents that are concave in w = exp(u) - 1 and analytic in a strip of u around the
real line, such as (1 + w/c)^-a. Rows are grouped by the nodes that they need, by a rule that looks at the row alone: a
customer's result does not depend on who else is computed.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from evervalue.numerics.arrays import Array

FALL = 42.0
"""What lies beyond a fall by exp(-42) = 6e-19 is left out."""
NODES = (6, 8, 10, 12, 16, 20, 24, 32, 48, 64, 96, 128, 192, 256, 512)
_CAP = 300.0  # exp of it squared is still finite
_BLOCK = 16_384  # nodes times rows at once: a few arrays of it fit a core's cache

_TIERS = np.searchsorted(NODES[:-1], np.arange(NODES[-1] + 1)).astype(np.uint8)  # by whole nodes needed

Rows = NDArray[np.intp]


def by_nodes(needed: Array, integrate: Callable[[int, Rows], Array], k: int) -> Array:
    """(k, n) of `integrate(nodes, rows)` -> (k, rows), with at least the nodes that each row needs.

    >>> by_nodes(np.array([3.0, 11.0]), lambda nodes, rows: np.full((1, rows.size), nodes), 1)
    array([[ 6., 12.]])
    """
    tier = _TIERS.take(np.ceil(needed).astype(np.intp), mode="clip")
    order = np.argsort(tier, kind="stable")
    done = np.empty((k, tier.size))
    stop = 0
    for n, many in enumerate(np.bincount(tier)):
        start, stop, nodes = stop, stop + many, NODES[n]
        for first in range(start, stop, _BLOCK // nodes):
            rows = order[first : min(first + _BLOCK // nodes, stop)]
            # numpy adds up a single column in another order, which changes the last digit: never take one alone.
            some = np.repeat(rows, 2) if rows.size == 1 else rows
            done[:, first : first + rows.size] = integrate(nodes, some)[:, : rows.size]
    place = np.empty_like(order)
    place[order] = np.arange(tier.size)
    whole: Array = done.take(place, axis=1)
    return whole


def nodes_needed(fall: Array, end: Array) -> Array:
    """Nodes that integrate exp(-exponent) over u in (0, end) to 1e-13, given the exponent's rise from 0 to end.

    Measured on 120,000 random customers of the Pareto/NBD, with parameters from 1e-4 to 1e5.
    """
    nodes: Array = 4 + 2.6 * np.sqrt(np.maximum(fall, 0)) + 2.7 * end
    return nodes


def fallen(power: Array) -> Array:
    """Where (1 + w)^-power has fallen by exp(-FALL): that w; a power at or below zero never falls, and gives 1e130.

    >>> float((1 + fallen(np.array(2.0))) ** -2 * np.exp(FALL)).__round__(12)
    1.0
    """
    w: Array = np.expm1(FALL / np.maximum(power, FALL / _CAP))
    return w


def both_fallen(one: Array, other: Array) -> Array:
    """Where a product has fallen enough, given where each of its two factors alone has: that w.

    The exponents are concave in w and zero at zero: at a share of the way at least that share of the fall is done, so
    that at the harmonic sum of the two ways the shares add up to the whole.
    """
    return 1 / (1 / one + 1 / other)
