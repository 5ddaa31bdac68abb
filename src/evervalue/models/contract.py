"""Models of contracts that are renewed period by period: how long customers stay, and what those still there will.

A contract's customers are seen to leave; what is not known is how the others will renew. `ShiftedBetaGeo` says that
each has a chance to leave of their own, the same at every renewal; `BetaDiscreteWeibull` lets it change with tenure.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import ModuleType
from typing import Any, ClassVar, Self

import numpy as np

from evervalue.core.errors import FitFailed, SettingsError
from evervalue.core.text import count
from evervalue.models.base import Finding
from evervalue.models.contract_rows import contract_rows, contracts_of
from evervalue.models.discrete import discount
from evervalue.models.histories import Distinct
from evervalue.models.period_model import PeriodModel, beta_mean_starts, shortest
from evervalue.models.period_rows import whole
from evervalue.numerics.arrays import Array
from evervalue.numerics.estimation.optimise import maximise
from evervalue.numerics.periods import beta_discrete_weibull, shifted_beta_geometric
from evervalue.numerics.periods.simulated_contracts import SimulatedContracts

POLAR = 0.02
"""Sum of a beta distribution's parameters below which nearly all customers leave at once or never."""


class ContractModel(PeriodModel):
    """What the models of contracts share; see `ShiftedBetaGeo` and `BetaDiscreteWeibull`."""

    def fit(
        self, contracts: Any, y: object = None, *, started: int | None = None, sample_weight: Any = None
    ) -> Self:
        """The model itself, fitted.

        Parameters
        ----------
        contracts
            One row a customer (or kind of customer): `churned`, whether the contract has ended, and `periods`, the
            period at whose end it did, or the renewals so far where it has not; `customers`, how many share the row;
            `entered`, the renewals that had passed when watching began, where those who had left by then are not in
            the data. Or one row a period of a cohort: `period` (0, 1, 2, ...) and `alive`, how many customers are
            still there after so many renewals, with `cohort` where there are several. Or `period` (1, 2, ...) and
            `lost`, how many left at its end, of `started` customers.
        y
            Not used; scikit-learn's pipelines pass it.
        started
            Customers at the start, with `lost`.
        sample_weight
            (n,) How many customers each row of the first kind stands for.

        Raises
        ------
        MissingColumns, InputError, SettingsError
            The frame or an argument cannot be taken.
        FitFailed
            No maximum was found, or the data cannot have one; nothing is kept of the attempt.
        """
        rows = contract_rows(contracts, started=started, sample_weight=sample_weight)
        self._fit(rows, (rows["periods"], rows["churned"], rows["entered"]))
        self.n_features_in_ = 2
        return self

    def score(self, contracts: Any, y: object = None, sample_weight: Any = None) -> float:
        """Mean log-likelihood a customer: the higher, the better the model tells these contracts."""
        rows = contract_rows(contracts, sample_weight=sample_weight)
        ll = self.numerics.log_likelihood(self._params, rows["periods"], rows["churned"], rows["entered"])
        return float(np.average(ll, weights=rows.weight))

    # What it predicts

    def predict(self, contracts: Any, horizon: int, interval: float = 0.9) -> Any:
        """A frame of the kind that came in: what each customer is expected to renew at the next `horizon` renewals.

        Columns: `p_renewal` (renews next time), `p_active` (renews every time within the horizon), `expected_periods`
        (renewals expected within it), `periods_low` and `periods_high`: the shortest interval of the predicted law
        that holds the asked share, in which the parameters are as uncertain as the data leave them. All are 0 of
        contracts that have ended.

        Parameters
        ----------
        contracts
            One row a customer: `periods`, renewals so far; `churned`, if there is such a column.
        horizon
            Number of renewals to come.
        interval
            Share of customers whose realised renewals lie within [periods_low, periods_high].
        """
        t = int(whole(horizon, "horizon"))
        rows = contracts_of(contracts)
        params = self._params
        renewed, inverse = np.unique(rows["periods"], return_inverse=True)

        def law(p: list[Array]) -> Array:
            stays = self.numerics.survival([v[..., None] for v in p], np.arange(t + 1.0), renewed[:, None])
            return np.concatenate([stays[..., :-1] - stays[..., 1:], stays[..., -1:]], axis=-1)

        low, high = shortest(self._predicted_law(law, len(renewed) * (t + 1)), interval)
        found = {
            "p_renewal": self.numerics.retention_rate(params, renewed + 1),
            "p_active": self.numerics.survival(params, float(t), renewed),
            "expected_periods": self.numerics.residual_lifetime(params, renewed, float(t)),
            "periods_low": low,
            "periods_high": high,
        }
        there = rows["churned"] == 0
        return rows.frame({name: np.where(there, value[inverse], 0.0) for name, value in found.items()})

    def survival(self, periods: Any, renewed: Any = 0) -> Array:
        """Probability that a customer who renewed so often will renew `periods` times more; a new one by default."""
        return np.asarray(self.numerics.survival(self._params, _floats(periods), _floats(renewed)))

    def retention_rate(self, period: Any) -> Array:
        """Share of those in their 1st, 2nd, ... period who renew at its end."""
        return np.asarray(self.numerics.retention_rate(self._params, _floats(period)))

    def churn_probability(self, period: Any) -> Array:
        """Probability that a new customer leaves at the end of the 1st, 2nd, ... period."""
        return np.asarray(self.numerics.churn_probability(self._params, _floats(period)))

    def expected_lifetime(self, horizon: float = math.inf, *, discount_rate_per_period: float = 0.0) -> float:
        """Expected periods of a new customer within the horizon, the first counted; discounted where a rate is given.

        Times the margin of a period, paid at its beginning, it is the value of a new customer. Infinite where the
        model has no mean and nothing is discounted.
        """
        t, delta = self._horizon(horizon, discount_rate_per_period)
        return float(self.numerics.expected_lifetime(self._params, t, delta))

    def residual_lifetime(
        self, contracts: Any, horizon: float = math.inf, *, discount_rate_per_period: float = 0.0
    ) -> Array:
        """Expected periods to come of each customer within the horizon, (n,), just before the next renewal.

        The first of them begins now if the customer renews, and is not discounted; the next is by (1 + rate), and so
        on. With a rate and no horizon these are the discounted expected residual lifetimes, DERL, of Fader and
        Hardie (2010). 0 of contracts that have ended.
        """
        t, delta = self._horizon(horizon, discount_rate_per_period)
        rows = contracts_of(contracts)
        renewed, inverse = np.unique(rows["periods"], return_inverse=True)
        found = self.numerics.residual_lifetime(self._params, renewed, t, delta)
        return np.where(rows["churned"] == 0, np.asarray(found)[inverse], 0.0)

    def simulate(self, periods: Any, *, random_state: int | None = None) -> SimulatedContracts:
        """Contracts of new customers drawn from the fitted model, each watched for some periods, (n,)."""
        rng = np.random.default_rng(self.random_state if random_state is None else random_state)
        drawn: SimulatedContracts = self.numerics.simulate(self._params, np.atleast_1d(_floats(periods)), rng)
        return drawn

    def _horizon(self, horizon: float, rate: float) -> tuple[float, float]:
        return whole(horizon, "horizon", infinite=True), discount(rate)

    # Inside the fit

    def _refuse(self, data: Distinct) -> None:
        customers, left = int(data.weight.sum()), float(data.t_x @ data.weight)
        if left == 0:
            raise FitFailed(
                f"No churn is identifiable: none of {count(customers, 'contract')} has ended. Watch them for longer, "
                "or pool them with others that have been watched for longer."
            )
        decisions = _decisions(data)
        if float(decisions @ data.weight) == left:
            raise FitFailed(
                f"No contract was ever renewed: all of {count(customers, 'customer')} left at the first renewal that "
                "was seen. Nothing can be learnt of those who stay."
            )
        seen = {
            t
            for first, last in {(int(a), int(b)) for a, b in zip(data.T, data.x, strict=True)}
            for t in range(first + 1, last + 1)
        }
        needed = len(self.numerics.NAMES)
        if len(seen) < needed and not (self.prior or self.penalty):
            raise FitFailed(
                f"Only {count(len(seen), 'renewal')} of a customer's life has been seen, and {self.name} has {needed} "
                f"parameters: how churn goes on after that cannot be told. Watch at least {needed} renewals, or give "
                "a prior."
            )

    def _rate(self, data: Distinct) -> float:
        """Share of all renewals that were refused."""
        return float(data.t_x @ data.weight) / float(_decisions(data) @ data.weight)

    def _polarised(self) -> list[Finding]:
        a, b = self.params_["alpha"], self.params_["beta"]
        if a + b > POLAR:
            return []
        says = (
            f"Customers are of two kinds: {a / (a + b):.1%} leave at the first renewal, and the others as good as "
            "never. How long those stay rests on the model's form alone."
        )
        return [Finding("polarised", says)]


class ShiftedBetaGeo(ContractModel):
    """sBG: at every renewal a customer leaves with a probability of their own, which does not change.

    Parameters alpha, beta: that probability is Beta(alpha, beta) over customers. Retention rises with tenure, because
    those prone to leave go first. Source: Fader and Hardie (2007), "How to project customer retention";
    `docs/methods/sbg.md` has the equations. Arguments are those of `PeriodModel`.

    Examples
    --------
    >>> import evervalue as ev
    >>> cohort = {"period": range(8), "alive": [1000, 631, 468, 382, 326, 289, 262, 241]}
    >>> model = ev.ShiftedBetaGeo().fit(cohort)
    >>> {name: round(value, 3) for name, value in model.params_.items()}
    {'alpha': 0.704, 'beta': 1.182}
    >>> model.survival([8, 12]).round(3)
    array([0.22, 0.17])
    """

    name: ClassVar[str] = "shifted beta-geometric"
    key: ClassVar[str] = "sbg"

    @property
    def numerics(self) -> ModuleType:
        """The model's functions on arrays."""
        return shifted_beta_geometric

    def _starts(self, data: Distinct) -> list[Array]:
        return [np.log(pair) for pair in beta_mean_starts(self._rate(data) * 1.5, (2.0, 10.0, 0.5))]

    def _findings(self, data: Distinct) -> list[Finding]:
        rate, decisions = self._rate(data), float(_decisions(data) @ data.weight)
        alone = decisions * (rate * math.log(rate) + (1 - rate) * math.log1p(-rate))
        if not self._gains(alone):
            return [
                Finding(
                    "same_churn",
                    f"Retention does not rise with tenure: one churn rate of {rate:.1%} a period for everybody "
                    f"explains these data as well (log-likelihood {alone:,.2f} against {self.log_likelihood_:,.2f}).",
                )
            ]
        return self._polarised() or self._not_identified()


class BetaDiscreteWeibull(ContractModel):
    """BdW: as the shifted beta-geometric model, but each customer becomes more or less likely to leave with tenure.

    Parameters alpha, beta as there, and c: above 1 a customer leaves ever more readily, below 1 ever less; 1 is
    `ShiftedBetaGeo`. Source: Fader, Hardie, Liu, Davin and Steenburgh (2018), "How to project customer retention
    revisited"; `docs/methods/bdw.md` has the equations. Arguments are those of `PeriodModel`.

    Examples
    --------
    >>> import evervalue as ev
    >>> cohort = {"period": range(5), "alive": [1000, 869, 743, 653, 593]}
    >>> model = ev.BetaDiscreteWeibull().fit(cohort)
    >>> {name: round(value, 2) for name, value in model.params_.items()}
    {'alpha': 0.26, 'beta': 1.72, 'c': 1.58}
    """

    name: ClassVar[str] = "beta-discrete-Weibull"
    key: ClassVar[str] = "bdw"
    # With c ever larger and alpha ever smaller the survivor function becomes a power law and stays one: a plateau of
    # the likelihood without end, which a flat prior would fill with draws.
    plausible: ClassVar[Mapping[str, float]] = {"c": 10.0}

    @property
    def numerics(self) -> ModuleType:
        """The model's functions on arrays."""
        return beta_discrete_weibull

    def _horizon(self, horizon: float, rate: float) -> tuple[float, float]:
        t, delta = super()._horizon(horizon, rate)
        if math.isinf(t) and delta <= 0:
            raise SettingsError(
                "The beta-discrete-Weibull model has no closed form for an unlimited horizon without discount: give "
                "a number of periods, or a discount_rate_per_period above 0."
            )
        return t, delta

    def _starts(self, data: Distinct) -> list[Array]:
        pairs = beta_mean_starts(self._rate(data) * 1.5, (2.0, 5.0, 0.5))
        return [np.log([*pair, c]) for pair, c in zip(pairs, (1.0, 1.5, 0.8), strict=True)]

    def _findings(self, data: Distinct) -> list[Finding]:
        plain, c = _plain(data, self._rate(data)), self.params_["c"]
        gain = self.log_likelihood_ - plain
        if gain > 1.92:  # half of 3.84: c = 1 lies within, so that the likelihood ratio is chi-squared
            way = "more" if c > 1 else "less"
            says = (
                f"Customers become {way} likely to leave with tenure: c = {c:.3g} beats c = 1 by {gain:,.1f} in "
                "log-likelihood."
            )
            found = [Finding("duration_dependence", says)]
        else:
            says = (
                f"Nothing speaks for churn that changes with a customer's tenure: c = {c:.3g} beats c = 1 by only "
                f"{gain:,.2f} in log-likelihood. ShiftedBetaGeo says as much with one parameter less."
            )
            found = [Finding("no_duration_dependence", says)]
        if self._alike(0):
            says = (
                "Customers do not measurably differ in how readily they leave: churn that changes with tenure alike "
                "for all explains these data as well."
            )
            return [*found, Finding("same_churn", says)]
        return [*found, *(self._polarised() or self._not_identified())]


def _floats(values: Any) -> Array:
    return np.asarray(values, dtype=np.float64)


def _decisions(data: Distinct) -> Array:
    """Renewals that came up while each customer was watched, the refused one among them."""
    return data.x - data.T


def _plain(data: Distinct, rate: float) -> float:
    """The highest log-likelihood of the shifted beta-geometric model."""

    def objective(theta: Array) -> tuple[float, Array]:
        ll, gradient = shifted_beta_geometric.log_likelihood_gradient(np.exp(theta), data.x, data.t_x, data.T)
        return float(ll @ data.weight), gradient @ data.weight

    box = np.full(2, math.log(1e5))
    starts = [np.log(pair) for pair in beta_mean_starts(rate * 1.5, (2.0, 10.0, 0.5))]
    return maximise(objective, starts, lower=-box, upper=box).value
