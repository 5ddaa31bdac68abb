"""What all customers together go on to order and to spend: a total with its interval.

A total is not the sum of the customers' interval ends: luck evens out between customers, while a parameter that is
wrong is wrong for all of them at once. Given the parameters customers are independent, so the total of many is close to
Normal around the sum of their means; over the posterior these Normals are mixed. Few customers are simulated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from evervalue.numerics.arrays import Array


@dataclass(frozen=True)
class TotalLaw:
    """A total: its mean and the shortest interval."""

    mean: float
    low: float
    high: float


def of_normals(means: Array, variance: float, mass: float) -> TotalLaw:
    """The total whose mean differs between equally likely parameters and whose spread given them is Normal.

    Parameters
    ----------
    means
        (draws,) Sum of the customers' means under each draw.
    variance
        Sum of their variances given the parameters.
    mass
        What the interval holds.

    Examples
    --------
    >>> found = of_normals(np.full(10, 100.0), 25.0, 0.9)
    >>> round(found.low, 3), round(found.high, 3)
    (91.776, 108.224)
    """
    spread = max(float(np.sqrt(variance)), 1e-12 * (1 + float(np.abs(means).max())))
    # Quantiles of the mixture, by bisection on all levels at once.
    levels = np.linspace(0, 1 - mass, 201)
    asked = np.concatenate([levels, levels + mass])
    asked = np.clip(asked, 1e-9, 1 - 1e-9)
    low = np.full(len(asked), means.min() - 7 * spread)
    high = np.full(len(asked), means.max() + 7 * spread)
    for _ in range(60):
        middle = (low + high) / 2
        below = ndtr((middle[:, None] - means) / spread).mean(axis=1) < asked
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    ends = ((low + high) / 2).reshape(2, -1)
    best = int(np.argmin(ends[1] - ends[0]))
    return TotalLaw(float(means.mean()), float(ends[0, best]), float(ends[1, best]))


def of_draws(totals: Array, mean: float, mass: float) -> TotalLaw:
    """The total from simulated ones: the shortest run of sorted draws that holds the share.

    >>> of_draws(np.array([1.0, 2.0, 2.5, 3.0, 9.0]), 3.5, 0.6)
    TotalLaw(mean=3.5, low=2.0, high=3.0)
    """
    ordered = np.sort(totals)
    inside = max(1, int(np.ceil(mass * len(ordered) - 1e-9)))
    widths = ordered[inside - 1 :] - ordered[: len(ordered) - inside + 1]
    best = int(np.argmin(widths))
    return TotalLaw(mean, float(ordered[best]), float(ordered[best + inside - 1]))


def normal_means(centre: float, spread: float, size: int = 201) -> Array:
    """Equally likely values that stand for a Normal: its quantiles at the middles of `size` equal shares, rescaled.

    >>> found = normal_means(10.0, 2.0)
    >>> round(float(found.mean()), 6), round(float(found.std()), 6)
    (10.0, 2.0)
    """
    at = ndtri((np.arange(size) + 0.5) / size)
    return np.asarray(centre + spread * at / at.std())


def spread_of(of: Callable[[Array], float], centre: Array, covariance: Array) -> tuple[float, float]:
    """Mean and standard deviation of a function of a Normal point, by the third-degree rule of `posterior_points`."""
    size, axes = np.linalg.eigh(covariance)
    reach = np.sqrt(np.maximum(size, 0.0) * len(centre)) * axes
    values = np.array([of(point) for point in np.concatenate([centre + reach.T, centre - reach.T])])
    return float(values.mean()), float(values.std())
