"""`ev.CLV`: lifetime value of every customer, from a purchase model and a spend model, with intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from evervalue.core.duration import duration
from evervalue.core.errors import NotFitted, SettingsError
from evervalue.models.base import Estimator, Finding
from evervalue.models.histories import Histories, histories
from evervalue.models.purchase import PurchaseModel
from evervalue.models.purchase_models import ParetoNBD
from evervalue.models.recalibration import Recalibration, learnt
from evervalue.models.spend import GammaGamma
from evervalue.models.spend_model import SpendModel
from evervalue.models.value_scores import Asked, ValueScores, value_scores
from evervalue.models.value_total import Total, value_total
from evervalue.numerics.predictive.score import Corrections
from evervalue.numerics.predictive.value import Spent

MONEY = ("expected_order_value", "expected_clv", "clv_low", "clv_high")
COLUMNS = (
    "p_alive", "expected_orders", "orders_low", "orders_high", "expected_order_value", "expected_clv",
    "clv_low", "clv_high",
)  # fmt: skip
DETAILS = ("p_any_order", "orders_mass", "clv_mass")
SPEND_COLUMNS = (
    "monetary_value", "monetary", "repeat_monetary", "mean_monetary", "least_monetary", "monetary_squared_sum",
)  # fmt: skip


NEW = (
    "p_any_order", "expected_orders", "orders_low", "orders_high", "expected_order_value", "expected_clv",
    "clv_low", "clv_high",
)  # fmt: skip


@dataclass(frozen=True)
class NewCustomer:
    """What a customer is worth from the first order on; NaN where nothing can be said."""

    first_order_value: float
    """What the first order is expected to bring; no other number counts it."""
    p_any_order: float
    """Probability of a second order within the horizon."""
    expected_orders: float
    orders_low: float
    orders_high: float
    expected_order_value: float
    expected_clv: float
    """Of the orders after the first, discounted."""
    clv_low: float
    clv_high: float

    def to_dict(self) -> dict[str, float]:
        """Plain numbers."""
        return asdict(self)


class CLV(Estimator):
    """Lifetime value: what each customer will still order and spend, and between which bounds it will come.

    Existing customers are valued from the end of the window on: their first order, and all others so far, are not in
    the value. What a customer is worth who is yet to come is asked of `new_customer`.

    Parameters
    ----------
    purchase
        A purchase model; by default `ev.ParetoNBD()`. It is copied before it is fitted.
    spend
        A spend model; by default `ev.GammaGamma()`.
    recalibration
        A correction learnt where outcomes were known (`recalibrate`). With it means, probabilities and intervals are
        those of the corrected laws.

    Examples
    --------
    >>> import evervalue as ev
    >>> rng = np.random.default_rng(1)
    >>> seen = ev.BetaGeo().kernel.simulate((0.8, 30.0, 0.8, 2.5), rng.uniform(50, 365, 400), rng)
    >>> days = np.ceil(seen.t_x), np.ceil(seen.T)
    >>> history = {"frequency": np.minimum(seen.x, days[0]), "recency": days[0], "T": days[1]}
    >>> history["monetary_value"] = np.where(seen.x > 0, rng.gamma(4.0, 10.0, 400), 0.0)
    >>> value = ev.CLV(ev.BetaGeo()).fit(history, unit="D").predict(horizon="180d", interval=0.8)
    >>> bool(np.all(value["clv_low"] <= value["clv_high"]))
    True
    """

    purchase_: PurchaseModel
    """The fitted purchase model."""
    spend_: SpendModel
    """The fitted spend model."""
    _history: Histories | None

    def __init__(
        self,
        purchase: PurchaseModel | None = None,
        spend: SpendModel | None = None,
        recalibration: Recalibration | None = None,
    ) -> None:
        self.purchase = purchase
        self.spend = spend
        self.recalibration = recalibration

    @classmethod
    def of(
        cls, purchase: PurchaseModel, spend: SpendModel, recalibration: Recalibration | None = None
    ) -> Self:
        """Lifetime value from models that are fitted already, such as loaded ones.

        Raises
        ------
        NotFitted
            One of them is not.
        """
        _refuse_others(purchase, spend)
        for model in (purchase, spend):
            if not model.__sklearn_is_fitted__():
                raise NotFitted(
                    f"This {type(model).__name__} is not fitted yet. Fit it, or call CLV(...).fit."
                )
        made = cls(purchase, spend, recalibration)
        made._take(purchase, spend, None)
        return made

    def fit(
        self, history: Any, y: object = None, *, unit: str | None = None, sample_weight: Any = None
    ) -> Self:
        """The estimator itself, both models fitted.

        Parameters
        ----------
        history
            A frame with frequency, recency, T and monetary_value, as `ev.purchase_history` makes it.
        y
            Not used; scikit-learn's pipelines pass it.
        unit
            "D" or "W", where the frame does not say.
        sample_weight
            (n,) How many customers each row stands for.

        Raises
        ------
        MissingColumns, InputError, SettingsError
            The history or an argument cannot be taken.
        FitFailed
            One of the models has no maximum that could be found.
        """
        purchase = ParetoNBD() if self.purchase is None else self.purchase
        spend = GammaGamma() if self.spend is None else self.spend
        _refuse_others(purchase, spend)
        purchase, spend = _copied(purchase), _copied(spend)
        h = self._read(history, purchase, unit)
        purchase.fit(h, sample_weight=sample_weight)
        spend.fit(h, sample_weight=sample_weight)
        self._take(purchase, spend, h)
        return self

    def predict(
        self,
        history: Any = None,
        horizon: Any = "365d",
        discount_rate_annual: float = 0.10,
        interval: float = 0.9,
        *,
        margin: float = 1.0,
        details: bool = False,
    ) -> Any:
        """Value of each customer: a frame of the kind that came in, with ids, rows in the order they came.

        Columns: `p_alive`; `expected_orders` within the horizon and the shortest interval [`orders_low`,
        `orders_high`] that holds `interval` of what may really come; `expected_order_value`, what a purchase day is
        expected to bring; `expected_clv`, discounted to the end of the window, and [`clv_low`, `clv_high`] for the
        discounted money that may really come. Money is DECIMAL(18,4), in the currency of the history, and null where
        nothing can be said: with an unlimited horizon there are means but no intervals.

        Parameters
        ----------
        history
            By default the one that was fitted.
        horizon
            "365d", "52W", "1y", or "inf" where the rate is above 0; a number is in the unit of the history.
        discount_rate_annual
            Money a year from now counts as itself divided by 1 + this; ln(1 + rate) / 365 a day.
        interval
            Share that intervals are to hold, above 0 and up to 0.999.
        margin
            Share of an amount that is kept, where the history holds revenue; all money is multiplied by it.
        details
            Adds `p_any_order` (at least one order within the horizon) and the masses that the intervals really hold,
            `orders_mass` and `clv_mass`: counts, and laws with much weight on zero, hold more than is asked.

        Raises
        ------
        NotFitted, MissingColumns, InputError, SettingsError
            There is nothing to predict from, or an argument is not possible.
        """
        h = self._of(history)
        asked = self._asked(horizon, discount_rate_annual, interval, margin)
        scores = self._scores(h, asked)
        names = [*COLUMNS, *(DETAILS if details else ())]
        return h.frame({name: getattr(scores, name) for name in names}, money=MONEY)

    def total(
        self,
        history: Any = None,
        horizon: Any = "365d",
        discount_rate_annual: float = 0.10,
        interval: float = 0.9,
        *,
        margin: float = 1.0,
        shock: float | None = None,
    ) -> Total:
        """What all customers together are expected to order and to be worth, with intervals of the totals.

        Not sums of the customers' interval ends: luck evens out between customers, wrong parameters do not.

        Parameters
        ----------
        history, horizon, discount_rate_annual, interval, margin
            As for `predict`.
        shock
            By how much a season or a trend may move all customers at once, as a standard deviation of the log of actual
            over expected totals: a backtest tells it. By default the size of the pace that a recalibration found, and
            0 without one, with which real totals leave their interval far more often than it says.
        """
        h = self._of(history)
        asked = self._asked(horizon, discount_rate_annual, interval, margin)
        if shock is None:
            shock = 0.0 if self.recalibration is None else abs(math.log(self.recalibration.corrections.pace))
        scores = self._scores(h, asked, intervals=False)
        return value_total(self.purchase_, self.spend_, h, asked, scores, shock=shock)

    def new_customer(
        self,
        horizon: Any = "365d",
        discount_rate_annual: float = 0.10,
        interval: float = 0.9,
        *,
        margin: float = 1.0,
        covariates: Mapping[str, float] | None = None,
    ) -> NewCustomer:
        """What a customer is worth who orders for the first time now.

        Arguments are those of `predict`, and the customer's covariates where the model depends on any. Nothing is
        corrected: a recalibration is learnt on customers already known.
        """
        self._check_fitted()
        none = np.zeros(1)
        extra = {name: np.reshape(v, 1) for name, v in self.purchase_._of_new(covariates).items()}
        h = Histories(none, none, none, none, unit=self.purchase_.unit_, extra=extra)
        spent = Spent(none, none, none, self.spend_._expected(none, none))
        asked = self._asked(horizon, discount_rate_annual, interval, margin)
        scores = value_scores(self.purchase_, self.spend_, h, asked, spent=spent)
        found = {f.name: float(getattr(scores, f.name)[0]) for f in fields(scores) if f.name in NEW}
        return NewCustomer(first_order_value=found["expected_order_value"], **found)

    def recalibrate(
        self,
        history: Any,
        orders: ArrayLike,
        value: ArrayLike,
        horizon: Any = "365d",
        interval: float = 0.9,
    ) -> Recalibration:
        """What outcomes say of this model's laws: the coverage of its intervals, and a correction.

        Parameters
        ----------
        history
            Histories at the end of an earlier window, to which this model was fitted.
        orders, value
            Purchase days and money of each row within the horizon after it, 0 where nothing came.
        horizon
            Length of that time.
        interval
            Mass of the intervals whose coverage is shown.

        Returns
        -------
        Recalibration
            Pass it to a new `ev.CLV(purchase, spend, recalibration)` fitted on all of the data. What it shows as
            coverage after the correction is of customers that were not learnt from.
        """
        h = self._of(history)
        t = self.purchase_._time(horizon)
        days = 0.0 if self.purchase_.unit_ is None else t / duration("1d").in_unit(self.purchase_.unit_)
        if not 0 < t < math.inf:
            raise SettingsError(
                f"A horizon of {horizon} has no outcomes to learn from. Give one such as '365d'."
            )
        return learnt(self.purchase_, self.spend_, h, t, orders, value, interval=interval, horizon_days=days)

    def says(
        self, horizon: Any = "365d", discount_rate_annual: float = 0.10, interval: float = 0.9
    ) -> list[str]:
        """What the numbers of `predict` are and are not, in sentences."""
        self._check_fitted()
        asked = self._asked(horizon, discount_rate_annual, interval, 1.0)
        told = ["Value counts what is ordered after the end of the window; the first order is never in it."]
        if asked.horizon == 0:
            told.append("A horizon of 0: nothing can be ordered in no time, so that all values are 0.")
        elif math.isinf(asked.horizon):
            told.append(
                "The horizon is unlimited: value is finite because it is discounted, but the number of orders, and "
                "intervals, have no end to stop at, so those are empty."
            )
        else:
            told.append(
                f"Intervals are the shortest that hold {100 * interval:g} % of what may really come: parameters, the "
                "process of ordering and leaving, and spend."
            )
        found = self.recalibration
        if found is not None:
            told.append(
                f"Corrected by {found.customers:,} customers' outcomes within {found.horizon_days:g} days."
            )
            told += found.says()
        return told

    # Inside

    def _take(self, purchase: PurchaseModel, spend: SpendModel, h: Histories | None) -> None:
        self.purchase_, self.spend_, self._history = purchase, spend, h
        self.findings_: list[Finding] = [*purchase.findings_, *spend.findings_]

    def _read(self, history: Any, purchase: PurchaseModel, unit: str | None = None) -> Histories:
        """Histories with whatever the two models look at."""
        if isinstance(history, Histories):
            return history
        from evervalue.models.frames import columns_of

        names, _ = columns_of(history)
        wanted = [name for name in SPEND_COLUMNS[1:] if name in names]
        extra = [*purchase._covariate_names(), *wanted]
        return histories(history, unit=unit, extra=extra)

    def _settle(self) -> None:
        self.purchase_._settle()
        self.spend_._settle()

    def _of(self, history: Any) -> Histories:
        self._check_fitted()
        if history is None:
            if self._history is None:
                raise NotFitted("These models came without a history. Give one: predict(history).")
            return self._history
        return self.purchase_._histories(self._read(history, self.purchase_))

    def _asked(self, horizon: Any, rate: float, interval: float, margin: float) -> Asked:
        purchase = self.purchase_
        return Asked(purchase._time(horizon), purchase.discount(rate), interval, margin)

    def _corrections(self) -> Corrections | None:
        return None if self.recalibration is None else self.recalibration.corrections

    def _scores(self, h: Histories, asked: Asked, intervals: bool = True) -> ValueScores:
        return value_scores(self.purchase_, self.spend_, h, asked, self._corrections(), intervals=intervals)


def _copied(model: Any) -> Any:
    return type(model)(**model.get_params(deep=False))


def _refuse_others(purchase: object, spend: object) -> None:
    for given, kind, usual in (
        (
            purchase,
            PurchaseModel,
            "ev.ParetoNBD(), ev.BetaGeo(), ev.ModifiedBetaGeo() or ev.RegularBetaGeo()",
        ),
        (spend, SpendModel, "ev.GammaGamma() or ev.NormalSpend()"),
    ):
        if isinstance(given, type) and issubclass(given, kind):
            raise SettingsError(
                f"{given.__name__} is a class; ev.CLV(purchase, spend) takes instances. "
                f"Give an instance: ev.{given.__name__}()."
            )
        if not isinstance(given, kind):
            what = repr(given) if isinstance(given, str) else f"A {type(given).__name__}"
            raise SettingsError(
                f"{what} cannot take this place in ev.CLV(purchase, spend). Give an instance: {usual}."
            )
