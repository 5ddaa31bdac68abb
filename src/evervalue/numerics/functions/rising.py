"""Rising factorials: ratios of gamma functions, kept exact where the two nearly cancel."""

from __future__ import annotations

import numpy as np
from scipy.special import gammaln, psi

from evervalue.numerics.arrays import Array, Number
from evervalue.numerics.functions.counts import by_count
from evervalue.numerics.functions.stirling import log_gamma_rest

_LARGE = 10.0


def log_rising(r: Number, x: Number) -> Array:
    """Log of the rising factorial r (r + 1) ... (r + x - 1) = Gamma(r + x) / Gamma(r), for r > 0 and x >= 0.

    The difference of two log-gammas loses its digits where r is large and x small; there Stirling's formula is
    subtracted term by term instead.

    >>> float(log_rising(3.0, 2.0)) == float(np.log(12.0))
    True
    >>> float(log_rising(1e5, 1.0) - np.log(1e5))
    0.0
    """
    r, x = np.asarray(r, dtype=float), np.asarray(x, dtype=float)
    return by_count(lambda count: _log_rising(r, count), x, (r,))


def digamma_rise(r: Number, x: Number) -> Array:
    """Derivative of `log_rising` with respect to r: psi(r + x) - psi(r).

    >>> float(digamma_rise(2.0, 2.0).round(12)) == round(1 / 2 + 1 / 3, 12)
    True
    """
    r, x = np.asarray(r, dtype=float), np.asarray(x, dtype=float)
    return by_count(lambda count: np.subtract(psi(r + count), psi(r)), x, (r,))


def log_rising_with_slope(r: Number, x: Number) -> tuple[Array, Array]:
    """`log_rising` and `digamma_rise` at once."""
    r, x = np.asarray(r, dtype=float), np.asarray(x, dtype=float)
    both = by_count(
        lambda count: np.stack([_log_rising(r, count), np.subtract(psi(r + count), psi(r))]), x, (r,)
    )
    return both[0], both[1]


def _log_rising(r: Array, x: Array) -> Array:
    end = r + x
    direct: Array = gammaln(end) - gammaln(r)
    if np.all(r < _LARGE):
        return direct
    rests = log_gamma_rest(end) - log_gamma_rest(r)
    return np.where(r < _LARGE, direct, (r - 0.5) * np.log1p(x / r) + x * (np.log(end) - 1) + rests)
