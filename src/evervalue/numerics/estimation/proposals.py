"""Laws to draw proposals from: heavy-tailed, lopsided around their centre if need be, and mixtures of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaincinv, gammaln, logsumexp, ndtri

from evervalue.numerics.arrays import Array
from evervalue.numerics.estimation.low_discrepancy import even_points

LogDensity = Callable[[Array], Array]
"""Points (n, k) to the logs of their densities (n,), up to one constant; -inf outside the support."""


@dataclass(frozen=True)
class SplitT:
    """A multivariate t law whose scale along each axis differs by side.

    Source: Geweke (1989), "Bayesian inference in econometric models using Monte Carlo integration", section 4. With
    equal sides it is the usual t. Each half-axis is stretched on its own, so that the density stays exact.
    """

    centre: Array
    """(k,)"""
    axes: Array
    """(k, k), orthonormal columns."""
    below: Array
    """(k,), the scale along each axis where the coordinate is negative."""
    above: Array
    """(k,), where it is positive."""
    dof: float
    """Degrees of freedom."""

    def draw(self, n: int, rng: np.random.Generator, *, even: bool = True) -> Array:
        """Draws (n, k), by inversion of evenly spread points or, for a Markov chain, of independent ones."""
        k = self.centre.size
        points = even_points(n, k + 1, rng) if even else rng.uniform(1e-12, 1 - 1e-12, (n, k + 1))
        normal = ndtri(points[:, :k])
        chi_square = 2 * gammaincinv(self.dof / 2, points[:, k:])
        standard = normal * np.sqrt(self.dof / chi_square)
        drawn: Array = self.centre + (standard * np.where(standard < 0, self.below, self.above)) @ self.axes.T
        return drawn

    def log_density(self, at: Array) -> Array:
        """Log of the density at points (n, k)."""
        k, dof = self.centre.size, self.dof
        along = (at - self.centre) @ self.axes
        square = np.sum((along / np.where(along < 0, self.below, self.above)) ** 2, axis=1)
        # Within an orthant the stretch is linear, so its volume is divided out orthant by orthant.
        volume = np.sum(np.log(np.where(along < 0, self.below, self.above)), axis=1)
        constant = gammaln((dof + k) / 2) - gammaln(dof / 2) - k / 2 * np.log(dof * np.pi)
        density: Array = constant - volume - (dof + k) / 2 * np.log1p(square / dof)
        return density


def t_law(centre: Array, spread: Array, dof: float) -> SplitT:
    """The t law with that centre (k,) and that covariance (k, k) of its normal part."""
    squares, axes = np.linalg.eigh(spread)
    scales = np.sqrt(np.maximum(squares, 1e-24))
    return SplitT(centre.copy(), axes, scales, scales, dof)


@dataclass(frozen=True)
class Mixture:
    """Several of them, each drawn with its share."""

    parts: Sequence[SplitT]
    shares: Array
    """(number of parts,), adding up to 1."""

    def draw(self, n: int, rng: np.random.Generator, *, even: bool = True) -> Array:
        """Draws (n, k): from each part as many as its share says, or as chance has it, and then in random order."""
        if even:
            counts = np.diff(np.rint(np.cumsum(self.shares) * n).astype(int), prepend=0)
        else:
            counts = rng.multinomial(n, self.shares)
        drawn = np.concatenate(
            [part.draw(int(count), rng, even=even) for part, count in zip(self.parts, counts, strict=True)]
        )
        return drawn if even else rng.permutation(drawn)

    def log_density(self, at: Array) -> Array:
        """Log of the density at points (n, k)."""
        each = np.stack([part.log_density(at) for part in self.parts])
        density: Array = logsumexp(each + np.log(self.shares)[:, None], axis=0)
        return density


Law = SplitT | Mixture
