"""What Stirling's formula leaves over, for log-gamma and digamma: small, smooth, and safe to subtract.

log-gamma(a) = (a - 1/2) log a - a + log(2 pi) / 2 + rest(a) (Abramowitz and Stegun 1964, equations 6.1.41 and 6.3.18).
Differences of log-gammas lose every digit where the arguments are large; written with the rests, the large parts
cancel on paper instead (Loader 2000, "Fast and accurate computation of binomial probabilities").
"""

from __future__ import annotations

import numpy as np
from scipy.special import gammaln, psi

from evervalue.numerics.arrays import Array, Number

_FAR = 10.0  # from here on seven terms are exact to 1e-16
_HALF_LOG_TWO_PI = 0.5 * np.log(2 * np.pi)


def log_gamma_rest(a: Number) -> Array:
    """Rest of log-gamma(a) beyond Stirling's formula, for a > 0; about 1 / (12 a).

    >>> abs(float(log_gamma_rest(1e6)) * 12e6 - 1) < 1e-12
    True
    """
    a = np.asarray(a, dtype=float)
    far = np.maximum(a, _FAR)
    t = 1 / (far * far)
    series = (
        1 / 12
        - t
        * (1 / 360 - t * (1 / 1260 - t * (1 / 1680 - t * (1 / 1188 - t * (691 / 360360 - t * (1 / 156))))))
    ) / far
    near = np.minimum(a, _FAR)
    exact = gammaln(near) - (near - 0.5) * np.log(near) + near - _HALF_LOG_TWO_PI
    rest: Array = np.where(a >= _FAR, series, exact)
    return rest


def digamma_rest(a: Number) -> Array:
    """Rest of digamma: log a - 1 / (2 a) - digamma(a), for a > 0; about 1 / (12 a^2).

    >>> abs(float(digamma_rest(1e4)) * 12e8 - 1) < 1e-8
    True
    """
    a = np.asarray(a, dtype=float)
    far = np.maximum(a, _FAR)
    t = 1 / (far * far)
    series = t * (
        1 / 12
        - t * (1 / 120 - t * (1 / 252 - t * (1 / 240 - t * (1 / 132 - t * (691 / 32760 - t * (1 / 12))))))
    )
    near = np.minimum(a, _FAR)
    exact = np.log(near) - 0.5 / near - psi(near)
    rest: Array = np.where(a >= _FAR, series, exact)
    return rest
