"""Draws from a density that no simple proposal fits: an ensemble of walkers that learn its shape from one another.

The slow way, for the few posteriors that importance sampling cannot reach: bent, long and thin, or of several parts.
Half of the walkers move at a time, by differences between walkers of the other half (differential evolution, ter
Braak 2006, as Nelson, Ford and Payne 2014 divide it) or on the line through one of them (the stretch of Goodman and
Weare 2010); every third move may be a leap to a draw from a given law. None is affected by the scales and
correlations of the parameters, so there is nothing to tune.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from evervalue.numerics.arrays import Array
from evervalue.numerics.estimation.proposals import Law, LogDensity

SETTLED_R_HAT = 1.01
"""Vehtari, Gelman, Simpson, Carpenter and Bürkner (2021) advise draws only below it."""
FIRST_STEPS = 400
_STRETCH = 2.0
_STRETCH_SHARE, _JUMP_SHARE, _LEAP_EVERY = 0.3, 0.1, 3


@dataclass(frozen=True)
class Sampled:
    """Draws of the walkers after they forgot where they began."""

    draws: Array
    """(draws, k), every one with equal weight, in no order."""
    r_hat: float
    """The worst split R-hat of the parameters, on ranks."""
    ess: float
    """The smallest effective number of draws of the parameters."""
    settled: bool
    """Whether r_hat and ess reached their marks before the budget ended."""
    accepted: float
    """Share of the moves that were made."""
    evaluations: int
    """Densities computed."""


def sample(
    log_density: LogDensity,
    starts: Array,
    *,
    leaps: Law | None = None,
    draws: int,
    rng: np.random.Generator,
    smallest_ess: float = 400.0,
    max_evaluations: int = 200_000,
) -> Sampled:
    """Draws from a density, by walkers that run on until they agree.

    The first half of all steps is thrown away; the run is lengthened by half until split R-hat is below 1.01 and the
    effective number of draws is reached, or the budget is spent.

    Parameters
    ----------
    log_density
        Called with half of the walkers at a time.
    starts
        (walkers, k): an even number, at least 4 a parameter, each with a density above 0, wider apart than the
        target rather than closer.
    leaps
        A law that every third move is drawn from, wherever the walker is: the better it resembles the target, the
        sooner walkers forget.
    draws
        How many to give back: every so many of the kept ones, or with repetition where fewer were kept.
    rng
        Source of randomness; nothing else is.
    smallest_ess
        Effective draws wanted of every parameter.
    max_evaluations
        Budget of densities.

    Raises
    ------
    ValueError
        The starts do not fit.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> found = sample(lambda x: -0.5 * (x**2).sum(axis=1), rng.normal(size=(24, 2)), draws=1000, rng=rng)
    >>> found.settled, bool(np.all(np.abs(found.draws.std(axis=0) - 1) < 0.15))
    (True, True)
    """
    walkers, k = starts.shape
    if walkers % 2 or walkers < 4 * k:
        raise ValueError(
            f"walkers must be an even number, at least 4 a parameter: {walkers} are no good for {k}"
        )
    at = np.array(starts, dtype=float)
    value = np.asarray(log_density(at), dtype=float)
    if not np.all(np.isfinite(value)):
        raise ValueError(
            f"{np.count_nonzero(~np.isfinite(value))} of {walkers} walkers start outside the support"
        )
    evaluations, moves = walkers, 0
    path = np.empty((0, walkers, k))
    steps = FIRST_STEPS
    while True:
        more = np.empty((steps, walkers, k))
        for step in range(steps):
            if leaps is not None and step % _LEAP_EVERY == 0:
                moves += _leap(log_density, at, value, leaps, rng)
            else:
                moves += _step(log_density, at, value, rng)
            more[step] = at
        evaluations += steps * walkers
        path = np.concatenate([path, more])
        kept = path[len(path) // 2 :]
        r_hat, ess = diagnostics(kept)
        settled = r_hat < SETTLED_R_HAT and ess >= smallest_ess
        steps = min(len(path) // 2, (max_evaluations - evaluations) // walkers)
        if settled or steps < len(path) // 8:
            break
    flat = kept.reshape(-1, k)
    # Every so many in the order of time, so that neighbours in a walker's path seldom both are taken.
    chosen = np.floor((np.arange(draws) + rng.random()) * len(flat) / draws).astype(int)
    return Sampled(
        draws=flat[rng.permutation(chosen)],
        r_hat=r_hat,
        ess=ess,
        settled=settled,
        accepted=moves / (len(path) * walkers),
        evaluations=evaluations,
    )


def diagnostics(paths: Array) -> tuple[float, float]:
    """The worst split R-hat and the smallest effective number of draws over parameters, of paths (steps, chains, k).

    Source: Vehtari, Gelman, Simpson, Carpenter and Bürkner (2021), "Rank-normalization, folding, and localization":
    R-hat of the ranks and of the ranks of distances from the median, whichever is larger; the effective number from
    autocorrelations summed as far as Geyer (1992) lets them be, the least of that of the ranks and those of the
    two 5 % tails. Walkers of one ensemble count as chains, since they are independent once they are at their target.
    """
    half = len(paths) // 2
    split = np.concatenate([paths[:half], paths[half : 2 * half]], axis=1)
    r_hats, sizes = [], []
    for parameter in range(split.shape[2]):
        chains = split[:, :, parameter]
        if np.ptp(chains) == 0:
            return np.inf, 1.0
        ranked = _normal_scores(chains)
        folded = _normal_scores(np.abs(chains - np.median(chains)))
        r_hats.append(max(_r_hat(ranked), _r_hat(folded)))
        tails = [(chains <= end).astype(float) for end in np.quantile(chains, [0.05, 0.95])]
        sizes.append(min(_effective_size(one) for one in (ranked, *tails)))
    return max(r_hats), min(sizes)


def _leap(log_density: LogDensity, at: Array, value: Array, leaps: Law, rng: np.random.Generator) -> int:
    """Moves every walker to a draw of `leaps` with the probability of Metropolis and Hastings, in place."""
    new = leaps.draw(len(at), rng, even=False)
    new_value = np.asarray(log_density(new), dtype=float)
    gain = new_value - value + leaps.log_density(at) - leaps.log_density(new)
    accept = -rng.standard_exponential(len(at)) < gain
    at[accept], value[accept] = new[accept], new_value[accept]
    return int(np.count_nonzero(accept))


def _step(log_density: LogDensity, at: Array, value: Array, rng: np.random.Generator) -> int:
    """Moves each half of the walkers once, in place; gives how many moved."""
    walkers, k = at.shape
    n = walkers // 2
    order = rng.permutation(walkers)
    moved = 0
    for mine, others in ((order[:n], order[n:]), (order[n:], order[:n])):
        partner = np.argsort(rng.random((n, n)), axis=1)[:, :2]
        one, two = at[others[partner[:, 0]]], at[others[partner[:, 1]]]
        stretched = rng.random(n) < _STRETCH_SHARE
        # Goodman and Weare's law of the stretch, g(z) ~ 1/sqrt(z) between 1/2 and 2.
        z = ((_STRETCH - 1) * rng.random(n) + 1) ** 2 / _STRETCH
        # A whole difference jumps from one part of a target to another; the rest is the usual 2.38 / sqrt(2 k).
        length = np.where(rng.random(n) < _JUMP_SHARE, 1.0, 2.38 / np.sqrt(2 * k))
        noise = 1e-4 * rng.normal(size=(n, k)) * np.abs(one - two).max(axis=1, keepdims=True)
        moves = length[:, None] * (one - two) * (1 + 0.1 * rng.normal(size=(n, 1))) + noise
        new = np.where(stretched[:, None], one + z[:, None] * (at[mine] - one), at[mine] + moves)
        new_value = np.asarray(log_density(new), dtype=float)
        gain = new_value - value[mine] + np.where(stretched, (k - 1) * np.log(z), 0.0)
        accept = -rng.standard_exponential(n) < gain
        at[mine[accept]] = new[accept]
        value[mine[accept]] = new_value[accept]
        moved += int(np.count_nonzero(accept))
    return moved


def _normal_scores(chains: Array) -> Array:
    """Normal quantiles of the ranks, ties averaged."""
    _, inverse, counts = np.unique(chains, return_inverse=True, return_counts=True)
    rank = np.cumsum(counts) - (counts - 1) / 2
    scores: Array = ndtri((rank[inverse.reshape(chains.shape)] - 0.375) / (chains.size + 0.25))
    return scores


def _r_hat(chains: Array) -> float:
    n = len(chains)
    within = float(chains.var(axis=0, ddof=1).mean())
    between = float(chains.mean(axis=0).var(ddof=1))
    return float(np.sqrt((n - 1) / n + between / within)) if within > 0 else np.inf


def _effective_size(chains: Array) -> float:
    n, m = chains.shape
    centred = chains - chains.mean(axis=0)
    length = 1 << (2 * n - 1).bit_length()
    spectrum = np.fft.rfft(centred, n=length, axis=0)
    covariance = np.fft.irfft(np.abs(spectrum) ** 2, n=length, axis=0)[:n] / n
    within = float((covariance[0] * n / (n - 1)).mean())
    total = within * (n - 1) / n + float(chains.mean(axis=0).var(ddof=1))
    if total == 0:
        return 1.0
    correlation = 1 - (within - (covariance * n / (n - 1)).mean(axis=1)) / total
    correlation[0] = 1.0
    pairs = correlation[: n // 2 * 2].reshape(-1, 2).sum(axis=1)
    ends = np.flatnonzero(pairs < 0)
    pairs = np.minimum.accumulate(pairs[: ends[0] if len(ends) else len(pairs)])
    time = max(-1 + 2 * float(pairs.sum()), 1 / np.log10(n * m))
    return float(n * m / time)
