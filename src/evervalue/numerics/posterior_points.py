"""A few weighted points that stand for the draws of a posterior, as few as a stated accuracy allows.

A predictive law is an average over the posterior, and costs as many evaluations as it has points. Where many
customers have told the parameters, the posterior is so narrow that one point serves; where few have, there are few
laws to average and all draws can be afforded. In between, 2k points at one standard deviation times sqrt(k) along
the axes of the covariance integrate every cubic exactly (the third-degree spherical-radial rule; Arasaratnam and
Haykin, 2009, "Cubature Kalman filters").
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from evervalue.numerics.arrays import Array

TOLERANCE = 5e-4
"""Largest error of a cumulative probability at the probes."""
_PREFIXES = (32, 128, 512)


@dataclass(frozen=True)
class Points:
    """Points that stand for a posterior."""

    values: Array
    """(points, k), in the coordinates of the draws: logs of parameters, coefficients."""
    weights: Array
    """(points,), summing to 1."""
    error: float
    """Largest difference found at the probes between these points and all draws."""

    def __len__(self) -> int:
        return len(self.weights)


def one_point(value: Array) -> Points:
    """An estimate alone, without uncertainty."""
    return Points(np.asarray(value, dtype=float)[None, :], np.ones(1), 0.0)


def few_points(draws: Array, probe: Callable[[Array], Array], tolerance: float = TOLERANCE) -> Points:
    """The smallest set of points that reproduces what all draws say at the probes.

    Tried in turn: the mean, the third-degree rule, the first 32, 128 and 512 draws, all draws.

    Parameters
    ----------
    draws
        (D, k) equally weighted draws, in coordinates in which the posterior is close to Normal.
    probe
        From one point (k,) to probabilities (m,) whose averages matter.
    tolerance
        Largest difference allowed at any probe.

    Examples
    --------
    A smooth function of a narrow posterior is had at its mean, one of a wide posterior is not:

    >>> draws = np.random.default_rng(1).standard_normal((400, 2))
    >>> of = lambda point: 1 / (1 + np.exp(-point.sum(keepdims=True)))
    >>> [len(few_points(draws * width + 1, of)) for width in (0.01, 0.3, 3.0)]
    [1, 4, 400]
    """
    whole = np.stack([probe(draw) for draw in draws])
    wanted = whole.mean(axis=0)
    mean = draws.mean(axis=0)

    def within(values: Array, found: Array) -> Points | None:
        error = float(np.abs(found - wanted).max(initial=0.0))
        weights = np.full(len(values), 1 / len(values))
        return Points(values, weights, error) if error <= tolerance else None

    points = within(mean[None, :], probe(mean))
    if points is None and len(draws) > 2 * draws.shape[1]:
        values = _third_degree(mean, np.atleast_2d(np.cov(draws, rowvar=False)))
        points = within(values, np.mean([probe(value) for value in values], axis=0))
    for size in _PREFIXES:
        if points is None and size < len(draws):
            points = within(draws[:size], whole[:size].mean(axis=0))
    return points or Points(draws, np.full(len(draws), 1 / len(draws)), 0.0)


def _third_degree(mean: Array, covariance: Array) -> Array:
    """Points mean +- sqrt(k) times each axis of the covariance."""
    size, axes = np.linalg.eigh(covariance)
    reach = np.sqrt(np.maximum(size, 0.0) * len(mean)) * axes
    return np.concatenate([mean + reach.T, mean - reach.T])
