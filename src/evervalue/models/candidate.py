"""A purchase model, with or without a spend model, as a candidate: fitted at each origin, scored as a law.

What is scored is what `predict` would have said that day: the law of orders with the uncertainty of parameters and of
the process, and the law of money over it.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from evervalue.core.errors import SettingsError
from evervalue.models.fold import Fold
from evervalue.models.forecast import Forecast, Outlook
from evervalue.models.laws import customers_of, orders_law, spend_law, spent_by
from evervalue.models.purchase import PurchaseModel
from evervalue.models.purchase_models import INTERVALS, RegularBetaGeo
from evervalue.models.spend_model import SpendModel
from evervalue.numerics.arrays import Array
from evervalue.numerics.predictive.intervals import Intervals
from evervalue.numerics.predictive.orders import DistinctHistories, OrdersLaw
from evervalue.numerics.predictive.posterior_points import Points, one_point
from evervalue.numerics.predictive.score import expectations, outcomes, score
from evervalue.numerics.predictive.value import GammaGammaSpend, SpendLaw
from evervalue.numerics.spend.gamma_gamma_law import GammaGammaLaw
from evervalue.numerics.spend.normal_spend_law import NormalSpendLaw

FAR = 1e-6
"""A probability below this is not taken from the difference of two cumulative ones."""


@dataclass
class SpendCandidate:
    """A spend model, fitted once a fold for all purchase models beside it."""

    model: SpendModel
    """As it is to be fitted; itself left alone."""
    _fitted: dict[dt.date, SpendModel] = field(default_factory=dict, repr=False)

    def law(self, fold: Fold, posterior: bool) -> SpendLaw:
        """The law of money, averaged over the posterior or at the maximum."""
        model = self.fitted(fold)
        if posterior:
            return spend_law(model)
        names, logs = model.kernel.names, model.kernel.log_names
        point = [np.log(model.params_[name]) if name in logs else model.params_[name] for name in names]
        return law_at(model, one_point(np.array(point)))

    def fitted(self, fold: Fold) -> SpendModel:
        """The model fitted to what was known at the origin."""
        if fold.origin not in self._fitted:
            model = type(self.model)(**self.model.get_params(deep=False))
            self._fitted[fold.origin] = model.fit(fold.history_with(*fold.extra))
        return self._fitted[fold.origin]


@dataclass
class ModelCandidate:
    """A purchase model as a candidate, alone or with a spend model."""

    purchase: PurchaseModel
    """As it is to be fitted; itself left alone."""
    spend: SpendCandidate | None = None
    apart: bool = False
    """Whether the spend model is named too, because several are tested."""
    posterior: bool = False
    """Whether laws are averaged over the posterior, as `predict` does, or stand at the maximum of the likelihood."""
    _fitted: dict[dt.date, PurchaseModel] = field(default_factory=dict, repr=False)

    @property
    def key(self) -> str:
        """As options call it."""
        return (
            f"{self.purchase.key}+{self.spend.model.key}" if self.spend and self.apart else self.purchase.key
        )

    @property
    def name(self) -> str:
        """As people call it."""
        name = self.purchase.name
        return f"{name} with {self.spend.model.name}" if self.spend and self.apart else name

    @property
    def naive(self) -> bool:
        """It is not."""
        return False

    def fitted(self, fold: Fold) -> PurchaseModel:
        """The purchase model fitted to what was known at the origin; once a fold."""
        if fold.origin not in self._fitted:
            model = type(self.purchase)(**self.purchase.get_params(deep=False))
            extra = (INTERVALS,) if isinstance(model, RegularBetaGeo) and model.k == "auto" else ()
            self._fitted[fold.origin] = model.fit(fold.history_with(*extra))
        return self._fitted[fold.origin]

    def forecast(self, fold: Fold, interval: float | None) -> Forecast:
        """The forecast of one fold.

        Parameters
        ----------
        fold
            The origin.
        interval
            Mass that the intervals shall hold; None leaves them out, which saves more than half of the time.

        Raises
        ------
        FitFailed, InputError
            A model cannot be fitted at this origin.
        """
        law = self._law(fold)
        spend = self.spend.law(fold, self.posterior) if self.spend else None
        spent = spent_by(self.spend.fitted(fold), fold.history_with(*fold.extra)) if self.spend else None
        customers = customers_of(fold.history_with(), spent)
        found = expectations(law, customers.histories, 0.0)
        each = customers.place
        mean, came = found.orders[each], fold.actual_value if spend else None
        fared, value_fared = outcomes(law, customers, found, fold.actual_orders, came, spend=spend)
        ends, own, p_none = _nothing(len(each)), _nothing(len(each)), np.full(len(each), np.nan)
        if interval is not None:
            orders, value = score(law, customers, found, interval, spend=spend)
            of = orders.interval
            ends, p_none = Intervals(of.low[each], of.high[each], of.mass[each]), orders.p_none[each]
            own = value.interval if value is not None else own
        outlook = None
        if spent is not None and value_fared is not None:
            assert spent.order_value is not None
            outlook = Outlook(mean * spent.order_value, own.low, own.high, own.mass, value_fared.crps)
        return Forecast(
            Outlook(mean, ends.low, ends.high, ends.mass, fared.crps),
            1 - p_none,
            _log_score(law, customers.histories, each, fold.actual_orders, fared.upto - fared.below),
            outlook,
        )

    def _law(self, fold: Fold) -> OrdersLaw:
        model, horizon = self.fitted(fold), float(fold.horizon_days)
        if self.posterior:
            return orders_law(model, horizon)
        return OrdersLaw(
            model.kernel, one_point(model._theta), horizon, lambda theta, extra: model._params(extra, theta)
        )


def law_at(model: SpendModel, points: Points) -> SpendLaw:
    """The law of money at given points of the parameters.

    Raises
    ------
    SettingsError
        The model has none.
    """
    if model.key == "gamma-gamma":
        return GammaGammaSpend(GammaGammaLaw(points))
    if model.key == "normal-spend":
        return NormalSpendLaw(points)
    raise SettingsError(f"{model.name} has no law of the money that a customer goes on to spend.")


def _nothing(n: int) -> Intervals:
    unknown = np.full(n, np.nan)
    return Intervals(unknown, unknown, unknown)


def _log_score(
    law: OrdersLaw, histories: DistinctHistories, place: NDArray[np.intp], actual: Array, mass: Array
) -> Array:
    """Log of the probability of what came; that of the far tail is computed anew, for it drowns in differences."""
    for n in np.flatnonzero(mass < FAR):
        count = int(actual[n])
        mass[n] = law.pmf(histories.take(place[[n]]), count)[0, count]
    found: Array = np.log(mass, out=np.full(mass.shape, -np.inf), where=mass > 0)
    return found
