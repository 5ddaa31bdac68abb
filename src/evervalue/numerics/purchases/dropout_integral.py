"""The integral over the unknown time of dropout that every likelihood of the Pareto/NBD contains.

A customer whose order rate is Gamma(a, c) and whose dropout rate is Gamma(s, d) makes no order in a silence of length
W for one of two reasons: still active, with weight A = (1 + W/c)^-a (1 + W/d)^-s, or gone since w in (0, W), with

    D = s/d * integral over w in (0, W) of (1 + w/c)^-a (1 + w/d)^-(s+1).

A + D is the likelihood of the silence. D is a Gauss 2F1, whose series cancel when a is large or c and d are far
apart; the integrand has one sign, so quadrature cannot cancel. With u = log(1 + w/p), p the smaller of c and d and q
the larger,

    D = s/d * p * integral over u of exp(-e_p u - e_q log(1 + p/q expm1(u))),   e_p, e_q = a - 1, s + 1 or s, a,

and no singularity is nearer to the real line than pi, whatever c and d are, also where they are equal. Where the
integrand falls by more than exp(-FALL), the range is cut there. How many nodes a customer needs then follows from the
length of the range and from the fall over it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from evervalue.numerics.arrays import Array
from evervalue.numerics.functions.gauss_legendre import gauss_legendre
from evervalue.numerics.purchases.falling_integral import (
    FALL,
    Rows,
    both_fallen,
    by_nodes,
    fallen,
    nodes_needed,
)


class Silence(NamedTuple):
    """Likelihood of a silence, and means of functions of the time of dropout w under the density of w within D."""

    alive: Array
    """A."""
    dropped: Array
    """D."""
    log_c: Array
    """log(1 + W/c)."""
    log_d: Array
    """log(1 + W/d)."""
    means: Array
    """Of log(1 + w/c), log(1 + w/d) and w / (c + w): one row each; no rows unless asked for."""


def silence(a: Array, c: Array, s: Array, d: Array, W: Array, *, means: bool = False) -> Silence:
    """A and D, of arrays of one length or of length 1; with the means that a gradient is made of.

    Relative error of A + D below 1e-12, also for a and s up to 1e5 and W/c or W/d up to 1e9.

    >>> one = np.ones(1)
    >>> silence(one, one, one, one, one).dropped  # (1 - 2**-2) / 2
    array([0.375])
    """
    a, c, s, d, W = np.broadcast_arrays(a, c, s, d, W)
    log_c, log_d = np.log1p(W / c), np.log1p(W / d)
    lead = c <= d
    ratio = _chosen(lead, c / d, d / c)
    e_p, e_q = _chosen(lead, a - 1, s), _chosen(lead, s + 1, a)
    end, last = _chosen(lead, log_c, log_d), _chosen(lead, log_d, log_c)
    fall = e_p * end + e_q * last
    long = np.flatnonzero(fall > FALL)
    if long.size:
        cut = both_fallen(fallen(e_p[long]), fallen(e_q[long]) / ratio[long])
        end = end.copy()
        end[long] = np.minimum(end[long], np.log1p(cut))
        fall[long] = e_p[long] * end[long] + e_q[long] * np.log1p(ratio[long] * np.expm1(end[long]))

    def integrate(nodes: int, rows: Rows) -> Array:
        some = end[rows], e_p[rows], e_q[rows], ratio[rows]
        return _integrals(nodes, *some, lead[rows]) if means else _integral(nodes, *some)

    sums = by_nodes(nodes_needed(fall, end), integrate, 4 if means else 1)
    dropped = s * np.minimum(c / d, 1) * end * sums[0]
    alive = np.exp(-a * log_c - s * log_d)
    if means:
        sums[1:] /= sums[0]
        sums[1] *= end
        if not lead.all():
            sums[1:3] = _chosen(lead, sums[1:3], sums[2:0:-1])
    return Silence(alive, dropped, log_c, log_d, sums[1:])


def _integral(n: int, end: Array, e_p: Array, e_q: Array, ratio: Array) -> Array:
    """Mean of the integrand over (0, end), by n nodes along the first axis."""
    density, _, _, _ = _density(n, end, e_p, e_q, ratio)
    total: Array = density.sum(axis=0, keepdims=True)
    return total


def _integrals(n: int, end: Array, e_p: Array, e_q: Array, ratio: Array, lead: NDArray[np.bool_]) -> Array:
    """The same, and means weighted by the integrand of u / end, log(1 + w/q) and w / (c + w)."""
    density, w_p, w_q, log_q = _density(n, end, e_p, e_q, ratio)
    sums = np.empty((4, end.size))
    density.sum(axis=0, out=sums[0])
    np.multiply(density, log_q, out=log_q).sum(axis=0, out=sums[2])
    w_c = _chosen(lead, w_p, w_q)
    share = np.add(w_c, 1, out=log_q)
    np.divide(w_c, share, out=share)
    share *= density
    share.sum(axis=0, out=sums[3])
    density *= gauss_legendre(n)[0][:, None]
    density.sum(axis=0, out=sums[1])
    return sums


def _density(n: int, end: Array, e_p: Array, e_q: Array, ratio: Array) -> tuple[Array, Array, Array, Array]:
    """Integrand times weight at each node, w/p, w/q and log(1 + w/q)."""
    node, weight = (column[:, None] for column in gauss_legendre(n))
    w_p = node * end
    np.expm1(w_p, out=w_p)
    w_q = ratio * w_p
    log_q = np.log1p(w_q)
    density = node * (-e_p * end)
    density -= e_q * log_q
    np.exp(density, out=density)
    density *= weight
    return density, w_p, w_q, log_q


def _chosen(where: NDArray[np.bool_], this: Array, other: Array) -> Array:
    """`np.where`, without the work where one side is chosen throughout."""
    if where.all():
        return this
    return np.where(where, this, other) if where.any() else other
