"""The prior that keeps a posterior proper where the data say nothing, and is not there where they speak."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from evervalue.numerics.arrays import Array
from evervalue.numerics.estimation.proposals import LogDensity

HALF_WIDTH = float(np.log(1_000))
"""A parameter within a factor of 1,000 of 1, in scaled time, is not preferred to any other."""
FLANK = 1.0
"""Beyond that the prior falls as a normal law of this standard deviation, in logs."""
EDGE = 20.0
"""So many flanks further out it ends: e^-200 is no mass, and likelihoods overflow further out than that."""


def log_weak_prior(log_params: Array) -> Array:
    """Log of the prior density of log parameters (D, k), up to a constant: (D,).

    Flat from 1/1,000 to 1,000 for every parameter on its own, and falling as a normal law of one e-fold beyond. A
    shape of 1,000 is customers who are all alike (their rates differ by 3 %), a shape of 1/1,000 customers of whom
    nearly all have a rate of 0: what lies further out is no other description of any data. Parameters that are
    measured in time must be divided by the scale of the data first (the mean age, say): the prior then is the same
    for days and weeks, and for shops of any age.

    A flat prior alone would be improper: where the likelihood does not fall along some direction (customers who are
    all alike, a dropout that never happens) its posterior has no total mass. Where the data identify all parameters
    this prior is constant over the posterior, so that the posterior's mode is the maximum of the likelihood.

    Examples
    --------
    >>> -log_weak_prior(np.log([[0.001, 1000.0], [0.24, 0.1], [2718.28, 1.0]])).round(3)
    array([0. , 0. , 0.5])
    """
    outside = np.maximum(np.abs(log_params) - HALF_WIDTH, 0) / FLANK
    density: Array = -0.5 * np.sum(outside**2, axis=-1)
    return np.where(np.all(outside <= EDGE, axis=-1), density, -np.inf)


def with_weak_prior(log_likelihood: LogDensity, judged: Callable[[Array], Array] = np.asarray) -> LogDensity:
    """The log posterior density: likelihood times prior, the likelihood being asked only where the prior has mass.

    Parameters
    ----------
    log_likelihood
        Of points (n, k); a prior of its own may be part of it.
    judged
        What the weak prior judges of points (n, k), where that is not the points themselves: their distance from some
        plausible value, or coefficients times the spread of their covariates.
    """

    def log_density(thetas: Array) -> Array:
        density = log_weak_prior(judged(thetas))
        inside = np.isfinite(density)
        if inside.any():
            density[inside] += log_likelihood(thetas[inside])
        return density

    return log_density
