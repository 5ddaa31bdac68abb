"""The estimator that all purchase models in continuous time share: fit by maximum likelihood, then predict."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar, Self

import numpy as np

from evervalue.core.arguments import seed_of, whole
from evervalue.core.duration import UNIT_NAMES
from evervalue.core.errors import FitFailed, InputError, NotFitted
from evervalue.core.text import count
from evervalue.models import findings
from evervalue.models.base import Summary
from evervalue.models.covariates import PROCESSES, Covariates, seen_in
from evervalue.models.histories import Distinct, distinct, histories
from evervalue.models.likelihood import Likelihood, Prior, starts
from evervalue.models.posterior import ModelPosterior, natural, of_likelihood, storable
from evervalue.models.priors import penalty_of, priors_of
from evervalue.models.profiles import Profiles, profiles
from evervalue.models.purchase_predictions import PurchasePredictions
from evervalue.numerics.arrays import Array
from evervalue.numerics.estimation.optimise import Maximum, maximise, refine
from evervalue.numerics.purchases.kernel import Kernel

LOG_BOX = math.log(1e5)
"""Parameters are searched from 1e-5 to 1e5 in scaled time."""
COEFFICIENT_BOX = 20.0
SAMPLE = 500
"""Distinct histories on which all starts are tried; the best goes on over all of them."""
LARGER_SAMPLE = 4_000
"""Distinct histories whose maximum and curvature lead to the maximum over all, where there are many."""
NORMAL_95 = 1.959963984540054


class PurchaseModel(PurchasePredictions):
    """A model of when customers buy and when they leave.

    Parameters
    ----------
    transaction_covariates, dropout_covariates
        Columns of the history that shift the two processes, proportionally and constant in time. Their unit and origin
        change nothing but the coefficients and the parameters reported, which are those of a customer whose covariates
        are all 0.
    prior
        Parameter to (median, sd of the logarithm): a log-normal prior, the median in the unit of the history. It pulls
        the estimate as a penalty on the log scale does; without it the fit is maximum likelihood.
    penalty
        The same for every parameter at once: the weight of the sum of squared log parameters in scaled time, so that
        it does not depend on the unit. 0 is none.
    random_state
        Seed of the posterior draws.
    """

    name: ClassVar[str]
    """As people call it."""
    key: ClassVar[str]
    """As options call it."""

    params_: dict[str, float]
    """Estimates, in the unit of the history."""
    coefficients_: dict[str, dict[str, float]]
    """Process to covariate to coefficient."""
    covariance_: Array
    """Of the logarithms of the parameters, then of the coefficients: (k, k)."""
    standard_errors_: dict[str, float]
    """Of the parameters themselves, by the delta method; infinite where the data do not tell."""
    log_likelihood_: float
    """At the maximum, of the purchase times in the unit of the history, without prior."""
    converged_: bool
    n_iter_: int
    n_customers_: float
    n_histories_: int
    unit_: str | None
    _theta: Array
    _scale: float
    _likelihood: Likelihood | None
    _hessian: Array
    _drawn: tuple[int, int, Array, float | None, str, str] | None

    def __init__(
        self,
        *,
        transaction_covariates: Sequence[str] = (),
        dropout_covariates: Sequence[str] = (),
        prior: Mapping[str, tuple[float, float]] | None = None,
        penalty: float = 0.0,
        random_state: int = 0,
    ) -> None:
        self.transaction_covariates = transaction_covariates
        self.dropout_covariates = dropout_covariates
        self.prior = prior
        self.penalty = penalty
        self.random_state = random_state

    @property
    def kernel(self) -> Kernel:
        """The model's functions on arrays."""
        raise NotImplementedError

    # Fitting

    def fit(
        self, history: Any, y: object = None, *, unit: str | None = None, sample_weight: Any = None
    ) -> Self:
        """The model itself, fitted.

        Parameters
        ----------
        history
            A frame with frequency, recency and T, as `ev.purchase_history` makes it.
        y
            Not used; scikit-learn's pipelines pass it.
        unit
            "D" or "W", where the frame does not say. Needed to predict with horizons such as "39W".
        sample_weight
            (n,) How many customers each row stands for.

        Raises
        ------
        MissingColumns, InputError, SettingsError
            The history or an argument cannot be taken.
        FitFailed
            No maximum was found, or the data cannot have one; nothing is kept of the attempt.
        """
        h = histories(history, unit=unit, extra=self._covariate_names())
        weight = weights(sample_weight, len(h))
        data = distinct(h.frequency, h.recency, h.T, weight, h.extra)
        return self.fit_distinct(data, unit=h.unit)

    def fit_distinct(self, data: Distinct, *, unit: str | None) -> Self:
        """The model itself, fitted to histories that have been counted already."""
        keep = data.weight > 0
        data = Distinct(
            data.x[keep], data.t_x[keep], data.T[keep], data.weight[keep], data.inverse,
            {name: column[keep] for name, column in data.extra.items()},
        )  # fmt: skip
        findings.refuse_what_cannot_be_fitted(self.name, data)
        scale = float(data.T @ data.weight / data.weight.sum())
        seen = seen_in(data, self._covariates())
        data = replace(data, extra=seen.scaled(data.extra))
        likelihood = Likelihood(self.kernel, data, scale, seen, self._prior(scale, seen))
        best = self._maximum(likelihood)
        self._keep(likelihood, best, unit)
        return self

    def _maximum(self, likelihood: Likelihood) -> Maximum:
        k, names = likelihood.size, self.kernel.names
        upper = _box(names, k)
        points = starts(self.kernel, likelihood.data, likelihood.time_scale, k)
        best: Maximum | None = None
        search = partial(maximise, lower=-upper, upper=upper)
        n = len(likelihood.data.x)
        if n > 2 * SAMPLE:
            points = [search(likelihood.subset(SAMPLE).objective, points).log_params]
        if n > 3 * LARGER_SAMPLE:
            near = search(likelihood.subset(LARGER_SAMPLE).objective, points)
            points = [near.log_params]
            best = refine(likelihood.objective, near.log_params, near.hessian, lower=-upper, upper=upper)
        best = best or search(likelihood.objective, points)
        if not np.isfinite(best.value) or not best.converged:
            raise FitFailed(
                f"{self.name} did not converge on {count(int(likelihood.data.weight.sum()), 'customer')}: after "
                f"{count(best.n_iter, 'step')} from {count(len(points), 'start')} the log-likelihood was still "
                "rising. Try another model, a prior, or more data; nothing is predicted from a fit like this."
            )
        return best

    def _keep(self, likelihood: Likelihood, best: Maximum, unit: str | None) -> None:
        names, data, scale = self.kernel.names, likelihood.data, likelihood.time_scale
        self._theta = best.log_params
        self._scale = scale
        self._seen = likelihood.covariates
        self._likelihood = likelihood
        self._hessian = best.hessian
        self._drawn = None
        turn = self._seen.natural(self.kernel)
        values = self._natural(best.log_params[None, :])[0].tolist()
        self.params_ = dict(zip(names, values, strict=False))
        coefficients = iter(values[len(names) :])
        self.coefficients_ = {
            p: {name: next(coefficients) for name in self._seen.names.get(p, ())} for p in PROCESSES
        }
        self.covariance_ = findings.covariance(best.hessian, turn)
        self.standard_errors_ = {
            name: float(self.params_[name] * math.sqrt(self.covariance_[i, i]))
            for i, name in enumerate(names)
        }
        params = [
            value * scale if name in self.kernel.time_names else value
            for name, value in zip(names, likelihood.params(best.log_params), strict=True)
        ]
        ll = self.kernel.log_likelihood(params, data.x, data.t_x, data.T)
        self.log_likelihood_ = float(np.asarray(ll) @ data.weight)
        self.converged_ = best.converged
        self.n_iter_ = best.n_iter
        self.n_customers_ = float(data.weight.sum())
        self.n_histories_ = len(data.x)
        self.unit_ = unit
        self.n_features_in_ = 3
        self.findings_ = findings.of_purchase_fit(self.name, self.kernel, likelihood, best)

    # What the fit says

    @property
    def summary_(self) -> Summary:
        """Estimates, standard errors and 95 % intervals from the curvature on the log scale, and the findings."""
        self._check_fitted()
        rows = []
        for i, (name, value) in enumerate(self.params_.items()):
            spread = math.sqrt(self.covariance_[i, i])
            reach = math.exp(min(NORMAL_95 * spread, 700.0))
            rows.append(
                {"parameter": name, "estimate": value, "standard_error": self.standard_errors_[name],
                 "low": value / reach, "high": value * reach}
            )  # fmt: skip
        coefficients = (value for of in self.coefficients_.values() for value in of.values())
        for i, (label, value) in enumerate(zip(self._seen.labels(), coefficients, strict=True), len(rows)):
            spread = math.sqrt(self.covariance_[i, i])
            rows.append(
                {"parameter": label, "estimate": value, "standard_error": spread,
                 "low": value - NORMAL_95 * spread, "high": value + NORMAL_95 * spread}
            )  # fmt: skip
        facts = {
            "customers": f"{self.n_customers_:,.0f}, {self.n_histories_:,} distinct histories",
            "log-likelihood": f"{self.log_likelihood_:,.4f}",
            "unit": f"{UNIT_NAMES[self.unit_]}s" if self.unit_ else "as given",
        }
        return Summary(self.name, facts, rows, self.findings_)

    def score(self, history: Any, y: object = None, sample_weight: Any = None) -> float:
        """Mean log-likelihood a customer: the higher, the better the model tells these histories."""
        self._check_fitted()
        h = self._histories(history)
        ll = self.kernel.log_likelihood(self._params(h.extra), h.frequency, h.recency, h.T)
        return float(np.average(np.asarray(ll), weights=weights(sample_weight, len(h))))

    def profile(self, level: float = 0.95) -> Profiles:
        """Profile likelihood intervals: lopsided where the likelihood is, and without an end where nothing is excluded.

        Raises
        ------
        NotFitted
            There is no likelihood to profile: the model is not fitted, or came out of a file.
        """
        self._check_fitted()
        if self._likelihood is None:
            raise NotFitted("This model came out of a file, which holds no histories; fit it again.")
        box = _box(self.kernel.names, len(self._theta))
        return profiles(self._likelihood, self._theta, self._hessian, level=level, box=box)

    def posterior(self, draws: int = 1_000, *, random_state: int | None = None) -> ModelPosterior:
        """Draws of the parameters given the data: Laplace corrected by importance sampling, a sampler where that fails.

        The prior is that of the fit, where it has one, times a weak one that makes the posterior proper: on the log of
        every parameter, in time divided by the mean age, it is flat from 1/1,000 to 1,000 and falls beyond as a normal
        law of one e-fold (`numerics/estimation/weak_prior.py`). The fit knows no weak prior, only the box of its
        search, 1e-5 to 1e5: an estimate at the end of a ridge may lie where draws hardly go. Draws are kept, so that
        the same call costs nothing twice.

        Raises
        ------
        NotFitted
            There is nothing to draw from: a model out of a file has the draws that it was saved with, and no others.
        SettingsError
            `draws` or `random_state` is no such number.
        """
        self._check_fitted()
        draws = whole(draws, "draws", "must be a whole number from 1 up, such as 1000.", least=1)
        seed = seed_of(self.random_state if random_state is None else random_state)
        if self._likelihood is None:  # out of a file, which holds draws and no data
            return self._posterior_of(*self._kept(draws, random_state))
        if self._drawn is None or self._drawn[:2] != (draws, seed):
            found = of_likelihood(self._likelihood, self._theta, self._hessian, draws=draws, seed=seed)
            self._drawn = (draws, seed, storable(found[0]), *found[1:])
        return self._posterior_of(*self._drawn[2:])

    def _settle(self) -> None:
        if self._likelihood is not None:
            self.posterior()

    def _posterior_of(self, thetas: Array, k_hat: float | None, method: str, says: str) -> ModelPosterior:
        return ModelPosterior(
            (*self.kernel.names, *self._seen.labels()), self._natural(thetas), thetas, k_hat, method, says
        )

    def _natural(self, thetas: Array) -> Array:
        """Parameters in the unit of the history where covariates are 0, then coefficients, of thetas (D, k)."""
        logs = thetas @ self._seen.natural(self.kernel) if self._seen.mean else thetas
        return natural(self.kernel.names, self.kernel.time_names, self._scale, logs)

    # Inside

    def _prior(self, scale: float, seen: Covariates) -> Prior | None:
        names = self.kernel.names
        penalty = penalty_of(self.penalty)
        given = priors_of(self.prior, names, names)
        if not given and not penalty:
            return None
        of, turn = np.eye(len(names) + len(seen.labels())), seen.natural(self.kernel)
        size = len(of)
        mean = np.zeros(size)
        sd = np.full(size, math.sqrt(0.5 / penalty) if penalty else math.inf)
        for name, (median, spread) in given.items():
            i = names.index(name)
            mean[i] = math.log(median / scale if name in self.kernel.time_names else median)
            sd[i] = spread
            of[:, i] = turn[:, i]
        return Prior(mean, sd, of)


def _box(names: Sequence[str], size: int) -> Array:
    """How far theta is searched either way, (size,)."""
    found = np.full(size, COEFFICIENT_BOX)
    found[: len(names)] = LOG_BOX
    return found


def weights(sample_weight: Any, n: int) -> Array:
    """How many customers each of `n` rows stands for, checked."""
    if sample_weight is None:
        return np.ones(n)
    weight = np.asarray(sample_weight, dtype=np.float64)
    if weight.shape != (n,):
        raise InputError(f"sample_weight has shape {weight.shape}, and the history {count(n, 'row')}.")
    if not np.all(np.isfinite(weight)) or (weight < 0).any() or not weight.any():
        raise InputError("sample_weight must be finite, not negative, and not all zero.")
    return weight
