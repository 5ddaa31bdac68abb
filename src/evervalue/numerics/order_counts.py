"""Distribution of the number of orders within a period, of a customer who orders and drops out at unknown rates."""

from __future__ import annotations

import numpy as np
from scipy.special import gammaln

from evervalue.numerics.arrays import Array
from evervalue.numerics.gauss_legendre import gauss_legendre
from evervalue.numerics.rising import log_rising

FALL = 45.0
_CAP = 300.0


def order_counts(a: Array, c: Array, s: Array, d: Array, t: Array, n_max: int) -> Array:
    """P(N(t) = n), n = 0..n_max on the first axis, of an active customer: rate Gamma(a, c), dropout Gamma(s, d).

    The customer stays for the whole period with probability S = (1 + t/d)^-s and then makes a negative binomial
    number of orders; or leaves at w < t (density s/d (1 + w/d)^-(s+1)) and makes one of w alone. The integral over
    w is taken by Gauss-Legendre in log(1 + w/p), p the smaller of c and d.
    """
    node, weight = gauss_legendre(64 + 8 * int(np.sqrt(n_max)))
    a, c, s, d, t = np.broadcast_arrays(a, c, s, d, t)
    p = np.minimum(c, d)
    most = d * np.expm1(FALL / np.maximum(s, FALL / _CAP))
    end = np.log1p(np.minimum(t, most) / p)
    u = end[:, None] * node
    w = p[:, None] * np.expm1(u)
    log_hazard = np.log(s / d * p * end, out=np.full(t.shape, -np.inf), where=end > 0)
    log_weight = log_hazard[:, None] + np.log(weight) + u - (s[:, None] + 1) * np.log1p(w / d[:, None])
    # The last column is the customer who stays.
    until = np.concatenate([w, t[:, None]], axis=1)
    log_weight = np.concatenate([log_weight, (-s * np.log1p(t / d))[:, None]], axis=1)
    passed = until / (c[:, None] + until)
    log_none = -a[:, None] * np.log1p(until / c[:, None])
    log_share = np.log(passed, out=np.full(passed.shape, -np.inf), where=passed > 0)
    start = log_weight + log_none
    counts = np.empty((n_max + 1, len(t)))
    counts[0] = np.exp(start).sum(axis=1)
    for n in range(1, n_max + 1):
        rising = log_rising(a, n) - gammaln(n + 1)
        counts[n] = np.exp(start + n * log_share + rising[:, None]).sum(axis=1)
    return counts
