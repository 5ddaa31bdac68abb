"""From fitted estimators to predictive laws: the posterior as a few points, the spend model as tables."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from evervalue.core.errors import SettingsError
from evervalue.models.amounts import Amounts
from evervalue.models.base import Estimator
from evervalue.models.histories import Histories, distinct
from evervalue.models.posterior import ModelPosterior
from evervalue.models.purchase import PurchaseModel
from evervalue.models.spend_model import SpendModel
from evervalue.numerics.arrays import Array, Number
from evervalue.numerics.predictive.orders import DistinctHistories, OrdersLaw
from evervalue.numerics.predictive.posterior_points import TOLERANCE, Points, few_points, one_point
from evervalue.numerics.predictive.score import Customers
from evervalue.numerics.predictive.value import GammaGammaSpend, SpendLaw, Spent
from evervalue.numerics.spend.gamma_gamma_law import GammaGammaLaw
from evervalue.numerics.spend.normal_spend_law import NormalSpendLaw

PROBED = (0.0, 0.5, 1.0, 2.0, 4.0)
"""Repeat orders of the probes, in multiples of what the model expects of a new customer in the mean age."""
SILENT = (0.6, 0.95)
"""When their last order was, as a share of that age."""
LAST = (0.2, 0.4, 0.6, 0.8, 0.95)
"""The same where P(alive) is probed, which hangs on it most."""
LONG = 5.0
"""With an unlimited horizon: how many mean ages ahead is looked too."""
COUNTS = 48
"""Numbers of orders up to which probes look."""
AT_CORNERS = np.array([0, 1, 2, 4, 8, 16, 32])
"""Those for customers with extreme covariates."""
MOST_USUAL = 500.0
"""Orders of the probes at most: with extreme covariates a model may expect any number."""
LEVELS = np.linspace(0.02, 0.98, 13)
"""Cumulative probabilities at which a spend model is probed."""
Made = TypeVar("Made")
_MADE: WeakKeyDictionary[Estimator, tuple[Array, dict[object, Any]]] = WeakKeyDictionary()


def orders_law(model: PurchaseModel, horizon: float) -> OrdersLaw:
    """The law of orders within a horizon, in the unit of the history, averaged over the model's posterior."""
    found = averaged_over(model)
    if found is None:
        points = one_point(model._theta)
    else:
        # Between the probed covariates lies more than between the histories probed.
        error = TOLERANCE / 2 if model._seen.mean else TOLERANCE
        points = _kept(
            model, found.thetas, horizon,
            lambda draws: few_points(draws, lambda thetas: _probe_orders(model, thetas, horizon), error),
        )  # fmt: skip
    return OrdersLaw(model.kernel, points, horizon, lambda theta, extra: model._params(extra, theta))


def drawn_thetas(model: PurchaseModel) -> Array:
    """Draws (D, k) of the posterior that predictions are averaged over; the estimate alone where there is none."""
    found = averaged_over(model)
    return model._theta[None, :] if found is None else found.thetas


def spend_law(model: SpendModel) -> SpendLaw:
    """The law of money, averaged over the model's posterior."""
    found = averaged_over(model)
    if found is None:
        return _spend_law(model, one_point(_logs(model, np.array([model._params]))[0]))
    return _kept(
        model, found.thetas, None,
        lambda _: _spend_law(model, _spend_points(model, _logs(model, found.draws))),
    )  # fmt: skip


def _spend_law(model: SpendModel, points: Points) -> SpendLaw:
    if model.key == "gamma-gamma":
        return GammaGammaSpend(GammaGammaLaw(points))
    if model.key == "normal-spend":
        return NormalSpendLaw(points)
    raise SettingsError(f"{model.name} has no law of the money that a customer goes on to spend.")


def averaged_over(model: PurchaseModel | SpendModel) -> ModelPosterior | None:
    """The posterior that predictions are averaged over; None where they stand at the estimate.

    Draws that came with a file, else a thousand. None where a file holds none, and where amounts do not vary.
    """
    if isinstance(model, SpendModel) and not model._varies:
        return None
    if model._likelihood is not None:
        return model.posterior()
    return model.posterior(len(model._drawn[2])) if model._drawn is not None else None


def spent_by(model: SpendModel, history: Any) -> Spent:
    """What a fitted spend model knows of each customer, and what it expects of a purchase of theirs."""
    data: Amounts = model.amounts(history)
    squares = data.squares if model._known(data) else None  # where the kernel takes none, none are told
    return Spent(data.x, data.m, squares, model._expected(data.x, data.m))


def customers_of(h: Histories, spent: Spent | None = None) -> Customers:
    """Customers by their history."""
    d = distinct(h.frequency, h.recency, h.T, None, h.extra)
    return Customers(DistinctHistories(d.x, d.t_x, d.T, d.extra), d.inverse, spent)


def _kept(model: Estimator, draws: Array, key: object, make: Callable[[Array], Made]) -> Made:
    """Points and tables made once a posterior: scores, totals and steps ask for the same law."""
    last, made = _MADE.get(model, (None, {}))
    if last is None or last.shape != draws.shape or not np.array_equal(last, draws):
        made = {}
        _MADE[model] = (draws, made)
    if key not in made:
        made[key] = make(draws)
    found: Made = made[key]
    return found


def _logs(model: SpendModel, values: Array) -> Array:
    """Parameters (D, k) with logs of those above zero."""
    found = np.array(values, dtype=np.float64)
    for i, name in enumerate(model.kernel.names):
        if name in model.kernel.log_names:
            found[:, i] = np.log(found[:, i])
    return found


def _probe_orders(model: PurchaseModel, thetas: Array, horizon: float) -> Array:
    """Cumulative probabilities of orders of a few histories that are usual under the model, (P, m).

    With covariates those of the average customer, and fewer of customers who lie as far out as any: what holds at the
    corners of a box of covariates holds within it.
    """
    average, *corners = model._seen.corners()
    found = [_probe_of(model, thetas, horizon, average, np.arange(COUNTS + 1))]
    found += [_probe_of(model, thetas, horizon, corner, AT_CORNERS) for corner in corners]
    return np.concatenate(found, axis=1)


def _probe_of(
    model: PurchaseModel,
    thetas: Array,
    horizon: float,
    covariates: Mapping[str, Array],
    counts: NDArray[np.intp],
) -> Array:
    """The same of customers with given covariates, up to given numbers of orders."""
    age = model._scale
    t = age if math.isinf(horizon) else horizon
    own: list[Number] = model._params(covariates, model._theta)
    usual = float(np.asarray(model.kernel.expected_orders(own, age)).reshape(-1)[0])
    usual = min(max(1.0, usual), MOST_USUAL)
    seen = sorted({(round(times * usual), share if times else 0.0) for times in PROBED for share in SILENT})
    x = np.array([count for count, _ in seen], dtype=float)
    t_x = np.array([share * age if count else 0.0 for count, share in seen])
    # (P, 1) parameters against (histories,) data.
    params: list[Number] = [
        np.asarray(p)[..., :1] if np.ndim(p) else p for p in model._params(covariates, thetas[:, None, :])
    ]
    ages = np.full(len(x), age)
    # Whether a customer is alive, and what comes within their age, are probed whatever the horizon: in a short one
    # all laws look alike, and points that serve it would say otherwise of P(alive) than those of a long one.
    found = [
        np.cumsum(model.kernel.conditional_pmf(params, x, t_x, ages, ahead, COUNTS), axis=-1)[..., counts]
        for ahead in sorted({t, age, LONG * age} if math.isinf(horizon) else {t, age})
    ]
    x, t_x = (part.ravel() for part in np.meshgrid(np.unique(x), np.array(LAST) * age))
    t_x = np.where(x > 0, t_x, 0.0)
    alive = np.asarray(model.kernel.p_alive(params, x, t_x, np.full(len(x), age)), dtype=np.float64)
    return np.concatenate([part.reshape(len(thetas), -1) for part in (*found, alive)], axis=1)


def _spend_points(model: SpendModel, draws: Array) -> Points:
    """Points of a spend model's posterior, probed by what one and four purchases bring."""
    names, logs = model.kernel.names, model.kernel.log_names
    data = model._params
    m = model.expected_order_value_
    counts = np.array([0.0, 1.0, 1.0, 4.0, 4.0])
    means = np.array([0.0, 0.5, 2.0, 0.5, 2.0]) * m
    ahead = np.array([1.0, 4.0])
    # Amounts at which the fitted model has reached given levels; the posterior is asked for its levels there.
    where = np.stack(
        [model.kernel.sum_quantile(data, n, counts[:, None], means[:, None], LEVELS) for n in ahead]
    )

    def probe(points: Array) -> Array:
        params = [np.exp(points[:, i]) if name in logs else points[:, i] for i, name in enumerate(names)]
        wide = [value[:, None, None, None] for value in params]
        found = model.kernel.sum_cdf(wide, ahead[:, None, None], counts[:, None], means[:, None], where)
        return np.asarray(found).reshape(len(points), -1)

    return few_points(draws, probe)
