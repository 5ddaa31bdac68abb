"""The estimator that spend models share: what a purchase of each customer is worth, from all amounts so far."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar, Self

import numpy as np

from evervalue.core.arguments import seed_of, whole
from evervalue.core.errors import InputError
from evervalue.models import spend_findings
from evervalue.models.amounts import REPEAT, Amounts, amounts, ids_of
from evervalue.models.base import Estimator, Finding, Summary
from evervalue.models.findings import covariance
from evervalue.models.likelihood import Prior
from evervalue.models.posterior import ModelPosterior, of_likelihood, storable
from evervalue.models.priors import penalty_of, priors_of
from evervalue.models.purchase import NORMAL_95, weights
from evervalue.models.spend_likelihood import SpendLikelihood
from evervalue.models.spend_search import Search, best_fit
from evervalue.numerics.arrays import Array, Number
from evervalue.numerics.estimation.optimise import Maximum
from evervalue.numerics.spend.independence import Independence, independence
from evervalue.numerics.spend.spend_kernel import SpendKernel

NOT_VARYING = ("constant_spend", "same_spend")
"""Findings that say so."""


class SpendModel(Estimator):
    """A model of what a purchase is worth.

    Parameters
    ----------
    spend
        Which purchase days count: "repeat", those after the first (columns frequency and monetary_value), or "all"
        (columns frequency and monetary, which `ev.purchase_history(orders, columns="all")` adds).
    prior
        Parameter to (median, sd of the logarithm): a log-normal prior, the median in the history's money; for m0 of
        `NormalSpend` (mean, sd) of a normal one. Without it the fit is maximum likelihood.
    penalty
        Weight of the sum of squared log parameters in scaled money, which does not depend on the currency. 0 is none.
    random_state
        Seed of posterior draws.
    """

    name: ClassVar[str]
    """As people call it."""
    key: ClassVar[str]
    """As options call it."""

    params_: dict[str, float]
    """Estimates, in the history's money."""
    covariance_: Array
    """Of the logarithms of the parameters (k, k); m0 of `NormalSpend` is itself, in money."""
    standard_errors_: dict[str, float]
    """Of the parameters themselves, by the delta method; infinite where the data do not tell."""
    log_likelihood_: float
    """At the maximum, of the amounts in the history's money, without prior."""
    converged_: bool
    n_iter_: int
    n_customers_: float
    """Customers with a purchase that counts; the others have no part in the fit."""
    independence_: Independence | None
    """How spend goes with frequency."""
    expected_order_value_: float
    """Mean spend of a customer of whom no purchase is known, as `predict` gives it."""
    currency_: str | None
    _theta: Array
    _hessian: Array
    _centre: float
    _scale: float
    _likelihood: SpendLikelihood | None
    _fixed_spread: list[float]
    _follows: Array
    """How the parameters that are searched for follow those that are not: (searched, known)."""
    _drawn: tuple[int, int, Array, float | None, str, str] | None

    def __init__(
        self,
        *,
        spend: str = REPEAT,
        prior: Mapping[str, tuple[float, float]] | None = None,
        penalty: float = 0.0,
        random_state: int = 0,
    ) -> None:
        self.spend = spend
        self.prior = prior
        self.penalty = penalty
        self.random_state = random_state

    @property
    def kernel(self) -> SpendKernel:
        """The model's functions on arrays."""
        raise NotImplementedError

    # Fitting

    def fit(self, history: Any, y: object = None, *, sample_weight: Any = None) -> Self:
        """The model itself, fitted.

        Parameters
        ----------
        history
            A frame as `ev.purchase_history` makes it; which columns are read is said under `spend`.
        y
            Not used; scikit-learn's pipelines pass it.
        sample_weight
            (n,) How many customers each row stands for.

        Raises
        ------
        MissingColumns, InputError, SettingsError
            The history or an argument cannot be taken.
        FitFailed
            No maximum was found, or the data cannot have one; nothing is kept of the attempt.
        """
        h = ids_of(history)
        return self.fit_amounts(self._amounts(history, weights(sample_weight, len(h))), currency=h.currency)

    def fit_amounts(self, data: Amounts, *, currency: str | None = None) -> Self:
        """The model itself, fitted to amounts that have been read already."""
        spend_findings.refuse_too_little(self.name, data, self.spend)
        counted = self._usable(data).counted()
        centre, scale = self._units(counted)
        used = self._floored(counted, scale)
        scaled = Amounts(
            used.x,
            (used.m - centre) / scale,
            None if used.squares is None else used.squares / scale**2,
            used.weight,
        )
        fixed = self._fixed(scaled, data)
        prior = self._prior(centre, scale, len(fixed))
        known = tuple(value for value, _ in fixed)
        likelihood = SpendLikelihood(self.kernel, scaled, prior, known)
        best = best_fit(self.name, likelihood, self._search(scaled, known))
        self._centre, self._scale, self.currency_ = centre, scale, currency
        self._keep(likelihood, best, counted, [spread for _, spread in fixed])
        self.findings_ = self._findings(data, counted, best)
        if "m0" not in self.params_:  # a normal mean of all takes amounts of any sign
            self.findings_ += spend_findings.days_at_or_below_zero(data)
        return self

    def _keep(
        self, likelihood: SpendLikelihood, best: Maximum, counted: Amounts, fixed_spread: list[float]
    ) -> None:
        kernel = self.kernel
        self._theta = np.array([*likelihood.fixed, *best.log_params])
        self._hessian, self._likelihood, self._drawn = best.hessian, likelihood, None
        self._fixed_spread = fixed_spread
        self._follows, found = _two_steps(likelihood, best, fixed_spread)
        self.params_ = dict(zip(kernel.names, self._natural(self._theta).tolist(), strict=True))
        money = np.array([1.0 if name in kernel.log_names else self._scale for name in kernel.names])
        self.covariance_ = found * np.outer(money, money)
        spread = np.sqrt(np.diag(self.covariance_))
        self.standard_errors_ = {
            name: float(spread[i] * (self.params_[name] if name in kernel.log_names else 1.0))
            for i, name in enumerate(kernel.names)
        }
        numbers = (
            likelihood.data.x if likelihood.data.squares is not None else np.ones_like(likelihood.data.x)
        )
        in_scaled_money = float(best.value)
        if likelihood.prior is not None:
            in_scaled_money -= float(likelihood.prior.value(best.log_params))
        self.log_likelihood_ = in_scaled_money - math.log(self._scale) * float(
            numbers @ likelihood.data.weight
        )
        self.converged_, self.n_iter_ = best.converged, best.n_iter
        self.n_customers_ = float(counted.weight.sum())
        self.n_features_in_ = 2
        self._mean_seen = float(counted.m @ counted.weight / counted.weight.sum())
        self.expected_order_value_ = float(self._expected(np.zeros(1), np.zeros(1))[0])
        self.independence_ = independence(counted.x, counted.m, counted.weight, p=self.params_.get("p"))

    # What the fit says

    @property
    def summary_(self) -> Summary:
        """Estimates, standard errors and 95 % intervals from the curvature, and the findings."""
        self._check_fitted()
        rows = []
        for i, (name, value) in enumerate(self.params_.items()):
            reach = NORMAL_95 * math.sqrt(self.covariance_[i, i])
            if name in self.kernel.log_names:
                low, high = value / math.exp(min(reach, 700.0)), value * math.exp(min(reach, 700.0))
            else:
                low, high = value - reach, value + reach
            rows.append(
                {"parameter": name, "estimate": value, "standard_error": self.standard_errors_[name],
                 "low": low, "high": high}
            )  # fmt: skip
        facts = {
            "customers": f"{self.n_customers_:,.0f} with a purchase that counts",
            "log-likelihood": f"{self.log_likelihood_:,.4f}",
            "mean spend": f"{self.expected_order_value_:,.2f} {self.currency_ or ''} a purchase".replace(
                "  ", " "
            ),
        }
        return Summary(self.name, facts, rows, self.findings_)

    def posterior(self, draws: int = 1_000, *, random_state: int | None = None) -> ModelPosterior:
        """Draws of the parameters given the data: Laplace corrected by importance sampling, a sampler where that fails.

        The prior is that of the fit, where it has one, times a weak one that makes the posterior proper: on the log of
        every parameter, in scaled money, it is flat from 1/1,000 to 1,000 and falls beyond as a normal law of one
        e-fold (`numerics/estimation/weak_prior.py`). The fit knows no weak prior, only the box of its search. Draws are
        kept, so that the same call costs nothing twice.

        Raises
        ------
        NotFitted
            There is nothing to draw from: a model out of a file has the draws that it was saved with, and no others.
        """
        self._check_fitted()
        draws = whole(draws, "draws", "must be a whole number from 1 up, such as 1000.", least=1)
        seed = seed_of(self.random_state if random_state is None else random_state)
        if self._likelihood is None:  # out of a file, which holds draws and no data
            thetas, k_hat, method, says = self._kept(draws, random_state)
            return ModelPosterior(self.kernel.names, self._natural(thetas), thetas, k_hat, method, says)
        if self._drawn is None or self._drawn[:2] != (draws, seed):
            first = len(self._fixed_spread)
            thetas, k_hat, method, says = of_likelihood(
                self._likelihood, self._theta[first:], self._hessian, draws=draws, seed=seed
            )
            if first:
                noise = np.random.default_rng([seed, 1]).standard_normal((draws, first))
                moved = noise * self._fixed_spread
                thetas = np.hstack([self._theta[:first] + moved, thetas + moved @ self._follows.T])
            self._drawn = (draws, seed, storable(thetas), k_hat, method, says)
        _, _, thetas, k_hat, method, says = self._drawn
        return ModelPosterior(self.kernel.names, self._natural(thetas), thetas, k_hat, method, says)

    def _settle(self) -> None:
        if self._likelihood is not None and self._varies:
            self.posterior()

    @property
    def _varies(self) -> bool:
        """Whether amounts do; where not, parameters are on the edge of what is searched, and nothing hangs on where."""
        return all(finding.code not in NOT_VARYING for finding in self.findings_)

    def score(self, history: Any, y: object = None, sample_weight: Any = None) -> float:
        """Mean log-likelihood a customer with a purchase that counts: the higher, the better these amounts are told."""
        self._check_fitted()
        data = self._usable(self._amounts(history, None))
        weight = weights(sample_weight, len(data.x)) * (data.x > 0)
        if not weight.any():
            raise InputError(
                "No customer of this history has a purchase that counts: there is nothing to score."
            )
        ll = self.kernel.log_likelihood(self._params, data.x, data.m, *self._known(data))
        return float(np.average(np.asarray(ll), weights=weight))

    # What it predicts

    def predict(self, history: Any) -> Any:
        """Expected spend a purchase of each customer: a frame of the kind that came in, with ids.

        `expected_order_value` lies between the customer's own mean and that of all: the more purchases, the nearer to
        the own one. Customers without a purchase that counts are given the mean of all.
        """
        self._check_fitted()
        found = self.conditional_expected_order_value(history)
        return ids_of(history).frame({"expected_order_value": found}, money=["expected_order_value"])

    def conditional_expected_order_value(self, history: Any) -> Array:
        """Expected spend a purchase of each customer, (n,); always a number, also where the model has no mean."""
        self._check_fitted()
        data = self._amounts(history, None)
        return self._expected(data.x, data.m)

    def sum_quantile(self, history: Any, n: Number, probability: Number) -> Array:
        """What the next `n` purchases of each customer stay below with the given probability, (n,)."""
        self._check_fitted()
        data = self._amounts(history, None)
        return np.asarray(
            self.kernel.sum_quantile(self._params, n, data.x, data.m, probability, *self._known(data))
        )

    def sum_cdf(self, history: Any, n: Number, y: Number) -> Array:
        """P(the next `n` purchases of each customer together bring at most y), (n,)."""
        self._check_fitted()
        data = self._amounts(history, None)
        return np.asarray(self.kernel.sum_cdf(self._params, n, data.x, data.m, y, *self._known(data)))

    def sample_sum(self, history: Any, n: Number, *, random_state: int | None = None) -> Array:
        """One draw of what the next `n` purchases of each customer bring, (n,)."""
        self._check_fitted()
        data = self._amounts(history, None)
        rng = np.random.default_rng(self.random_state if random_state is None else random_state)
        return np.asarray(self.kernel.sample_sum(self._params, n, data.x, data.m, rng, *self._known(data)))

    def amounts(self, history: Any) -> Amounts:
        """What this model takes from a history: purchases that count, their mean, how they vary."""
        return self._amounts(history, None)

    # Inside

    @property
    def _params(self) -> tuple[float, ...]:
        return tuple(self.params_.values())

    def _amounts(self, history: Any, weight: Array | None) -> Amounts:
        return amounts(history, self.spend, weight)

    def _known(self, data: Amounts) -> tuple[Array, ...]:
        """What the kernel is told besides x and m."""
        return () if data.squares is None else (data.squares,)

    def _expected(self, x: Array, m: Array) -> Array:
        return np.asarray(self.kernel.conditional_expected_order_value(self._params, x, m), dtype=np.float64)

    def _natural(self, thetas: Array) -> Array:
        """Parameters (..., k) in the history's money from theta."""
        found = np.array(thetas, dtype=np.float64)
        for i, name in enumerate(self.kernel.names):
            free = name not in self.kernel.log_names
            value = thetas[..., i] if free else np.exp(thetas[..., i])
            found[..., i] = value * self._scale ** self.kernel.money_powers.get(name, 0) + (
                self._centre if free else 0.0
            )
        return found

    def _prior(self, centre: float, scale: float, first: int) -> Prior | None:
        """The prior in scaled money, of the parameters that are searched for."""
        names, logs = self.kernel.names, self.kernel.log_names
        penalty = penalty_of(self.penalty)
        given = priors_of(self.prior, names[first:], logs)
        if not given and not penalty:
            return None
        mean = np.zeros(len(names))
        loose = math.sqrt(0.5 / penalty) if penalty else math.inf
        sd = np.array([loose if name in logs else math.inf for name in names])
        for name, (middle, spread) in given.items():
            i = names.index(name)
            if name in logs:
                mean[i], sd[i] = math.log(middle / scale ** self.kernel.money_powers.get(name, 0)), spread
            else:
                mean[i], sd[i] = (middle - centre) / scale, spread / scale
        return Prior(mean[first:], sd[first:])

    def _usable(self, data: Amounts) -> Amounts:
        """The part of the amounts that the model is fitted to; raises where there is none."""
        raise NotImplementedError

    def _units(self, data: Amounts) -> tuple[float, float]:
        """Centre and scale of the money."""
        raise NotImplementedError

    def _floored(self, data: Amounts, scale: float) -> Amounts:
        return data

    def _fixed(self, scaled: Amounts, data: Amounts) -> list[tuple[float, float]]:
        """Entries of theta for the first parameters that are not searched for, with their standard errors."""
        return []

    def _search(self, data: Amounts, fixed: tuple[float, ...]) -> Search:
        """Where to look for a maximum over scaled amounts, the first parameters being known."""
        raise NotImplementedError

    def _findings(self, data: Amounts, counted: Amounts, best: Maximum) -> list[Finding]:
        raise NotImplementedError

    def _log_spread(self) -> dict[str, float]:
        """Standard errors of the logs of the parameters that have one."""
        spread = dict(zip(self.kernel.names, np.sqrt(np.diag(self.covariance_)).tolist(), strict=True))
        return {name: spread[name] for name in self.kernel.log_names}

    def _of_independence(self, counted: Amounts) -> Finding:
        bought = counted.x * counted.weight
        brought = float(bought @ counted.m)
        made = float(bought @ self._expected(counted.x, counted.m))
        effect = (made - brought) / abs(brought) if brought else 0.0
        return spend_findings.of_independence(self.name, self.independence_, effect)


def _two_steps(likelihood: SpendLikelihood, best: Maximum, spread: list[float]) -> tuple[Array, Array]:
    """How the searched parameters follow the known ones, and the covariance of all of them, in theta.

    The maximum moves with a known parameter by the inverse curvature times the cross derivative (the implicit function
    theorem); its error is added to that of the search, as in Murphy and Topel (1985), "Estimation and inference in
    two-step econometric models", without the covariance of the two steps.
    """
    own = covariance(best.hessian)
    known, step = len(spread), 1e-5
    follows = np.zeros((len(own), known))
    usable = np.isfinite(own).all()
    for i in range(known):
        gradients = []
        for sign in (1, -1):
            fixed = list(likelihood.fixed)
            fixed[i] += sign * step
            gradients.append(replace(likelihood, fixed=tuple(fixed)).objective(best.log_params)[1])
        if usable:
            follows[:, i] = own @ (gradients[0] - gradients[1]) / (2 * step)
    first = np.diag(np.square(spread))
    whole = np.block([[first, first @ follows.T], [follows @ first, own + follows @ first @ follows.T]])
    return follows, whole
