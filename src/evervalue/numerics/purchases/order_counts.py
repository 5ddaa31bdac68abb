"""Distribution of the number of orders within a period, of an active customer with unknown order and dropout rates."""

from __future__ import annotations

import numpy as np
from scipy.special import gammaln

from evervalue.numerics.arrays import Array
from evervalue.numerics.functions.gauss_legendre import gauss_legendre
from evervalue.numerics.functions.rising import log_rising
from evervalue.numerics.purchases.falling_integral import FALL, Rows, by_nodes, fallen

_LOGS_FROM = 64
"""With fewer nodes, P(no order) at each is far from underflow, and a recursion may start from it."""


def order_counts(a: Array, c: Array, s: Array, d: Array, t: Array, n_max: int) -> Array:
    """P(N(t) = n), n = 0..n_max on the first axis: order rate Gamma(a, c), dropout rate Gamma(s, d), active now.

    The customer stays for the whole period with probability (1 + t/d)^-s and then makes a negative binomial number of
    orders, or leaves at w < t (density s/d (1 + w/d)^-(s+1)) and makes that of w alone. The integral over w is taken
    by Gauss-Legendre in log(1 + w/p), p the smaller of c and d. Every term is positive.

    Limits: absolute error below 1e-13, for a and s up to 1e5 and n_max up to 5,000.

    >>> one = np.ones(1)
    >>> order_counts(one, one, one, one, one, 2).round(6)
    array([[0.625   ],
           [0.208333],
           [0.088542]])
    """
    a, c, s, d, t = np.broadcast_arrays(a, c, s, d, t)
    p = np.minimum(c, d)
    until = np.minimum(t, np.minimum(d * fallen(s), _outgrown(a, c, n_max)))
    end = np.log1p(until / p)
    fall = a * np.log1p(until / c) + (s + 1) * np.log1p(until / d)
    # The peaks of n_max orders over log w are as narrow as narrow allows.
    narrow = np.sqrt(a * (n_max + 1) / (a + n_max + 1))
    needed = 6 + 4 * np.sqrt(fall) + (2.7 + 0.7 * narrow) * end

    def integrate(nodes: int, rows: Rows) -> Array:
        left = _left(nodes, end[rows], a[rows], c[rows], s[rows], d[rows], n_max)
        return left * (s[rows] / d[rows] * p[rows] * end[rows])

    left = by_nodes(needed, integrate, n_max + 1)
    return left + _stayed(a, c, s, d, t, n_max)


def _left(n: int, end: Array, a: Array, c: Array, s: Array, d: Array, n_max: int) -> Array:
    """Mean over u in (0, end) of p exp(u) (1 + w/d)^-(s+1) NB(count; w), for each count."""
    node, weight = (column[:, None] for column in gauss_legendre(n))
    u = node * end
    w = np.expm1(u) * np.minimum(c, d)
    leaving = weight * np.exp(u - (s + 1) * np.log1p(w / d))
    log_none = -a * np.log1p(w / c)
    share = w / (c + w)
    counts = np.empty((n_max + 1, end.size))
    if n < _LOGS_FROM:
        density = leaving * np.exp(log_none)
        density.sum(axis=0, out=counts[0])
        for count in range(1, n_max + 1):
            density *= share
            density *= (a + (count - 1)) / count
            density.sum(axis=0, out=counts[count])
        return counts
    log_density = log_none + np.log(leaving)
    log_share = np.log(share, out=np.zeros_like(share), where=share > 0)
    np.exp(log_density).sum(axis=0, out=counts[0])
    for count in range(1, n_max + 1):
        log_density += log_share
        log_density += np.log((a + (count - 1)) / count)
        np.exp(log_density).sum(axis=0, out=counts[count])
    return counts


def _stayed(a: Array, c: Array, s: Array, d: Array, t: Array, n_max: int) -> Array:
    """P(still active at t and N(t) = n)."""
    log_count = -s * np.log1p(t / d) - a * np.log1p(t / c)
    share = t / (c + t)
    some = share > 0
    log_share = np.log(share, out=np.zeros_like(share), where=some)
    counts = np.empty((n_max + 1, *t.shape))
    counts[0] = np.exp(log_count)
    for count in range(1, n_max + 1):
        log_count += log_share
        log_count += np.log((a + (count - 1)) / count)
        counts[count] = some * np.exp(log_count)
    return counts


def _outgrown(a: Array, c: Array, n_max: int) -> Array:
    """A time after which n_max orders or fewer are less likely than exp(-FALL); infinite where there is none.

    Sought among 2, 4, 8, ... times the period in which n_max + 1 orders are expected: from there on the negative
    binomial probability of n_max falls, and those below n_max are smaller still.
    """
    ways = log_rising(a, n_max) - gammaln(n_max + 1)
    w = c * (n_max + 1) / a * 2.0 ** np.arange(1, 31)[:, None]
    log_probability = ways - n_max * np.log1p(c / w) - a * np.log1p(w / c)
    enough = log_probability + np.log(n_max + 1) < -FALL
    found: Array = np.where(enough.any(axis=0), w[enough.argmax(axis=0), np.arange(a.size)], np.inf)
    return found
