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
from evervalue.numerics.falling_integral import FALL, Rows, both_fallen, by_nodes, fallen, nodes_needed
from evervalue.numerics.gauss_legendre import gauss_legendre


class Silence(NamedTuple):
    """Likelihood of a silence, and means of functions of the time of dropout w under the density of w within D."""

    log_alive: Array
    """log A."""
    dropped: Array
    """D."""
    means: Array
    """Of log(1 + w/c), log(1 + w/d), c / (c + w), d / (d + w): one row each; no rows unless asked for."""


def silence(a: Array, c: Array, s: Array, d: Array, W: Array, *, means: bool = False) -> Silence:
    """A and D, of arrays of one length or of length 1; with the means that a gradient is made of.

    Relative error of A + D below 1e-13, also for a and s up to 1e5 and W/c or W/d up to 1e9.

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
        return _integrate(nodes, end[rows], e_p[rows], e_q[rows], ratio[rows], means)

    sums = by_nodes(nodes_needed(fall, end), integrate, np.empty((5 if means else 1, *W.shape)))
    dropped = s * np.minimum(c / d, 1) * end * sums[0]
    log_alive = -a * log_c - s * log_d
    if not means:
        return Silence(log_alive, dropped, sums[1:])
    sums[1:] /= sums[0]
    sums[1] *= end
    other_way = sums[[2, 1, 4, 3]]
    return Silence(log_alive, dropped, _chosen(lead, sums[1:], other_way))


def _integrate(n: int, end: Array, e_p: Array, e_q: Array, ratio: Array, means: bool) -> Array:
    """Mean of the integrand over (0, end), nodes along the first axis; with means, also integrals weighted by it."""
    node, weight = (column[:, None] for column in gauss_legendre(n))
    w = np.expm1(node * end)  # in units of p
    w_q = ratio * w
    log_q = np.log1p(w_q)
    density = node * (-e_p * end)
    density -= e_q * log_q
    np.exp(density, out=density)
    density *= weight
    sums = np.empty((5 if means else 1, end.size))
    density.sum(axis=0, out=sums[0])
    if not means:
        return sums
    np.multiply(density, log_q, out=log_q).sum(axis=0, out=sums[2])
    w += 1
    np.divide(density, w, out=w).sum(axis=0, out=sums[3])
    w_q += 1
    np.divide(density, w_q, out=w_q).sum(axis=0, out=sums[4])
    density *= node
    density.sum(axis=0, out=sums[1])
    return sums


def _chosen(where: NDArray[np.bool_], this: Array, other: Array) -> Array:
    """`np.where`, without the work where one side is chosen throughout."""
    if where.all():
        return this
    return np.where(where, this, other) if where.any() else other
