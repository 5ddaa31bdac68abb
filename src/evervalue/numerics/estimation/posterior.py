"""Draws of the parameters given the data, without a Markov chain wherever that can be trusted.

A Laplace approximation is a proposal, not an answer: heavy-tailed draws around the mode are weighted by the exact
posterior, and the weights smoothed (`pareto_smoothing`). Their k-hat says whether the weights can be believed. Where
it says no, the proposal learns from its own weighted draws, and where that does not help either a sampler runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evervalue.numerics.arrays import Array
from evervalue.numerics.estimation.laplace import laplace
from evervalue.numerics.estimation.learnt_proposal import learnt_proposal, systematic, tempered
from evervalue.numerics.estimation.pareto_smoothing import Smoothed, pareto_smoothed, trusted_shape
from evervalue.numerics.estimation.proposals import Law, LogDensity
from evervalue.numerics.estimation.ridges import with_ridges
from evervalue.numerics.estimation.sampler import sample

SMALLEST_ESS = 100.0
_PARTS = (1, 6, 10)
_AT_ONCE = 0.5
_STANDS_STILL = 0.05
_NEARLY_EVEN = 0.25


@dataclass(frozen=True)
class Posterior:
    """Draws of log parameters, and how far they can be trusted."""

    log_draws: Array
    """(draws, k), all of equal weight, in random order: any part of them is a fair sample too."""
    k_hat: float
    """Shape of the tail of the importance weights: of those behind the draws, or of those that were given up."""
    moments_k_hat: float
    """The worst of the weights times the squared deviation of a parameter: for means and variances."""
    ess: float
    """How many independent draws the method's own draws are worth (at most `draws` of them are given)."""
    method: str
    """"laplace+psis" or "sampler"."""
    r_hat: float | None
    """The worst split R-hat where the sampler ran."""
    trusted: bool
    """Whether the method's own diagnostics are passed."""
    says: str
    """All of it in a sentence."""
    points: Array | None = None
    """(n, k), the weighted points behind the draws, where they were asked for."""
    weights: Array | None = None
    """(n,), their weights."""


def posterior(
    log_density: LogDensity,
    mode: Array,
    hessian: Array,
    *,
    draws: int = 1_000,
    rng: np.random.Generator,
    proposals: int | None = None,
    keep_weighted: bool = False,
    max_evaluations: int = 200_000,
) -> Posterior:
    """Equally weighted draws of log parameters from a density known up to a constant.

    1. The mode is checked along the axes of its curvature, and sought again where it is none. A flat axis gets the
       scale `laplace.WIDEST`, a lopsided one a scale a side. Ridges that leave the mode get parts of their own
       (`ridges.with_ridges`).
    2. `proposals` points of that t law or mixture of t laws are weighted and the weights smoothed. They will do where
       k-hat is at most 0.5, of the weights and of the weights times the squared deviation of each parameter, and where
       they are worth 100 independent draws.
    3. Else the proposal becomes a mixture fitted to the weighted points, up to three times, with twice the points each
       time, all of which are weighted against all proposals so far (Cornuet, Marin, Mira and Robert 2012, "Adaptive
       multiple importance sampling"). Now k-hat may be 0.7 (1 - 1/log10(n) for few points), of the moments too unless
       the weights are nearly even, and means and standard deviations must have stayed where they were.
    4. Else `sampler.sample` runs, from where the weighted points lie.

    Systematic resampling makes equally weighted draws of the weighted points. A second mode that is far from the
    first and unconnected with it is not found: start from the highest of several maxima.

    Parameters
    ----------
    log_density
        Log posterior density of log parameters: (n, k) to (n,), -inf outside its support. It must be proper: add
        `weak_prior.log_weak_prior` to a likelihood.
    mode
        (k,), where it is highest, more or less.
    hessian
        (k, k), its second derivatives there; it need be neither definite nor right.
    draws
        How many to give.
    rng
        Source of randomness; the same seed gives the same draws.
    proposals
        Points of the first proposal. Default: as many as draws, at least 1,000.
    keep_weighted
        Whether the weighted points are given too.
    max_evaluations
        Most densities that the sampler may compute.

    Raises
    ------
    ValueError
        The density at the mode is not finite, or is +inf somewhere.

    Examples
    --------
    >>> target = lambda x: -0.5 * (x**2).sum(axis=1)
    >>> found = posterior(target, np.zeros(2), -np.eye(2), rng=np.random.default_rng(0))
    >>> found.method, found.log_draws.shape, bool(np.all(np.abs(found.log_draws.mean(axis=0)) < 0.05))
    ('laplace+psis', (1000, 2), True)
    """
    density = _guarded(log_density)
    around = laplace(density, np.asarray(mode, dtype=float), np.asarray(hessian, dtype=float))
    laws: list[Law] = [with_ridges(density, around)]
    n = proposals or max(1_000, draws)
    points = laws[0].draw(n, rng)
    values = density(points)
    counts = [n]
    found = _Weighted.of(points, values, laws, counts)
    # The first points know only what the mode and its ridges show: they must be better than good enough.
    good = found.good and max(found.smoothed.k_hat, found.moments_k_hat) <= _AT_ONCE
    for parts in _PARTS:
        if good:
            break
        law = learnt_proposal(points, tempered(found.smoothed, 20.0 * points.shape[1]), parts, rng)
        # The better the proposal becomes, the more of its points are worth their price.
        more = law.draw(2 * counts[-1], rng)
        laws.append(law)
        counts.append(len(more))
        points, values = np.concatenate([points, more]), np.concatenate([values, density(more)])
        before, found = found, _Weighted.of(points, values, laws, counts)
        # A proposal that grows into its target can pass while it has yet to reach the rest: it must stand still too.
        good = found.good and (found.good_for_moments or found.nearly_even) and found.like(before)
    if not good:
        return _walked(density, found, draws, rng, max_evaluations)
    learnt = ("", ", learnt once", ", learnt twice", ", learnt three times")[len(laws) - 1]
    return Posterior(
        log_draws=rng.permutation(points[systematic(found.smoothed.weights, draws, rng)]),
        k_hat=found.smoothed.k_hat,
        moments_k_hat=found.moments_k_hat,
        ess=found.smoothed.ess,
        method="laplace+psis",
        r_hat=None,
        trusted=True,
        says=f"{draws:,} draws from {len(points):,} weighted points (Laplace proposal{learnt}; {found}).",
        points=points if keep_weighted else None,
        weights=found.smoothed.weights if keep_weighted else None,
    )


@dataclass(frozen=True)
class _Weighted:
    """Weighted points, and what is known about them."""

    points: Array
    smoothed: Smoothed
    moments_k_hat: float
    mean: Array
    sd: Array

    @staticmethod
    def of(points: Array, values: Array, laws: Sequence[Law], counts: Sequence[int]) -> _Weighted:
        """All points against the mixture of all laws, each with the share of points that came from it."""
        each = [law.log_density(points) + np.log(count) for law, count in zip(laws, counts, strict=True)]
        proposal = np.logaddexp.reduce(each, axis=0)
        smoothed = pareto_smoothed(values - proposal)
        mean = smoothed.weights @ points
        sd = np.sqrt(smoothed.weights @ (points - mean) ** 2)
        with np.errstate(divide="ignore"):
            squares = np.log((points - mean) ** 2)
        shapes = [pareto_smoothed(values - proposal + squares[:, i]).k_hat for i in range(len(mean))]
        return _Weighted(points, smoothed, max(shapes), mean, sd)

    @property
    def good(self) -> bool:
        """Whether the weights can be trusted for masses."""
        return self.smoothed.ess >= SMALLEST_ESS and self.smoothed.k_hat <= trusted_shape(len(self.points))

    @property
    def good_for_moments(self) -> bool:
        """Whether they can be trusted for means and variances too."""
        return self.moments_k_hat <= trusted_shape(len(self.points))

    @property
    def nearly_even(self) -> bool:
        """Whether the points are close to draws of the target: what is heavy then is its own tail, not the weights'."""
        return self.smoothed.ess >= _NEARLY_EVEN * len(self.points)

    def like(self, other: _Weighted) -> bool:
        """Whether means and standard deviations differ by less than a twentieth of a standard deviation."""
        near = _STANDS_STILL * self.sd
        return bool(np.all((np.abs(self.mean - other.mean) < near) & (np.abs(self.sd - other.sd) < near)))

    def __str__(self) -> str:
        bar = trusted_shape(len(self.points))
        return (
            f"k-hat {self.smoothed.k_hat:.2f}, of moments {self.moments_k_hat:.2f}, reliable below {bar:.2f}; "
            f"worth {self.smoothed.ess:,.0f} independent draws"
        )


def _guarded(log_density: LogDensity) -> LogDensity:
    """The density with NaN taken for -inf: overflow far out is no support."""

    def guarded(points: Array) -> Array:
        values = np.asarray(log_density(points), dtype=float)
        if values.shape != (len(points),):
            raise ValueError(f"log_density gave shape {values.shape} for {len(points)} points")
        values = np.where(np.isnan(values), -np.inf, values)
        if np.any(values == np.inf):
            raise ValueError(f"the log density is +inf at {points[np.argmax(values)]}")
        return values

    return guarded


def _walked(
    density: LogDensity, found: _Weighted, draws: int, rng: np.random.Generator, max_evaluations: int
) -> Posterior:
    """Draws of the sampler, which begins where the weighted points lie, further apart than they should."""
    k = found.points.shape[1]
    walkers = max(24, 6 * k)
    weights = tempered(found.smoothed, 3.0 * walkers)
    # Points of weight 0 are not drawn, so each start has a density; those drawn twice are moved apart a little.
    starts = found.points[systematic(weights, walkers, rng)]
    moved = starts + 1e-3 * rng.normal(size=starts.shape) * starts.std(axis=0)
    starts = np.where(np.isfinite(density(moved))[:, None], moved, starts)
    leaps = learnt_proposal(found.points, tempered(found.smoothed, 20.0 * k), _PARTS[-1], rng)
    walked = sample(density, starts, leaps=leaps, draws=draws, rng=rng, max_evaluations=max_evaluations)
    verdict = (
        "" if walked.settled else " It did NOT settle within its budget: take these draws as a rough guide."
    )
    return Posterior(
        log_draws=walked.draws,
        k_hat=found.smoothed.k_hat,
        moments_k_hat=found.moments_k_hat,
        ess=walked.ess,
        method="sampler",
        r_hat=walked.r_hat,
        trusted=walked.settled,
        says=f"{draws:,} draws of {walkers} walkers (R-hat {walked.r_hat:.3f}, worth {walked.ess:,.0f} independent "
        f"draws), since importance sampling was not reliable ({found}).{verdict}",
    )
