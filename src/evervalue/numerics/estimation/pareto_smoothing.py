"""Importance weights whose largest are smoothed by a fitted Pareto tail, and the tail's shape: how far to trust them.

Vehtari, Simpson, Gelman, Yao and Gabry (2024), "Pareto smoothed importance sampling": the few largest raw weights
decide an estimate and are themselves badly estimated. Their law above a high threshold is close to generalised Pareto
whatever the target, so they are replaced by the expected order statistics of the Pareto law fitted to them. Its shape
k is the diagnostic: moments of the weights up to 1/k exist, and above about 0.7 no affordable number of draws helps.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evervalue.numerics.arrays import Array

TRUSTED_SHAPE = 0.7
SMALLEST_TAIL = 5
"""With fewer weights in the tail nothing is fitted."""
_PRIOR_SHAPE, _PRIOR_WEIGHT = 0.5, 10.0


@dataclass(frozen=True)
class ParetoTail:
    """A generalised Pareto law on the positive numbers: P(X > x) = (1 + shape x / scale)^(-1 / shape)."""

    shape: float
    """k: above 0 a heavy tail, at 0 an exponential one, below 0 a bounded one."""
    scale: float

    def quantile(self, p: Array) -> Array:
        """The values below which the shares p lie, 0 <= p < 1.

        >>> ParetoTail(shape=0.5, scale=1.0).quantile(np.array([0.0, 0.75])).round(6)
        array([0., 2.])
        """
        survival = np.log1p(-p)
        if self.shape == 0:
            return -self.scale * survival
        return self.scale / self.shape * np.expm1(-self.shape * survival)


@dataclass(frozen=True)
class Smoothed:
    """Normalised weights with what is known about their reliability."""

    log_weights: Array
    """Logarithms of weights that add up to 1, in the order they came in; -inf where a weight is 0."""
    k_hat: float
    """Shape of the tail of the raw weights; inf where too few of them differ from 0 to say."""
    ess: float
    """Effective number of draws, 1 / sum of squared weights."""

    @property
    def weights(self) -> Array:
        """The weights themselves."""
        return np.exp(self.log_weights)


def fit_pareto_tail(excesses: Array, *, towards_half: bool = True) -> ParetoTail:
    """The generalised Pareto law that fits positive numbers: its mean under a data-driven prior.

    Source: Zhang and Stephens (2009), "A new and efficient estimation method for the generalized Pareto
    distribution", section 3 (there shape has the other sign). A weighted mean over a grid of some sqrt(n) points;
    it always exists, for any shape. Vehtari et al. (2024), appendix G, draw the shape of small samples towards 0.5
    with the weight of ten observations.

    Parameters
    ----------
    excesses
        At least two positive numbers, in any order.
    towards_half
        Whether to apply that draw.

    Examples
    --------
    >>> exponential = -np.log1p(-(np.arange(1000) + 0.5) / 1000)
    >>> tail = fit_pareto_tail(exponential, towards_half=False)
    >>> abs(tail.shape) < 0.01, abs(tail.scale - 1) < 0.01
    (True, True)
    """
    x = np.sort(np.asarray(excesses, dtype=float))
    n = x.size
    if n < 2 or not x[0] >= 0 or not np.isfinite(x[-1]) or x[-1] == 0:
        raise ValueError(
            f"a Pareto tail needs two or more finite numbers at or above 0 that are not all 0, got {n}"
        )
    # The papers' grid divides by the lower quartile; many tied zeros would put it at 0.
    quartile = max(x[int(n / 4 + 0.5) - 1], 1e-12 * x[-1])
    points = 30 + int(np.sqrt(n))
    steps = 1 - np.sqrt(points / (np.arange(1, points + 1) - 0.5))
    # theta = -shape / scale
    theta = 1 / x[-1] + steps / (3 * quartile)
    shapes = np.log1p(-theta[:, None] * x).mean(axis=1)
    theta, shapes = theta[shapes != 0], shapes[shapes != 0]
    profile = n * (np.log(-theta / shapes) - shapes - 1)
    weight = np.exp(profile - profile.max())
    best = float(weight @ theta / weight.sum())
    shape = float(np.log1p(-best * x).mean())
    scale = -shape / best if best else float(x.mean())
    if towards_half:
        shape = (n * shape + _PRIOR_WEIGHT * _PRIOR_SHAPE) / (n + _PRIOR_WEIGHT)
    return ParetoTail(shape, scale)


def tail_length(n: int) -> int:
    """How many of n weights are the tail: 3 sqrt(n), and at most a fifth (Vehtari et al. 2024, appendix H).

    >>> tail_length(1000), tail_length(100)
    (95, 20)
    """
    return int(np.ceil(min(n / 5, 3 * np.sqrt(n))))


def trusted_shape(n: int) -> float:
    """Largest k-hat at which n draws are enough for a reliable mean: min(1 - 1 / log10(n), 0.7).

    Source: Vehtari et al. (2024), equation 13: n must grow as 10^(1 / (1 - k)).

    >>> round(trusted_shape(100), 3), trusted_shape(10_000)
    (0.5, 0.7)
    """
    return min(1 - 1 / float(np.log10(max(n, 11))), TRUSTED_SHAPE)


def pareto_smoothed(log_ratios: Array) -> Smoothed:
    """Smoothed, normalised weights of draws with the log-ratios log target - log proposal.

    Parameters
    ----------
    log_ratios
        (n,), up to a common constant; -inf for draws outside the target's support.

    Raises
    ------
    ValueError
        A ratio is NaN or +inf, or all are -inf.

    Examples
    --------
    Equal ratios are equal weights, and no tail at all:

    >>> smoothed = pareto_smoothed(np.zeros(100))
    >>> smoothed.k_hat, round(smoothed.ess)
    (-inf, 100)
    """
    raw = np.asarray(log_ratios, dtype=float)
    top = raw.max() if raw.size else -np.inf
    if not np.isfinite(top):
        raise ValueError(f"log-ratios must be finite or -inf, and not all -inf; the largest is {top}")
    logs = raw - top
    tail = tail_length(logs.size)
    order = np.argsort(logs, kind="stable")
    k_hat = np.inf
    if tail >= SMALLEST_TAIL:
        indices = order[-tail:]
        # Of weights that span more than a double holds only the largest can be fitted.
        threshold = max(logs[order[-tail - 1]], np.log(np.finfo(float).tiny))
        excesses = np.exp(logs[indices]) - np.exp(threshold)
        if excesses[-1] <= 1e-12:
            k_hat = -np.inf
        elif np.count_nonzero(excesses > 0) >= SMALLEST_TAIL:
            fitted = fit_pareto_tail(np.maximum(excesses, 0))
            k_hat = fitted.shape
            at = (np.arange(tail) + 0.5) / tail
            logs = logs.copy()
            logs[indices] = np.minimum(np.log(np.exp(threshold) + fitted.quantile(at)), 0.0)
    logs = logs - np.log(np.exp(logs).sum())
    ess = 1 / float(np.sum(np.exp(2 * logs)))
    return Smoothed(logs, float(k_hat), ess)
