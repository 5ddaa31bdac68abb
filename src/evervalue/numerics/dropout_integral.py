"""The integral over the unknown time of dropout that every likelihood of the Pareto/NBD contains.

A customer of rate Gamma(a, c) and dropout rate Gamma(s, d) makes no order in a silence of length W for one of two
reasons: still active, with weight A = (1 + W/c)^-a (1 + W/d)^-s, or dropped out at w in (0, W), with weight

    D = s/d * integral over w in (0, W) of (1 + w/c)^-a (1 + w/d)^-(s+1).

A + D is the likelihood of the silence. D is a Gauss 2F1, whose series cancel when a is large or c and d are far
apart; the integral has one sign, so quadrature cannot cancel. With u = log(1 + w/p), p the smaller of c and d, the
integrand has no singularity nearer to the real line than pi, whatever c and d are, also where they are equal. The
range is cut where the integrand has fallen below exp(-K) of its start, so that a sharp decay is resolved too.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from evervalue.numerics.arrays import Array
from evervalue.numerics.gauss_legendre import gauss_legendre

NODES = 64
FALL = 45.0  # K: exp(-45) = 3e-20
_CAP = 300.0  # expm1 of it squared is still finite


class Silence(NamedTuple):
    """Likelihood of a silence in its two parts; with a gradient, also means over the time of dropout w."""

    log_alive: Array
    """log A."""
    dropped: Array
    """D."""
    log_c: Array | None = None
    """Mean of log(1 + w/c) under the density of w within D."""
    log_d: Array | None = None
    """Mean of log(1 + w/d)."""
    per_c: Array | None = None
    """Mean of c / (c + w)."""
    per_d: Array | None = None
    """Mean of d / (d + w)."""


def silence(a: Array, c: Array, s: Array, d: Array, W: Array, *, gradient: bool = False) -> Silence:
    """A and D of one chunk of customers, all arrays of one shape (n,) or scalars."""
    node, weight = gauss_legendre(NODES)
    lead = c <= d
    p, q = np.where(lead, c, d), np.where(lead, d, c)
    e_p, e_q = np.where(lead, a - 1, s), np.where(lead, s + 1, a)
    ratio = p / q
    fall_p = np.expm1(FALL / np.maximum(e_p, FALL / _CAP))
    fall_q = np.expm1(FALL / np.maximum(e_q, FALL / _CAP)) / ratio
    # Each factor alone falls by K at its fall_; by concavity the product has fallen by K at their harmonic sum.
    end = np.log1p(np.minimum(W / p, 1 / (1 / fall_p + 1 / fall_q)))
    u = end[..., None] * node
    w = np.expm1(u)  # in units of p
    log_q = np.log1p(ratio[..., None] * w)
    density = weight * np.exp(-e_p[..., None] * u - e_q[..., None] * log_q)
    total = density.sum(axis=-1)
    log_alive = -a * np.log1p(W / c) - s * np.log1p(W / d)
    dropped = s * (p / d) * end * total
    if not gradient:
        return Silence(log_alive, dropped)
    density /= total[..., None]
    mean_p, mean_q = (density * u).sum(axis=-1), (density * log_q).sum(axis=-1)
    per_p = (density / (1 + w)).sum(axis=-1)
    per_q = (density / (1 + ratio[..., None] * w)).sum(axis=-1)
    return Silence(
        log_alive,
        dropped,
        np.where(lead, mean_p, mean_q),
        np.where(lead, mean_q, mean_p),
        np.where(lead, per_p, per_q),
        np.where(lead, per_q, per_p),
    )
