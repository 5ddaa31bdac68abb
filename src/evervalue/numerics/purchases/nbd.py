"""The NBD: gamma-mixed Poisson purchases of customers who never leave. What a dropout process has to improve on."""

from __future__ import annotations

import numpy as np
from scipy.special import gammaln, psi

from evervalue.numerics.arrays import Array, Params

NAMES = ("r", "alpha")
TIME_NAMES = ("alpha",)


def log_likelihood_gradient(params: Params, x: Array, t_x: Array, T: Array) -> tuple[Array, Array]:
    """Log-likelihood of each history and its gradient by (log r, log alpha).

    Source: Ehrenberg (1959); as the limit s -> 0 of Schmittlein, Morrison and Colombo (1987). The density is that of
    the purchase times, as in the models with dropout, so that log-likelihoods compare.

    Parameters
    ----------
    params
        (r, alpha), scalars; alpha in the unit of T.
    x, t_x, T
        Repeat orders, time of the last, age; (n,) each. `t_x` does not matter.

    Returns
    -------
    ll, gradient
        (n,) and (2, n).
    """
    r, alpha = (float(np.asarray(p)) for p in params)
    age = np.log1p(T / alpha)
    ll = gammaln(r + x) - gammaln(r) - (r + x) * age - x * np.log(alpha)
    by_r = r * (psi(r + x) - psi(r) - age)
    by_alpha = (r + x) * T / (alpha + T) - x
    return np.asarray(ll), np.stack([by_r, by_alpha])
