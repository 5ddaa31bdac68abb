"""A proposal shaped by the mode of a density and the curvature there, checked against the density itself."""

from __future__ import annotations

import numpy as np

from evervalue.numerics.arrays import Array
from evervalue.numerics.estimation.proposals import LogDensity, SplitT

WIDEST = 3.0
"""Largest scale of a proposal in logs: a factor of 20 either way where the data say nothing. Of no unit."""
_DOF = 7.0
_MULTIPLES = np.array([0.5, 1.0, 1.5, 2.5, 4.0])
_SEARCH_STEPS, _SMALL_GAIN = 30, 0.02


def laplace(log_density: LogDensity, mode: Array, hessian: Array) -> SplitT:
    """A lopsided t law around the mode, with the curvature's axes and scales that the density itself was asked for.

    The scale of a side is the largest at which a normal law would have fallen as the density does somewhere between
    half and four times the scale that the curvature gives: an axis that is flat on one side only is seen. No scale
    exceeds `WIDEST`.

    Raises
    ------
    ValueError
        The density at the mode is not finite.
    """
    at, top = mode, float(log_density(mode[None, :])[0])
    if not np.isfinite(top):
        raise ValueError(
            f"the log density at the mode is {top}; a posterior needs a finite one to start from"
        )
    axes, scales = _axes(hessian)
    for _ in range(_SEARCH_STEPS):
        at, top, gained = _higher(log_density, at, top, axes, scales)
        if gained < _SMALL_GAIN and _fits(log_density, at, top, axes, scales):
            break
        axes, scales = _axes(_curvature(log_density, at, axes, scales))
    below, above = (_scales(log_density, at, top, axes, scales, side) for side in (-1.0, 1.0))
    return SplitT(at, axes, below, above, _DOF)


def _axes(hessian: Array) -> tuple[Array, Array]:
    """Orthonormal axes (k, k) and the scale (k,) of a normal law along each, none above `WIDEST`."""
    k = len(hessian)
    if not np.all(np.isfinite(hessian)):
        return np.eye(k), np.full(k, WIDEST)
    precision, axes = np.linalg.eigh(-(hessian + hessian.T) / 2)
    return axes, 1 / np.sqrt(np.maximum(precision, WIDEST**-2))


def _higher(
    log_density: LogDensity, at: Array, top: float, axes: Array, scales: Array
) -> tuple[Array, float, float]:
    """A point no lower than `at`, its value, and what was gained: a search along each axis and a step along all."""
    sides = np.concatenate([-_MULTIPLES[::-1], _MULTIPLES])
    tried = at + (sides[None, :, None] * (axes * scales).T[:, None, :]).reshape(-1, len(at))
    found = log_density(tried).reshape(len(at), -1)
    best = found.max(axis=1)
    steps = np.where(best > top, sides[found.argmax(axis=1)], 0.0)
    # The vertex of the parabola through the three middle points, where there is one within reach.
    low, high = found[:, len(_MULTIPLES) - 2], found[:, len(_MULTIPLES) + 1]
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        vertex = np.nan_to_num((high - low) / (2 * (2 * top - low - high)), nan=0.0, posinf=0.0, neginf=0.0)
    together = [at + axes @ (scales * s) for s in (np.clip(vertex, -2, 2), steps)]
    candidates = np.concatenate([tried, together])
    values = np.concatenate([found.ravel(), log_density(np.stack(together))])
    winner = int(values.argmax())
    if values[winner] <= top:
        return at, top, 0.0
    return candidates[winner], float(values[winner]), float(values[winner] - top)


def _fits(log_density: LogDensity, at: Array, top: float, axes: Array, scales: Array) -> bool:
    """Whether the density falls by about a half within one scale of the mode, on the mean of the two sides."""
    out = (axes * scales).T
    fall = top - (log_density(at + out) + log_density(at - out)) / 2
    return bool(np.all((fall < 2) & ((fall > 0.1) | (scales >= WIDEST))))


def _curvature(log_density: LogDensity, at: Array, axes: Array, scales: Array) -> Array:
    """The Hessian by second differences along the axes, at three tenths of their scales."""
    k = len(at)
    step = 0.3
    units = [np.zeros(k), *np.eye(k), *-np.eye(k)]
    pairs = [(i, j) for i in range(k) for j in range(i)]
    for i, j in pairs:
        both = np.eye(k)[i] + np.eye(k)[j]
        units += [both, -both]
    values = log_density(at + step * (np.stack(units) * scales) @ axes.T)
    top, ahead, behind = values[0], values[1 : k + 1], values[k + 1 : 2 * k + 1]
    with np.errstate(invalid="ignore"):
        second = np.diag(ahead + behind - 2 * top)
        for n, (i, j) in enumerate(pairs):
            both = values[2 * k + 1 + 2 * n : 2 * k + 3 + 2 * n].sum()
            mixed = (both - ahead[i] - ahead[j] - behind[i] - behind[j] + 2 * top) / 2
            second[i, j] = second[j, i] = mixed
    out = axes / scales
    whole: Array = out @ second @ out.T / step**2
    return whole


def _scales(log_density: LogDensity, at: Array, top: float, axes: Array, scales: Array, side: float) -> Array:
    """The scale along each axis on one side of the mode."""
    tried = at + side * (_MULTIPLES[None, :, None] * (axes * scales).T[:, None, :]).reshape(-1, len(at))
    fall = np.maximum(top - log_density(tried).reshape(len(at), -1), 0)
    with np.errstate(divide="ignore"):
        fitting = np.max(_MULTIPLES / np.sqrt(2 * fall), axis=1)
    fitted: Array = np.minimum(scales * np.maximum(fitting, 0.1), WIDEST)
    return fitted
