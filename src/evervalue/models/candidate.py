"""A purchase model, with or without a spend model, as a candidate: fitted at each origin, scored as a law.

What is scored is what `predict` would have said that day: the law of orders with the uncertainty of parameters and of
the process, and the law of money over it.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from evervalue.models.fold import Fold
from evervalue.models.forecast import Forecast, Outlook
from evervalue.models.histories import distinct
from evervalue.models.purchase import PurchaseModel
from evervalue.models.spend_model import SpendModel
from evervalue.numerics.arrays import Array
from evervalue.numerics.gamma_gamma_law import GammaGammaLaw
from evervalue.numerics.posterior_points import one_point
from evervalue.numerics.predictive import Customers, expectations, outcomes, score
from evervalue.numerics.predictive_orders import DistinctHistories, OrdersLaw
from evervalue.numerics.predictive_value import GammaGammaSpend, SpendLaw, Spent

FAR = 1e-6
"""A probability below this is not taken from the difference of two cumulative ones."""


@dataclass
class SpendCandidate:
    """A spend model, fitted once a fold for all purchase models beside it."""

    model: SpendModel
    """As it is to be fitted; itself left alone."""
    _fitted: dict[dt.date, SpendModel] = field(default_factory=dict, repr=False)

    def fitted(self, fold: Fold) -> SpendModel:
        """The model fitted to what was known at the origin."""
        if fold.origin not in self._fitted:
            model = type(self.model)(**self.model.get_params(deep=False))
            self._fitted[fold.origin] = model.fit(fold.history)
        return self._fitted[fold.origin]


@dataclass
class ModelCandidate:
    """A purchase model as a candidate, alone or with a spend model."""

    purchase: PurchaseModel
    """As it is to be fitted; itself left alone."""
    spend: SpendCandidate | None = None
    apart: bool = False
    """Whether the spend model is named too, because several are tested."""
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
            self._fitted[fold.origin] = model.fit(fold.history)
        return self._fitted[fold.origin]

    def forecast(self, fold: Fold, interval: float) -> Forecast:
        """The forecast of one fold.

        Parameters
        ----------
        fold
            The origin.
        interval
            Mass that the intervals shall hold.

        Raises
        ------
        FitFailed, InputError
            A model cannot be fitted at this origin.
        """
        law = orders_law(self.fitted(fold), float(fold.horizon_days))
        d = distinct(fold.frequency, fold.recency, fold.T)
        histories = DistinctHistories(d.x, d.t_x, d.T)
        found = expectations(law, histories, 0.0)
        money = self.spend.fitted(fold) if self.spend else None
        spend, spent = (spend_law(money), spent_by(money, fold)) if money else (None, None)
        customers = Customers(histories, d.inverse, spent)
        orders, value = score(law, customers, found, interval, spend=spend)
        fared, value_fared = outcomes(
            law, customers, found, fold.actual_orders, fold.actual_value if spend else None, spend=spend
        )
        each, ends = d.inverse, orders.interval
        mean = found.orders[each]
        outlook = None
        if spend is not None and spent is not None and value is not None and value_fared is not None:
            own = value.interval
            outlook = Outlook(
                mean * spend.expected_order_value(spent), own.low, own.high, own.mass, value_fared.crps
            )
        return Forecast(
            Outlook(mean, ends.low[each], ends.high[each], ends.mass[each], fared.crps),
            1 - orders.p_none[each],
            _log_score(law, histories, each, fold.actual_orders, fared.upto - fared.below),
            outlook,
        )


def orders_law(model: PurchaseModel, horizon: float) -> OrdersLaw:
    """The law of orders within a horizon, in the unit of the history, under a fitted model."""
    return OrdersLaw(
        model.kernel, one_point(model._theta), horizon, lambda theta, extra: model._params(extra, theta)
    )


def spend_law(model: SpendModel) -> SpendLaw:
    """The law of money a purchase under a fitted spend model."""
    params = np.log([model.params_[name] for name in model.kernel.names])
    return GammaGammaSpend(GammaGammaLaw(one_point(params)))


def spent_by(model: SpendModel, fold: Fold) -> Spent:
    """What the spend model knows of each customer."""
    data = model._amounts(fold.history, None)
    return Spent(data.x, data.m, data.squares)


def _log_score(
    law: OrdersLaw, histories: DistinctHistories, place: NDArray[np.intp], actual: Array, mass: Array
) -> Array:
    """Log of the probability of what came; that of the far tail is computed anew, for it drowns in differences."""
    for n in np.flatnonzero(mass < FAR):
        count = int(actual[n])
        mass[n] = law.pmf(histories.take(place[[n]]), count)[0, count]
    found: Array = np.log(mass, out=np.full(mass.shape, -np.inf), where=mass > 0)
    return found
