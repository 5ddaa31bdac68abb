"""BG/BB, the purchase model for countable opportunities: a yearly appeal, an issue, an event, a weekly delivery."""

from __future__ import annotations

import math
from types import ModuleType
from typing import Any, ClassVar, Self

import numpy as np

from evervalue.core.errors import FitFailed, SettingsError
from evervalue.core.text import count
from evervalue.models.base import Finding
from evervalue.models.findings import no_dropout
from evervalue.models.histories import Distinct, distinct
from evervalue.models.period_model import PeriodModel, beta_mean_starts, shortest
from evervalue.models.period_rows import Rows, refuse, rows_of, whole
from evervalue.numerics.arrays import Array
from evervalue.numerics.estimation.optimise import maximise
from evervalue.numerics.periods import bg_bb
from evervalue.numerics.purchases.simulated import Simulated

NEVER_LEAVES = (1e-9, 1.0)
"""gamma and delta of customers who stay."""


class BetaGeoBetaBinomial(PeriodModel):
    """BG/BB: at every opportunity a customer may have left for good; one who has not buys with their own probability.

    Parameters alpha, beta (probability to buy), gamma, delta (probability to leave). Source: Fader, Hardie and Shang
    (2010), "Customer-base analysis in a discrete-time noncontractual setting". `docs/methods/bg_bb.md` has the
    equations. Arguments are those of `PeriodModel`.

    Histories have, for each customer (or kind of customer), the opportunities after the first purchase: `n_periods`
    of them (`T` will do), `frequency` purchases at them, at most one an opportunity, the last at number `recency`
    (0 where there is none). A column `customers` may say how many customers share a row. Horizons are numbers of
    opportunities.

    Examples
    --------
    >>> import evervalue as ev
    >>> given = {"frequency": [0, 1, 1, 2, 2, 3], "recency": [0, 1, 3, 2, 3, 3], "n_periods": [3] * 6}
    >>> model = ev.BetaGeoBetaBinomial().fit(given, sample_weight=[400, 150, 60, 90, 110, 190])
    >>> model.conditional_expected_orders(given, 2).round(2)
    array([0.06, 0.22, 0.97, 0.7 , 1.19, 1.4 ])
    """

    name: ClassVar[str] = "BG/BB"
    key: ClassVar[str] = "bg-bb"

    @property
    def numerics(self) -> ModuleType:
        """The model's functions on arrays."""
        return bg_bb

    def fit(self, history: Any, y: object = None, *, sample_weight: Any = None) -> Self:
        """The model itself, fitted.

        Parameters
        ----------
        history
            A frame with frequency, recency and n_periods.
        y
            Not used; scikit-learn's pipelines pass it.
        sample_weight
            (n,) How many customers each row stands for, where no column `customers` says.

        Raises
        ------
        MissingColumns, InputError, SettingsError
            The history or an argument cannot be taken.
        FitFailed
            No maximum was found, or the data cannot have one; nothing is kept of the attempt.
        """
        rows = _histories(history, sample_weight)
        self._fit(rows, _columns(rows))
        self.n_features_in_ = 3
        return self

    def score(self, history: Any, y: object = None, sample_weight: Any = None) -> float:
        """Mean log-likelihood a customer: the higher, the better the model tells these histories."""
        rows = _histories(history, sample_weight)
        return float(np.average(bg_bb.log_likelihood(self._params, *_columns(rows)), weights=rows.weight))

    # What it predicts

    def predict(self, history: Any, horizon: int, interval: float = 0.9) -> Any:
        """A frame of the kind that came in: p_alive, expected_orders, orders_low and orders_high of each customer.

        Parameters
        ----------
        history
            As for `fit`.
        horizon
            Number of opportunities after those of the history.
        interval
            Share of customers whose realised purchases lie within [orders_low, orders_high]: the shortest interval of
            the predicted law, in which the parameters are as uncertain as the data leave them. Counts make it
            hold more.
        """
        rows, t = _histories(history), int(whole(horizon, "horizon"))
        self._check_fitted()
        d = distinct(*_columns(rows))
        law = self._predicted_law(
            lambda params: bg_bb.conditional_pmf(params, d.x, d.t_x, d.T, t, t), len(d.x) * (t + 1)
        )
        low, high = shortest(law, interval)
        params = self._params
        return rows.frame(
            {
                "p_alive": bg_bb.p_alive(params, d.x, d.t_x, d.T)[d.inverse],
                "expected_orders": bg_bb.conditional_expected_orders(params, d.x, d.t_x, d.T, t)[d.inverse],
                "orders_low": low[d.inverse],
                "orders_high": high[d.inverse],
            }
        )

    def p_alive(self, history: Any) -> Array:
        """Probability that each customer is there at the next opportunity, (n,)."""
        return bg_bb.p_alive(self._params, *_columns(_histories(history)))

    def conditional_expected_orders(self, history: Any, horizon: int) -> Array:
        """Expected purchases of each customer at the next `horizon` opportunities, (n,)."""
        t = whole(horizon, "horizon")
        return bg_bb.conditional_expected_orders(self._params, *_columns(_histories(history)), t)

    def discounted_expected_orders(
        self, history: Any, horizon: float = math.inf, *, discount_rate_per_period: float
    ) -> Array:
        """Expected purchases, each weighted by (1 + rate) to the minus opportunities from now, (n,).

        With an unlimited horizon these are the discounted expected residual transactions, DERT, of the paper. Of an
        annual rate r with m opportunities a year, the rate per period is (1 + r)^(1/m) - 1.

        Raises
        ------
        SettingsError
            The rate is not above -1, or nothing is discounted and the horizon is unlimited.
        """
        t, delta = whole(horizon, "horizon", infinite=True), discount(discount_rate_per_period)
        if math.isinf(t) and delta <= 0:
            raise SettingsError(
                "An unlimited horizon has a value only where it is discounted: give a discount_rate_per_period above "
                "0, or a number of periods as the horizon."
            )
        return bg_bb.discounted_expected_orders(self._params, *_columns(_histories(history)), t, delta)

    def conditional_pmf(self, history: Any, horizon: int, n_max: int) -> Array:
        """P(k purchases at the next `horizon` opportunities), k = 0..n_max, (n, n_max + 1)."""
        t = whole(horizon, "horizon")
        return bg_bb.conditional_pmf(self._params, *_columns(_histories(history)), t, n_max)

    def p_any_order(self, history: Any, horizon: int) -> Array:
        """Probability of at least one purchase at the next `horizon` opportunities, (n,)."""
        return np.asarray(1 - self.conditional_pmf(history, horizon, 0)[:, 0])

    def expected_orders(self, periods: Any) -> Array:
        """Expected purchases of a new customer at the first `periods` opportunities; the very first is not counted."""
        return bg_bb.expected_orders(self._params, np.asarray(periods, dtype=np.float64))

    def pmf(self, periods: int, n_max: int) -> Array:
        """P(k purchases of a new customer at the first `periods` opportunities), k = 0..n_max."""
        return bg_bb.pmf(self._params, whole(periods, "periods"), n_max)

    def simulate(self, n_periods: Any, *, horizon: int = 0, random_state: int | None = None) -> Simulated:
        """Histories drawn from the fitted model, one for each element of `n_periods` (n,)."""
        rng = np.random.default_rng(self.random_state if random_state is None else random_state)
        n = np.atleast_1d(np.asarray(n_periods, dtype=np.float64))
        return bg_bb.simulate(self._params, n, rng, horizon=whole(horizon, "horizon"))

    # Inside the fit

    def _refuse(self, data: Distinct) -> None:
        x, n, customers = data.x, data.T, int(data.weight.sum())
        if customers < 2:
            raise FitFailed(
                f"{self.name} learns from how customers differ, of which one sample shows nothing: there is "
                f"{count(customers, 'customer')}. Fit it to at least two; a few hundred give usable numbers."
            )
        if not (n > 0).any():
            raise FitFailed(
                f"{self.name} needs opportunities after the first purchase, and n_periods is 0 for every customer."
            )
        if not (x > 0).any():
            raise FitFailed(
                f"Nobody bought a second time: {count(customers, 'customer')}, no purchase at any opportunity. "
                f"{self.name} has nothing to learn a purchase probability from. Take a longer window."
            )
        if (x == n).all():
            raise FitFailed(
                f"Everybody bought at every opportunity: {count(customers, 'customer')} never let one pass. Neither "
                "when such customers leave nor how they differ can be learnt."
            )

    def _starts(self, data: Distinct) -> list[Array]:
        seen = float(data.T @ data.weight)
        bought = beta_mean_starts(float(data.x @ data.weight) / seen * 1.3, (1.5, 4.0, 1.0))
        left = beta_mean_starts(0.15, (3.0, 20.0, 0.8))
        return [np.log([*b, *g]) for b, g in zip(bought, left, strict=True)]

    def _findings(self, data: Distinct) -> list[Finding]:
        found: list[Finding] = []
        most = int(data.T.max())
        if most < 3:
            ways = 1 + most * (most + 1) // 2
            found.append(
                Finding(
                    "few_opportunities",
                    f"Over at most {count(most, 'opportunity', 'opportunities')} histories differ in {ways} ways, too "
                    "few to tell four parameters apart: forecasts beyond the window rest on the model's form alone.",
                )
            )
        alone = _without_dropout(data)
        if not self._gains(alone):
            p_alive = bg_bb.p_alive(list(self.params_.values()), data.x, data.t_x, data.T)
            found.append(no_dropout(alone, self.log_likelihood_, p_alive))
        elif self._alike(2):
            says = (
                "Customers do not measurably differ in how readily they leave: one dropout probability of about "
                f"{self._mean('gamma', 'delta'):.1%} an opportunity for all explains these data as well."
            )
            found.append(Finding("same_dropout", says))
        if self._alike(0):
            says = (
                "Customers do not measurably differ in how often they buy: one probability of about "
                f"{self._mean('alpha', 'beta'):.1%} an opportunity for all explains these data as well."
            )
            found.append(Finding("same_rate", says))
        return found or self._not_identified()

    def _mean(self, hit: str, miss: str) -> float:
        return self.params_[hit] / (self.params_[hit] + self.params_[miss])


def discount(rate: float) -> float:
    """Continuous discount rate a period.

    Raises
    ------
    SettingsError
        The rate is no number above -1.
    """
    if not rate > -1 or not math.isfinite(rate):
        raise SettingsError(f"discount_rate_per_period={rate!r} must be a number above -1, such as 0.10.")
    return math.log1p(rate)


def _histories(history: Any, sample_weight: Any = None) -> Rows:
    wanted = ("frequency", "recency", "n_periods")
    rows = rows_of(history, wanted, other_names={"n_periods": "T"}, sample_weight=sample_weight)
    x, t_x, n = (rows[name] for name in wanted)
    faults = [
        (t_x > n, "have a recency beyond n_periods: the last purchase lies after the last opportunity"),
        (x > n, "have a frequency above n_periods: more purchases than opportunities"),
        (
            (x > t_x) & (t_x > 0) & (x <= n),
            "have a frequency above recency: more purchases than opportunities so far",
        ),
        (
            (x > 0) & (t_x == 0),
            "have purchases (frequency > 0) but recency 0: opportunities are counted from 1",
        ),
        ((x == 0) & (t_x > 0), "have recency above 0 but frequency 0"),
    ]
    hint = "frequency counts opportunities with a purchase, recency is the number of the last, both at most n_periods. "
    refuse(rows, faults, "history", hint)
    return rows


def _columns(rows: Rows) -> tuple[Array, Array, Array]:
    return rows["frequency"], rows["recency"], rows["n_periods"]


def _without_dropout(data: Distinct) -> float:
    """The highest log-likelihood of a model in which nobody leaves."""

    def objective(theta: Array) -> tuple[float, Array]:
        params = (*np.exp(theta), *NEVER_LEAVES)
        ll, gradient = bg_bb.log_likelihood_gradient(params, data.x, data.t_x, data.T)
        return float(ll @ data.weight), gradient[:2] @ data.weight

    mean = float(data.x @ data.weight) / float(data.T @ data.weight)
    box = np.full(2, math.log(1e6))
    starts = [np.log(pair) for pair in beta_mean_starts(mean, (2.0,))]
    return maximise(objective, starts, lower=-box, upper=box).value
