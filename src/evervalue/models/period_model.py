"""What estimators that count in whole periods share: fit by maximum likelihood in log space, posterior, summary."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any, ClassVar, Self

import numpy as np
from scipy.special import expit, log_expit

from evervalue.core.arguments import seed_of, whole
from evervalue.core.errors import FitFailed
from evervalue.core.text import count
from evervalue.models.base import Estimator, Finding, Summary
from evervalue.models.covariates import NONE
from evervalue.models.findings import NO_DROPOUT_GAIN, WIDE, covariance, not_identified
from evervalue.models.histories import Distinct, distinct
from evervalue.models.likelihood import Likelihood, Prior
from evervalue.models.period_rows import Rows
from evervalue.models.posterior import BUDGET, ModelPosterior, natural, of_likelihood, storable
from evervalue.models.priors import penalty_of, priors_of
from evervalue.models.purchase import NORMAL_95
from evervalue.numerics.arrays import Array
from evervalue.numerics.estimation.optimise import Maximum, hessian, maximise
from evervalue.numerics.estimation.posterior import posterior
from evervalue.numerics.estimation.weak_prior import HALF_WIDTH, with_weak_prior
from evervalue.numerics.predictive.intervals import asked_mass, shortest_counts
from evervalue.numerics.purchases.kernel import Kernel

FEW = 30
"""Customers below which a fit is little more than a guess."""
ALIKE = 1e18
"""Sum of a beta distribution's parameters at which customers are all alike."""
SMALLEST, LARGEST = 1e-5, 1e12
"""Parameters are searched between these."""
DRAWS = 400
"""Posterior draws over which predicted laws are averaged."""
CELLS = 2_000_000
"""Numbers that one block of predicted laws may hold."""


class PeriodModel(Estimator):
    """A model in whole periods, whose histories are three columns of numbers.

    Parameters
    ----------
    prior
        Parameter to (median, sd of the logarithm): a log-normal prior. Without it the fit is maximum likelihood.
    penalty
        The weight of the sum of squared log parameters; 0 is none.
    random_state
        Seed of the posterior draws.
    """

    name: ClassVar[str]
    """As people call it."""
    key: ClassVar[str]
    """As options call it."""

    plausible: ClassVar[Mapping[str, float]] = {}
    """Parameter to the factor about 1 within which the posterior's prior is flat, where it is not 1,000."""

    params_: dict[str, float]
    """Estimates."""
    covariance_: Array
    """Of their logarithms, (k, k)."""
    standard_errors_: dict[str, float]
    """Of the parameters themselves, by the delta method; infinite where the data do not tell."""
    log_likelihood_: float
    """At the maximum, without prior."""
    converged_: bool
    n_iter_: int
    n_customers_: float
    n_histories_: int
    _theta: Array
    _hessian: Array
    _likelihood: Likelihood | None
    _drawn: tuple[int, int, Array, float | None, str, str] | None

    def __init__(
        self,
        *,
        prior: Mapping[str, tuple[float, float]] | None = None,
        penalty: float = 0.0,
        random_state: int = 0,
    ) -> None:
        self.prior = prior
        self.penalty = penalty
        self.random_state = random_state

    @property
    def numerics(self) -> ModuleType:
        """The model's functions on arrays."""
        raise NotImplementedError

    # Fitting

    def _fit(self, rows: Rows, columns: tuple[Array, Array, Array]) -> Self:
        data = distinct(*columns, rows.weight)
        keep = data.weight > 0
        data = Distinct(data.x[keep], data.t_x[keep], data.T[keep], data.weight[keep], data.inverse)
        self._refuse(data)
        module = self.numerics
        kernel = Kernel(
            module.NAMES, (), {},
            log_likelihood=module.log_likelihood, log_likelihood_gradient=module.log_likelihood_gradient,
        )  # fmt: skip
        likelihood = Likelihood(kernel, data, 1.0, NONE, self._prior())
        ones = np.ones(len(module.NAMES))
        lower, upper = math.log(SMALLEST) * ones, math.log(LARGEST) * ones
        best = maximise(likelihood.objective, self._starts(data), lower=lower, upper=upper)
        if not np.isfinite(best.value) or not best.converged:
            raise FitFailed(
                f"{self.name} did not converge on {count(int(data.weight.sum()), 'customer')}: after "
                f"{count(best.n_iter, 'step')} the log-likelihood was still rising. Try a prior, or more data; "
                "nothing is predicted from a fit like this."
            )
        self._keep(likelihood, best)
        return self

    def _keep(self, likelihood: Likelihood, best: Maximum) -> None:
        names, data = self.numerics.NAMES, likelihood.data
        self._theta, self._hessian, self._likelihood, self._drawn = (
            best.log_params,
            best.hessian,
            likelihood,
            None,
        )
        self.params_ = dict(zip(names, np.exp(best.log_params).tolist(), strict=True))
        self.covariance_ = covariance(best.hessian)
        self.standard_errors_ = {
            name: self.params_[name] * math.sqrt(self.covariance_[i, i]) for i, name in enumerate(names)
        }
        prior = 0.0 if likelihood.prior is None else float(likelihood.prior.value(best.log_params))
        self.log_likelihood_ = best.value - prior
        self.converged_, self.n_iter_ = best.converged, best.n_iter
        self.n_customers_, self.n_histories_ = float(data.weight.sum()), len(data.x)
        self.findings_ = [*self._few(), *self._findings(data)]

    def _refuse(self, data: Distinct) -> None:
        """Raises FitFailed where no maximum can exist."""
        raise NotImplementedError

    def _starts(self, data: Distinct) -> Sequence[Array]:
        """Log parameters to begin a search at."""
        raise NotImplementedError

    def _findings(self, data: Distinct) -> list[Finding]:
        """What a user of this fit should know."""
        raise NotImplementedError

    def _prior(self) -> Prior | None:
        names = self.numerics.NAMES
        penalty = penalty_of(self.penalty)
        given = priors_of(self.prior, names, names)
        if not given and not penalty:
            return None
        mean = np.zeros(len(names))
        sd = np.full(len(names), math.sqrt(0.5 / penalty) if penalty else math.inf)
        for name, (median, spread) in given.items():
            mean[names.index(name)], sd[names.index(name)] = math.log(median), spread
        return Prior(mean, sd)

    def _few(self) -> list[Finding]:
        if self.n_customers_ >= FEW:
            return []
        says = f"Only {self.n_customers_:,.0f} customers: the estimates are little more than a guess."
        return [Finding("few_customers", says)]

    def _gains(self, simpler: float) -> bool:
        """Whether the fit beats a simpler model's log-likelihood by more than chance gives a parameter on its bound."""
        return self.log_likelihood_ - simpler > NO_DROPOUT_GAIN

    def _alike(self, first: int) -> bool:
        """Whether one probability for all customers, in place of parameters `first` and `first` + 1, would do.

        The pair becomes 1e18 times that probability and its complement; the other parameters are fitted anew.
        """
        assert self._likelihood is not None
        likelihood = Likelihood(self._likelihood.kernel, self._likelihood.data, 1.0, NONE, None)
        pair, others = [first, first + 1], [i for i in range(len(self._theta)) if i not in (first, first + 1)]

        def objective(theta: Array) -> tuple[float, Array]:
            logs = np.empty(len(self._theta))
            logs[others] = theta[:-1]
            logs[pair] = math.log(ALIKE) + log_expit(np.array([theta[-1], -theta[-1]]))
            value, gradient = likelihood.objective(logs)
            p = expit(theta[-1])
            return value, np.append(gradient[others], gradient[first] * (1 - p) - gradient[first + 1] * p)

        start = np.append(self._theta[others], self._theta[first] - self._theta[first + 1])
        edge = np.full(len(start), math.log(LARGEST))
        return not self._gains(maximise(objective, [start], lower=-edge, upper=edge).value)

    def _not_identified(self) -> list[Finding]:
        spread = np.sqrt(np.diag(self.covariance_))
        wide = [name for name, s in zip(self.params_, spread, strict=True) if s > WIDE]
        return [not_identified(wide)] if wide else []

    # What the fit says

    @property
    def summary_(self) -> Summary:
        """Estimates, standard errors and 95 % intervals from the curvature on the log scale, and the findings."""
        self._check_fitted()
        rows = []
        for i, (name, value) in enumerate(self.params_.items()):
            reach = math.exp(min(NORMAL_95 * math.sqrt(self.covariance_[i, i]), 700.0))
            rows.append(
                {"parameter": name, "estimate": value, "standard_error": self.standard_errors_[name],
                 "low": value / reach, "high": value * reach}
            )  # fmt: skip
        facts = {
            "customers": f"{self.n_customers_:,.0f}, {self.n_histories_:,} distinct histories",
            "log-likelihood": f"{self.log_likelihood_:,.4f}",
        }
        return Summary(self.name, facts, rows, self.findings_)

    def posterior(self, draws: int = 1_000, *, random_state: int | None = None) -> ModelPosterior:
        """Draws of the parameters given the data: Laplace corrected by importance sampling, a sampler where that fails.

        The prior is that of the fit, and for every parameter one that is flat from 1/1,000 to 1,000 (for c of the
        beta-discrete-Weibull model from 1/10 to 10); for the larger one of a pair, times their ratio in the fit, so
        that rare events are no surprise. Draws are kept, so that the same call costs nothing twice.

        Raises
        ------
        NotFitted
            There is nothing to draw from: a model out of a file has the draws that it was saved with, and no others.
        """
        self._check_fitted()
        draws = whole(draws, "draws", "must be a whole number from 1 up, such as 1000.", least=1)
        seed = seed_of(self.random_state if random_state is None else random_state)
        if self._likelihood is None:
            thetas, k_hat, method, says = self._kept(draws, random_state)
        else:
            if self._drawn is None or self._drawn[:2] != (draws, seed):
                drawn, k_hat, method, says = self._draw(self._likelihood, draws, seed)
                self._drawn = (draws, seed, storable(drawn), k_hat, method, says)
            thetas, k_hat, method, says = self._drawn[2:]
        names = self.numerics.NAMES
        return ModelPosterior(names, natural(names, (), 1.0, thetas), thetas, k_hat, method, says)

    # Inside

    def _settle(self) -> None:
        if self._likelihood is not None:
            self.posterior(DRAWS)

    def _draw(self, likelihood: Likelihood, draws: int, seed: int) -> tuple[Array, float | None, str, str]:
        """Draws (D, k) of the log parameters, with k-hat, method and words."""
        if len(likelihood.data.x) * max(1_000, 2 * draws) > BUDGET:
            return of_likelihood(likelihood, self._theta, self._hessian, draws=draws, seed=seed)
        flat = np.log([self.plausible.get(name, math.exp(HALF_WIDTH)) for name in self.numerics.NAMES])
        ratio = np.zeros(len(self._theta))
        for first in range(0, len(ratio) - 1, 2):
            tilt = self._theta[first + 1] - self._theta[first]
            ratio[first], ratio[first + 1] = max(-tilt, 0.0), max(tilt, 0.0)

        log_density = with_weak_prior(
            likelihood.log_density, lambda thetas: (thetas - ratio) * HALF_WIDTH / flat
        )
        # The likelihood of customers who are all alike rises for ever; the prior ends the search before that.
        mode = ratio + np.clip(self._theta - ratio, -flat, flat)
        curved = self._hessian if np.array_equal(mode, self._theta) else hessian(likelihood.objective, mode)
        found = posterior(log_density, mode, curved, draws=draws, rng=np.random.default_rng(seed))
        return found.log_draws, found.k_hat, found.method, found.says

    @property
    def _params(self) -> tuple[float, ...]:
        self._check_fitted()
        return tuple(self.params_.values())

    def _predicted_law(self, law: Any, cells: int) -> Array:
        """A function of parameters, averaged over posterior draws: what is not known of them widens it.

        `law` is called with parameters of shape (D, 1) and gives (D, n, m); `cells` is n * m.
        """
        draws = self.posterior(DRAWS).draws
        size = max(1, CELLS // max(cells, 1))
        total: Any = 0.0
        for first in range(0, len(draws), size):
            block = draws[first : first + size]
            total = total + np.asarray(law([block[:, i, None] for i in range(block.shape[1])])).sum(axis=0)
        return np.asarray(total / len(draws))


def shortest(law: Array, interval: float) -> tuple[Array, Array]:
    """Low and high of the shortest intervals of whole numbers that hold the asked mass of laws (n, m)."""
    found = shortest_counts(law, asked_mass(interval))
    return found.low, found.high


def beta_mean_starts(mean: float, strengths: Sequence[float]) -> list[tuple[float, float]]:
    """Parameters of beta distributions with a mean and several sums."""
    mean = min(max(mean, 1e-3), 1 - 1e-3)
    return [(mean * s, (1 - mean) * s) for s in strengths]
