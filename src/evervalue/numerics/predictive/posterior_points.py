"""A few weighted points that stand for the draws of a posterior, as few as a stated accuracy allows.

A predictive law is an average over the posterior, and costs as many evaluations as it has points. Where many
customers have told the parameters, the posterior is so narrow that one point serves. Where it is close to Normal, 2k
points at one standard deviation times sqrt(k) along the axes of the covariance integrate every cubic exactly (the
third-degree spherical-radial rule; Arasaratnam and Haykin, 2009, "Cubature Kalman filters"). Else a few of the draws
themselves are weighted so that averages of probe functions are kept: as many draws as the probes have principal
components suffice, with weights above zero (Tchakaloff's theorem), and non-negative least squares finds them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from evervalue.numerics.arrays import Array
from evervalue.numerics.predictive.nonnegative import nonnegative_least_squares

TOLERANCE = 1e-3
"""Largest error of a cumulative probability at the probes."""
_COMPONENTS = (6, 12, 24, 48, 96, 192, 384)


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
    """A small set of points that reproduces what all draws say at the probes.

    Tried in turn: the mean, the third-degree rule, some draws with weights, all draws.

    Parameters
    ----------
    draws
        (D, k) equally weighted draws, in coordinates in which the posterior is close to Normal.
    probe
        From points (P, k) to probabilities (P, m) whose averages matter. Every third one is not used to choose
        weights, only to judge them.
    tolerance
        Largest difference allowed at any probe.

    Examples
    --------
    A smooth function of a narrow posterior is had at its mean, one of a wide posterior is not:

    >>> draws = np.random.default_rng(1).standard_normal((400, 2))
    >>> of = lambda points: 1 / (1 + np.exp(-points.sum(axis=1, keepdims=True) - np.linspace(-2, 2, 9)))
    >>> [len(few_points(draws * width + 1, of)) for width in (0.01, 0.3, 3.0)]
    [1, 4, 7]
    """
    whole = probe(draws)
    wanted = whole.mean(axis=0)
    mean = draws.mean(axis=0)[None, :]

    def judged(values: Array, weights: Array, found: Array) -> Points | None:
        error = float(np.abs(weights @ found - wanted).max(initial=0.0))
        return Points(values, weights, error) if error <= tolerance else None

    points = judged(mean, np.ones(1), probe(mean))
    if points is None and len(draws) > 2 * draws.shape[1]:
        values = _third_degree(mean[0], np.atleast_2d(np.cov(draws, rowvar=False)))
        found = probe(values)
        if np.all(np.isfinite(found)):
            points = judged(values, np.full(len(values), 1 / len(values)), found)
    leading = _leading(whole) if points is None else np.empty((0, 0))
    for components in _COMPONENTS:
        if points is None and components + 1 < len(draws):
            weights = _weights(leading[:, :components])
            kept = np.flatnonzero(weights)
            points = judged(draws[kept], weights[kept], whole[kept])
    return points or Points(draws, np.full(len(draws), 1 / len(draws)), 0.0)


def _third_degree(mean: Array, covariance: Array) -> Array:
    """Points mean +- sqrt(k) times each axis of the covariance."""
    size, axes = np.linalg.eigh(covariance)
    reach = np.sqrt(np.maximum(size, 0.0) * len(mean)) * axes
    return np.concatenate([mean + reach.T, mean - reach.T])


def _leading(whole: Array) -> Array:
    """The leading principal components of the probes, (D, up to as many as are ever looked at)."""
    chosen = np.delete(whole, np.s_[2::3], axis=1) if whole.shape[1] > 3 else whole
    centred = chosen - chosen.mean(axis=0)
    left, size, _ = np.linalg.svd(centred, full_matrices=False)
    return np.asarray(left[:, size > 1e-12 * size[0]][:, : max(_COMPONENTS)] * np.sqrt(len(whole)))


def _weights(leading: Array) -> Array:
    """Weights on few draws that keep the averages of some principal components of the probes."""
    target = np.zeros(leading.shape[1] + 1)
    target[-1] = 1.0
    weights = nonnegative_least_squares(np.vstack([leading.T, np.ones(len(leading))]), target)
    found: Array = weights / weights.sum()
    return found
