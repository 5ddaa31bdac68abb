"""A purchase model, with or without a spend model, as a candidate: fitted at each origin, scored as a law.

What is scored is what `predict` would have said that day: the law of orders with the uncertainty of parameters and of
the process, and the law of money over it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evervalue.models.fold import Fold
from evervalue.models.forecast import Forecast, Outlook
from evervalue.models.histories import Distinct, distinct
from evervalue.models.purchase import PurchaseModel
from evervalue.numerics.grid_scores import crps_grid
from evervalue.numerics.intervals import shortest, shortest_counts
from evervalue.numerics.posterior_points import one_point
from evervalue.numerics.predictive import each_block, expectations
from evervalue.numerics.predictive_orders import Block, DistinctHistories, OrdersLaw
from evervalue.numerics.predictive_value import SpendLaw, Spent
from evervalue.numerics.probability_scores import crps_discrete, log_score

CELLS = 2_000_000
"""Probabilities held at once."""


@dataclass
class ModelCandidate:
    """A purchase model as a candidate."""

    purchase: PurchaseModel
    """As it is to be fitted; itself left alone."""
    spend: Any = None
    _fitted: dict[Any, PurchaseModel] = field(default_factory=dict, repr=False)

    @property
    def key(self) -> str:
        """As options call it."""
        return self.purchase.key

    @property
    def name(self) -> str:
        """As people call it."""
        return self.purchase.name

    @property
    def naive(self) -> bool:
        """It is not."""
        return False

    def fitted(self, fold: Fold) -> PurchaseModel:
        """The model fitted to what was known at the origin; once a fold."""
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
        FitFailed
            The model cannot be fitted at this origin.
        """
        model = self.fitted(fold)
        d = distinct(fold.frequency, fold.recency, fold.T)
        return _Scoring(fold, d, _law(model, fold), interval).forecast()


def _law(model: PurchaseModel, fold: Fold) -> OrdersLaw:
    return OrdersLaw(
        model.kernel,
        one_point(model._theta),
        float(fold.horizon_days),
        lambda theta, extra: model._params(extra, theta),
    )


class _Scoring:
    """Collects what is said of each customer while laws pass in blocks."""

    def __init__(
        self,
        fold: Fold,
        d: Distinct,
        law: OrdersLaw,
        interval: float,
        spend: SpendLaw | None = None,
        spent: Spent | None = None,
    ) -> None:
        n = len(fold)
        self.fold, self.d, self.law, self.interval = fold, d, law, interval
        self.spend, self.spent = spend, spent
        self.low, self.high, self.mass, self.crps, self.log_score, self.p_any = (
            np.zeros(n) for _ in range(6)
        )
        self.value_low, self.value_high, self.value_mass, self.value_crps = (np.zeros(n) for _ in range(4))
        self.customers = np.argsort(d.inverse, kind="stable")
        self.starts = np.searchsorted(d.inverse[self.customers], np.arange(len(d.x) + 1))

    def forecast(self) -> Forecast:
        histories = DistinctHistories(self.d.x, self.d.t_x, self.d.T)
        found = expectations(self.law, histories, 0.0)
        each_block(self.law, histories, found, self._take)
        orders = found.orders[self.d.inverse]
        value = None
        if self.spend is not None and self.spent is not None:
            mean = orders * self.spend.expected_order_value(self.spent)
            value = Outlook(mean, self.value_low, self.value_high, self.value_mass, self.value_crps)
        return Forecast(
            Outlook(orders, self.low, self.high, self.mass, self.crps), self.p_any, self.log_score, value
        )

    def _take(self, block: Block) -> None:
        found = shortest_counts(block.pmf, self.interval)
        sizes = self.starts[block.rows + 1] - self.starts[block.rows]
        row: NDArray[np.intp] = np.repeat(np.arange(len(block.rows)), sizes)
        first = np.repeat(self.starts[block.rows] - np.concatenate([[0], np.cumsum(sizes)[:-1]]), sizes)
        who = self.customers[first + np.arange(len(row))]
        self.low[who], self.high[who], self.mass[who] = found.low[row], found.high[row], found.mass[row]
        self.p_any[who] = 1 - block.pmf[row, 0]
        counts = np.arange(block.pmf.shape[1], dtype=np.float64)
        actual = self.fold.actual_orders[who]
        step = max(1, CELLS // len(counts))
        for start in range(0, len(who), step):
            part = slice(start, start + step)
            law = block.pmf[row[part]]
            self.crps[who[part]] = crps_discrete(counts, law, actual[part])
            self.log_score[who[part]] = log_score(law, actual[part])
        self._beyond(block, who[actual >= len(counts)])
        if self.spend is not None and self.spent is not None:
            for values in self.spend.laws(block, who, row, self.spent.take(who)):
                self._take_value(values)

    def _beyond(self, block: Block, who: NDArray[np.intp]) -> None:
        """Who ordered more often than the law was written down for: the probability of just that number."""
        histories = DistinctHistories(self.d.x, self.d.t_x, self.d.T)
        for customer in who:
            n = int(self.fold.actual_orders[customer])
            mass = float(self.law.pmf(histories.take(self.d.inverse[[customer]]), n)[0, n])
            self.log_score[customer] = np.log(mass) if mass > 0 else -np.inf

    def _take_value(self, values: Any) -> None:
        found = shortest(values.law, self.interval)
        who, place, scale = values.customers, values.place, values.scale
        self.value_low[who], self.value_high[who] = found.low[place] * scale, found.high[place] * scale
        self.value_mass[who] = found.mass[place]
        self.value_crps[who] = scale * crps_grid(values.law, place, self.fold.actual_value[who] / scale)
