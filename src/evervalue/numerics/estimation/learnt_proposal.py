"""Proposals that learn from weighted points: fitted to what an earlier proposal found."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evervalue.numerics.arrays import Array
from evervalue.numerics.estimation.pareto_smoothing import Smoothed
from evervalue.numerics.estimation.proposals import Mixture, t_law

_LEARNT_FROM, _STEPS = 2_000, 10
_DOF = 4.0


def learnt_proposal(points: Array, weights: Array, parts: int, rng: np.random.Generator) -> Mixture:
    """A mixture of t laws fitted to weighted points: a few steps of expectation and maximisation.

    Source: Cappé, Douc, Guillin, Marin and Robert (2008), "Adaptive importance sampling in general mixture classes".
    """
    k = points.shape[1]
    at = points[systematic(weights, _LEARNT_FROM, rng)]
    pooled = np.cov(at.T, ddof=0).reshape(k, k)
    # A trace of the pooled spread keeps a part with few points from collapsing onto them.
    floor = 1e-3 * pooled + (1e-12 * np.trace(pooled) + 1e-24) * np.eye(k)
    centres = rng.permutation(at)[:parts]
    spreads = np.repeat((pooled * parts ** (-2 / k) + floor)[None], parts, axis=0)
    shares = np.full(parts, 1 / parts)
    for _ in range(_STEPS if parts > 1 else 2):
        laws = [t_law(centre, spread, _DOF) for centre, spread in zip(centres, spreads, strict=True)]
        logs = np.stack([law.log_density(at) for law in laws]) + np.log(shares)[:, None]
        member = np.exp(logs - np.logaddexp.reduce(logs, axis=0)) / len(at)
        shares = np.maximum(member.sum(axis=1), 1e-6)
        shares /= shares.sum()
        for i, law in enumerate(laws):
            along = (at - law.centre) @ law.axes / law.above
            pull = member[i] * (_DOF + k) / (_DOF + np.sum(along**2, axis=1))
            if pull.sum() > 0:
                centres[i] = pull @ at / pull.sum()
                away = at - centres[i]
                spreads[i] = (away.T * pull) @ away / max(member[i].sum(), 1e-300) + floor
    # Wider than what was fitted, and a part that reaches far beyond: a proposal may be too wide, never too narrow.
    laws = [t_law(centre, 1.5 * spread, _DOF) for centre, spread in zip(centres, spreads, strict=True)]
    laws.append(t_law(at.mean(axis=0), 6 * (pooled + floor), _DOF))
    return Mixture(laws, np.append(0.8 * shares, 0.2))


def tempered(smoothed: Smoothed, wanted: float) -> Array:
    """Weights, flattened by a power just enough that they are worth `wanted` draws."""
    power = 1.0
    while True:
        weights: Array = np.exp(power * smoothed.log_weights)
        weights /= weights.sum()
        if 1 / np.sum(weights**2) >= wanted or power < 1e-3:
            return weights
        power *= 0.8


def systematic(weights: Array, draws: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Indices in which each weight appears its own number of times, rounded up or down (systematic resampling)."""
    upto = np.cumsum(weights)
    return np.searchsorted(upto / upto[-1], (np.arange(draws) + rng.random()) / draws, side="right")
