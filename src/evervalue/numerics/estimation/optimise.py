"""The maximum of a smooth function of a few parameters, with its curvature, or a plain statement that there is none.

A trust-region Newton method (Moré and Sorensen 1983, "Computing a trust region step"): the caller gives value and exact
gradient, the Hessian comes from differences of the gradient. Parameters are logarithms, so a step of 1 is a
factor of e whatever the unit, and a box in log space keeps flat directions from running away unseen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from evervalue.numerics.arrays import Array

Objective = Callable[[Array], tuple[float, Array]]
"""Log parameters (k,) to (value, gradient (k,)) of the log-likelihood, penalty included."""

HESSIAN_STEP = 1e-4
"""Central differences of the gradient are then good to some 1e-8 of the curvature, and a flat direction looks flat."""
SEARCH_STEP = 1e-6
"""One-sided differences, half as dear, guide the search."""
WELL_TOLD = 1.0
"""Least curvature of a direction that the data tell well: its log parameter has a standard error of 1."""
SMALLEST_GAIN = 1e-9
"""Stop where the next step is foreseen to gain less log-likelihood than this."""
ROUGH_GAIN = 1e-3
"""What all starts are followed to; the best goes on."""
MOST_REFINED = 12
FIRST_RADIUS, LARGEST_RADIUS, SMALLEST_RADIUS = 1.0, 4.0, 1e-10


@dataclass(frozen=True)
class Maximum:
    """Where a search ended."""

    log_params: Array
    """(k,)"""
    value: float
    gradient: Array
    """(k,)"""
    hessian: Array
    """(k, k), of the value by the log parameters, over all of them whether or not one lies on its bound."""
    converged: bool
    """Whether no step within reach would gain anything."""
    n_iter: int
    at_bound: tuple[int, ...]
    """Parameters that ended on a bound of the box."""


def maximise(
    objective: Objective,
    starts: Sequence[Array],
    *,
    lower: Array,
    upper: Array,
    max_iter: int = 200,
) -> Maximum:
    """The best of the maxima found from several starts.

    Parameters
    ----------
    objective
        Value and gradient at log parameters.
    starts
        Points (k,) to begin at; the best of where they lead is searched to its end.
    lower, upper
        The box, (k,) each, in logarithms.
    max_iter
        Most steps from one start.

    Returns
    -------
    Maximum
        `converged` is false where no start came to rest.
    """
    found = [
        _climb(objective, np.clip(start, lower, upper), lower, upper, max_iter, ROUGH_GAIN)
        for start in starts
    ]
    best = max(found, key=lambda m: (np.isfinite(m.value), m.converged, m.value))
    if best.converged:
        # One-sided differences carry noise of a few hundredths, which on a ridge leads nowhere for ever.
        best = _climb(objective, best.log_params, lower, upper, max_iter, SMALLEST_GAIN, hessian)
    return replace(best, hessian=hessian(objective, best.log_params)) if np.isfinite(best.value) else best


def refine(
    objective: Objective, start: Array, curvature: Array, *, lower: Array, upper: Array
) -> Maximum | None:
    """The maximum near `start`, by Newton steps with a curvature that is known already; None where they falter.

    A curvature from a sample of the data is off by a few percent, so each step, at the price of one gradient, leaves
    a thousandth of what there was to gain. The curvature of all data is taken once, at the end, and must agree that
    nothing is left.

    Parameters
    ----------
    objective, lower, upper
        As for `maximise`.
    start
        (k,), close to the maximum.
    curvature
        (k, k), nearly the Hessian there.
    """
    if np.linalg.eigvalsh(-curvature)[0] < WELL_TOLD:
        return None
    at, (value, gradient) = start, objective(start)
    left = np.inf
    for steps in range(MOST_REFINED):
        step = np.linalg.solve(-curvature, gradient)
        foreseen = float(gradient @ step) / 2
        if foreseen < SMALLEST_GAIN:
            found = _rough_hessian(objective, at, gradient)
            rest = float(gradient @ np.linalg.solve(-found, gradient)) / 2
            if not 0 <= rest < 10 * SMALLEST_GAIN:
                return None
            return Maximum(at, value, gradient, found, True, steps, ())
        if not foreseen < left / 4 or np.any(at + step <= lower) or np.any(at + step >= upper):
            return None
        at, left = at + step, foreseen
        value, gradient = objective(at)
        if not np.isfinite(value):
            return None
    return None


def hessian(objective: Objective, at: Array) -> Array:
    """Second derivatives (k, k) by central differences of the gradient, made symmetric."""
    columns = np.empty((len(at), len(at)))
    for i in range(len(at)):
        step = np.zeros(len(at))
        step[i] = HESSIAN_STEP
        columns[i] = (objective(at + step)[1] - objective(at - step)[1]) / (2 * HESSIAN_STEP)
    return (columns + columns.T) / 2


def _rough_hessian(objective: Objective, at: Array, gradient: Array) -> Array:
    columns = np.empty((len(at), len(at)))
    for i in range(len(at)):
        ahead = at.copy()
        ahead[i] += SEARCH_STEP
        columns[i] = (objective(ahead)[1] - gradient) / SEARCH_STEP
    return (columns + columns.T) / 2


def _climb(
    objective: Objective,
    start: Array,
    lower: Array,
    upper: Array,
    max_iter: int,
    enough: float,
    exact: Callable[[Objective, Array], Array] | None = None,
) -> Maximum:
    def curved(at: Array, gradient: Array) -> Array:
        return exact(objective, at) if exact else _rough_hessian(objective, at, gradient)

    at, radius = start, FIRST_RADIUS
    value, gradient = objective(at)
    curvature = curved(at, gradient)
    converged, steps = False, 0
    while steps < max_iter and np.isfinite(value):
        step = _step_in_box(gradient, curvature, radius, lower - at, upper - at)
        foreseen = float(gradient @ step + step @ curvature @ step / 2)
        if foreseen < enough:
            converged = True
            break
        steps += 1
        new_value, new_gradient = objective(at + step)
        gained = (new_value - value) / foreseen if np.isfinite(new_value) else -np.inf
        if gained < 0.25:
            radius = float(np.linalg.norm(step)) / 4
        elif gained > 0.75:
            radius = min(max(radius, 2 * float(np.linalg.norm(step))), LARGEST_RADIUS)
        if gained > 1e-4:
            at, value, gradient = at + step, new_value, new_gradient
            curvature = curved(at, gradient)
        elif radius < SMALLEST_RADIUS or foreseen < 1e-12 * abs(value):
            # Rounding of the value itself hides any gain that is left.
            converged = foreseen < 1e-11 * abs(value) + 1e-6
            break
    edge = tuple(int(i) for i in np.flatnonzero((at <= lower) | (at >= upper)))
    return Maximum(at, float(value), gradient, curvature, converged, steps, edge)


def _step_in_box(gradient: Array, curvature: Array, radius: float, low: Array, high: Array) -> Array:
    """The step of at most `radius` between `low` and `high` that gains most, bounds taken one after the other.

    Cutting a step off at the box can turn it downhill. The parameter that would leave first is put on its bound
    instead, and the others are asked again with that known.
    """
    step = np.zeros_like(gradient)
    free = ~(((low >= 0) & (gradient < 0)) | ((high <= 0) & (gradient > 0)))
    while free.any():
        slope = gradient[free] + curvature[np.ix_(free, ~free)] @ step[~free]
        step[free] = _trust_region_step(slope, curvature[np.ix_(free, free)], radius)
        out = np.flatnonzero(free & ((step < low) | (step > high)))
        if not out.size:
            break
        bounds = np.clip(step[out], low[out], high[out])
        first = int(np.argmin(bounds / step[out]))
        step[out[first]], free[out[first]] = bounds[first], False
    return step


def _trust_region_step(gradient: Array, curvature: Array, radius: float) -> Array:
    """The step of at most `radius` that gains most in the quadratic model."""
    values, vectors = np.linalg.eigh(-curvature)
    along = vectors.T @ gradient
    least = float(values[0])
    if least > 0:
        newton = along / values
        if np.linalg.norm(newton) <= radius:
            return np.asarray(vectors @ newton)
    # Raise all curvatures by `shift` until the step fits; its length falls as the shift grows.
    low = max(0.0, -least)
    high = low + float(np.linalg.norm(gradient)) / radius + 1e-12
    for _ in range(80):
        shift = (low + high) / 2
        with np.errstate(divide="ignore", over="ignore"):
            length = np.linalg.norm(along / np.maximum(values + shift, 1e-300))
        low, high = (shift, high) if length > radius else (low, shift)
    return np.asarray(vectors @ (along / np.maximum(values + high, 1e-300)))
