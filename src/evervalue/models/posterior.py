"""The posterior of a fitted purchase model: draws of its parameters, and how far they can be trusted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from evervalue.core import show
from evervalue.core.arguments import number
from evervalue.core.text import listing
from evervalue.models.findings import covariance
from evervalue.models.likelihood import Likelihood
from evervalue.numerics.arrays import Array
from evervalue.numerics.estimation.posterior import posterior
from evervalue.numerics.estimation.weak_prior import HALF_WIDTH, with_weak_prior

if TYPE_CHECKING:
    from evervalue.models.spend_likelihood import SpendLikelihood

LogDensity = Callable[[Array], Array]
BUDGET = 30_000_000
"""Histories times draws up to which every draw is weighted by the exact posterior; beyond, data make it normal."""
STRONG = float(np.log(10))
"""A coefficient whose standard deviation of the covariate means a factor of ten is not preferred to any below it."""
RIDGE = 2.0
"""Times the standard error from which on a coefficient is wider than its curvature says: a ridge."""
NORMAL_ENOUGH = 0.1
"""Largest relative difference of the log densities there; at 0.18 a mean was off by a fifth of its sd."""
LARGEST_LOG = 300.0
CHECKED_AT = 2.0
"""Standard deviations from the mode at which a normal posterior is held against the exact one."""


@dataclass(frozen=True)
class ModelPosterior:
    """Equally weighted draws of the parameters given the data."""

    names: tuple[str, ...]
    """Parameters, then covariate coefficients."""
    draws: Array
    """(D, k): parameters in the unit of the history, coefficients as they are."""
    thetas: Array
    """(D, k): the same as the search saw them, logs of parameters in scaled time and of average covariates."""
    k_hat: float | None
    """Pareto k of the importance weights; below 0.7 they can be trusted. None where no weights were needed."""
    method: str
    """"laplace+psis", "sampler" or "laplace"."""
    says: str
    """How the draws came about, in a sentence."""

    @property
    def median(self) -> dict[str, float]:
        """Posterior medians, which hold where a parameter has no upper limit and its mean says little."""
        return dict(zip(self.names, np.median(self.draws, axis=0).tolist(), strict=True))

    @property
    def mean(self) -> dict[str, float]:
        """Posterior means."""
        return dict(zip(self.names, self.draws.mean(axis=0).tolist(), strict=True))

    @property
    def sd(self) -> dict[str, float]:
        """Posterior standard deviations; NaN of a single draw."""
        spread = self.draws.std(axis=0, ddof=1) if len(self.draws) > 1 else np.full(len(self.names), np.nan)
        return dict(zip(self.names, spread.tolist(), strict=True))

    def interval(self, mass: float = 0.95) -> dict[str, tuple[float, float]]:
        """Equal-tailed intervals of the parameters."""
        number(mass, "mass", "must be between 0 and 1, such as 0.95.", lambda share: 0 < share < 1)
        ends = np.quantile(self.draws, [(1 - mass) / 2, (1 + mass) / 2], axis=0)
        return {name: (float(ends[0, i]), float(ends[1, i])) for i, name in enumerate(self.names)}

    def __repr__(self) -> str:
        ends = self.interval()
        columns = ["parameter", "median", "mean", "sd", "2.5 %", "97.5 %"]
        told = self.median, self.mean, self.sd
        rows = [[n, *(f"{v:.6g}" for v in (*(of[n] for of in told), *ends[n]))] for n in self.names]
        return show.text(
            f"Posterior, {len(self.draws):,} draws",
            [("how", self.says)],
            show.Sample(columns, rows, len(rows)),
        )


def of_likelihood(
    likelihood: Likelihood | SpendLikelihood,
    mode: Array,
    hessian: Array,
    *,
    draws: int,
    seed: int,
) -> tuple[Array, float | None, str, str]:
    """Draws (D, k) of theta with k-hat, method and words.

    The prior is that of the fit, and `weak_prior.log_weak_prior`, which is flat wherever data speak: on the logs of
    parameters and, up to `STRONG` or half as much again as the estimate, on coefficients a standard deviation.
    """
    rng = np.random.default_rng(seed)
    first = len(likelihood.kernel.names) if isinstance(likelihood, Likelihood) else len(mode)
    narrowed = np.ones(len(mode))
    narrowed[first:] = HALF_WIDTH / np.maximum(STRONG, 1.5 * np.abs(mode[first:]))
    log_density = with_weak_prior(likelihood.log_density, lambda thetas: thetas * narrowed)
    if len(likelihood.data.x) * max(1_000, 2 * draws) > BUDGET:
        normal = _normal(likelihood, log_density, mode, hessian, draws, rng)
        if normal is not None:
            return normal
    found = posterior(log_density, mode, hessian, draws=draws, rng=rng)
    says = found.says
    if isinstance(likelihood, Likelihood):
        labels, curved = likelihood.covariates.labels(), np.sqrt(np.diag(covariance(hessian)))[first:]
        open_ended = found.log_draws[:, first:].std(axis=0) > RIDGE * curved
        if open_ended.any():
            names = listing(label for label, wide in zip(labels, open_ended, strict=True) if wide)
            says += f" The data hardly limit {names}: the prior does, and predictions are averaged over all of it."
    return found.log_draws, found.k_hat, found.method, says


def natural(likelihood_names: Sequence[str], time_names: Sequence[str], scale: float, thetas: Array) -> Array:
    """Logs (D, k) of parameters, then coefficients, with the parameters in the unit of the history."""
    draws = thetas.copy()
    for i, name in enumerate(likelihood_names):
        # Of a customer whose covariates are all 0, who may be nobody: any power of ten, and no number at all.
        draws[:, i] = np.exp(np.clip(thetas[:, i], -LARGEST_LOG, LARGEST_LOG)) * (
            scale if name in time_names else 1.0
        )
    return draws


def storable(thetas: Array) -> Array:
    """Draws rounded to single precision, a ten-millionth of what they differ by: files hold them in half the room."""
    return np.asarray(thetas, dtype=np.float32).astype(np.float64)


def _normal(
    likelihood: Likelihood | SpendLikelihood,
    log_density: LogDensity,
    mode: Array,
    hessian: Array,
    draws: int,
    rng: np.random.Generator,
) -> tuple[Array, float | None, str, str] | None:
    """The Laplace approximation where so many customers tell the parameters that the posterior is normal; else None."""
    values, axes = np.linalg.eigh(-hessian)
    if values[0] <= 1.0:  # a standard deviation of more than a factor of e: not told by the data
        return None
    reach = axes / np.sqrt(values)
    points = np.concatenate([mode[None, :], mode + CHECKED_AT * reach.T, mode - CHECKED_AT * reach.T])
    density = log_density(points)
    off = float(np.abs((density[0] - density[1:]) / (CHECKED_AT**2 / 2) - 1).max())
    if not off < NORMAL_ENOUGH:
        return None
    thetas = mode + rng.standard_normal((draws, len(mode))) @ reach.T
    says = (
        f"{draws:,} draws of the normal approximation: with {len(likelihood.data.x):,} distinct histories the "
        f"log density at {CHECKED_AT:g} standard deviations is within {100 * off:.1f} % of the normal one."
    )
    return thetas, None, "laplace", says
