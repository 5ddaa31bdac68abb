"""Ratios of gamma functions, kept exact where the two nearly cancel."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import gammaln, psi

from evervalue.numerics.arrays import Array, Number

_LARGE = 30.0  # from here on, four terms of Stirling's series are exact to 1e-16


def log_rising(r: Number, x: Number) -> Array:
    """Log of the rising factorial r (r + 1) ... (r + x - 1) = Gamma(r + x) / Gamma(r), for r > 0 and x >= 0.

    The difference of two log-gammas loses all digits where r is large and x small; there the difference of
    Stirling's series (Abramowitz and Stegun 1964, equation 6.1.41) is taken term by term instead.

    >>> float(log_rising(3.0, 2.0)) == float(np.log(12.0))
    True
    >>> float(log_rising(1e5, 1.0) - np.log(1e5))
    0.0
    """
    return _tabled(_log_rising, r, x)


def digamma_rise(r: Number, x: Number) -> Array:
    """Derivative of `log_rising` with respect to r: psi(r + x) - psi(r).

    >>> float(digamma_rise(2.0, 2.0).round(12)) == round(1 / 2 + 1 / 3, 12)
    True
    """
    return _tabled(_digamma_rise, r, x)


def _tabled(function: Callable[[Array, Array], Array], r: Number, x: Number) -> Array:
    """The same, from a table over 0..max(x) where one r meets many counts x: few of them are distinct."""
    r, x = np.asarray(r, dtype=float), np.asarray(x, dtype=float)
    if r.size == 1 and x.size > 1:
        most = x.max()
        if most < x.size and np.array_equal(x, count := x.astype(np.intp)):
            return function(r.reshape(1), np.arange(most + 1))[count]
    return function(r, x)


def _log_rising(r: Array, x: Array) -> Array:
    end = r + x
    direct: Array = gammaln(end) - gammaln(r)
    if np.all(r < _LARGE):
        return direct
    large = np.maximum(r, _LARGE)
    far = np.maximum(end, _LARGE)
    stirling = (large - 0.5) * np.log1p(x / large) + x * (np.log(far) - 1) + (_series(far) - _series(large))
    return np.where(r >= _LARGE, stirling, direct)


def _digamma_rise(r: Array, x: Array) -> Array:
    rise: Array = psi(r + x) - psi(r)
    return rise


def _series(z: Array) -> Array:
    square = 1 / (z * z)
    series: Array = (1 / 12 - square * (1 / 360 - square * (1 / 1260 - square / 1680))) / z
    return series
