"""What all customers together are expected to order and to be worth, with intervals that are no sums of intervals."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from evervalue.core.arguments import number
from evervalue.models.histories import Histories
from evervalue.models.laws import _logs, averaged_over, customers_of, drawn_thetas, orders_law, spent_by
from evervalue.models.purchase import PurchaseModel
from evervalue.models.spend_model import SpendModel
from evervalue.models.value_scores import Asked, ValueScores
from evervalue.numerics.arrays import Array
from evervalue.numerics.predictive.intervals import asked_mass
from evervalue.numerics.predictive.score import Customers, expectations, second_moments
from evervalue.numerics.predictive.total import TotalLaw, normal_means, of_draws, of_normals, spread_of

FEW = 2_000
"""Customers up to which totals are simulated: their luck is not Normal yet."""
SIMULATIONS = 2_000
SHOCKS = 25
DRAWS = 200
"""Draws under which totals are computed where a posterior is far from Normal; else their spread is enough."""


@dataclass(frozen=True)
class Total:
    """Totals over customers; NaN where nothing can be said."""

    customers: int
    expected_orders: float
    orders_low: float
    orders_high: float
    expected_clv: float
    clv_low: float
    clv_high: float
    says: str
    """How the intervals came about, or why there are none."""

    def to_dict(self) -> Mapping[str, float | int | str]:
        """Plain values."""
        return asdict(self)


def value_total(
    purchase: PurchaseModel,
    spend: SpendModel | None,
    h: Histories,
    asked: Asked,
    scores: ValueScores,
    *,
    shock: float = 0.0,
) -> Total:
    """Totals of the customers that `scores` are of; the means are the sums of theirs.

    Intervals hold what luck and the uncertainty of parameters may bring under the models. A change of trade that no
    model knows of, such as a season, hits all customers at once: `shock` is by how much, as a standard deviation of the
    log of actual over expected totals, and a backtest tells it. At 0 totals miss far more often than they say.

    Raises
    ------
    SettingsError
        The interval or the shock is not possible.
    """
    wanted = "must be a standard deviation of logs from 0 to 2, such as 0.15."
    shock = number(shock, "shock", wanted, lambda sd: 0 <= sd < 2)
    mass = asked_mass(asked.interval)
    sums = float(scores.expected_orders.sum()), float(scores.expected_clv.sum())
    nothing = TotalLaw(math.nan, math.nan, math.nan)
    if not 0 < asked.horizon < math.inf:
        orders = TotalLaw(sums[0], 0.0, 0.0) if asked.horizon == 0 else nothing
        money = TotalLaw(sums[1], 0.0, 0.0) if asked.horizon == 0 and spend is not None else nothing
        says = (
            "Nothing is ordered in no time."
            if asked.horizon == 0
            else "An unlimited horizon has no interval."
        )
        return _told(len(h), sums, orders, money, says)
    parts = _Parts(purchase, spend, h, asked, shock)
    if len(h) <= FEW:
        orders, money = parts.simulated(mass)
        says = f"Intervals from {SIMULATIONS:,} simulations of all customers, parameters drawn anew in each."
    else:
        orders, money = parts.normal(mass)
        says = "Intervals of a Normal total under the parameters, mixed over their posterior."
        if spend is not None and not math.isfinite(money.low):
            says += " That of money is missing: under this spend model it has no variance, so few customers decide it."
    says += (
        f" All customers together may differ from what they are told to do by {100 * shock:.0f} % (one standard "
        "deviation)."
        if shock
        else " A season or a trend that the models do not know is not in them."
    )
    # A correction moves means; intervals move in proportion.
    return _told(len(h), sums, _moved(orders, sums[0]), _moved(money, sums[1]), says)


def _told(n: int, sums: tuple[float, float], orders: TotalLaw, money: TotalLaw, says: str) -> Total:
    return Total(n, sums[0], orders.low, orders.high, sums[1], money.low, money.high, says)


def _moved(law: TotalLaw, mean: float) -> TotalLaw:
    times = mean / law.mean if law.mean else 1.0
    low, high = sorted((law.low * times, law.high * times)) if math.isfinite(law.low) else (law.low, law.high)
    return TotalLaw(mean, low, high)


class _Parts:
    """What both ways need: draws, histories, what an order is worth after discount and margin."""

    def __init__(
        self, purchase: PurchaseModel, spend: SpendModel | None, h: Histories, asked: Asked, shock: float
    ) -> None:
        self.purchase, self.spend, self.asked, self.shock = purchase, spend, asked, shock
        self.spent = None if spend is None else spent_by(spend, h)
        self.customers: Customers = customers_of(h, self.spent)
        histories = self.customers.histories
        self.law = orders_law(purchase, asked.horizon)
        self.found = expectations(self.law, histories, asked.delta)
        orders = self.found.orders
        kept = np.divide(self.found.discounted_orders, orders, out=np.ones(len(orders)), where=orders > 0)
        self.worth = kept[self.customers.place] * asked.margin
        self.thetas = drawn_thetas(purchase)
        if spend is not None:
            spend_drawn = averaged_over(spend)
            values = np.array([spend._params]) if spend_drawn is None else spend_drawn.draws
            self.logs = _logs(spend, values)

    def normal(self, mass: float) -> tuple[TotalLaw, TotalLaw]:
        """Totals of many customers."""
        place, histories = self.customers.place, self.customers.histories
        weight = np.asarray(np.bincount(place, minlength=len(histories)), dtype=float)
        second = second_moments(self.law, histories, self.found)
        variance = second - self.found.orders**2
        few = len(self.law.points) not in (1, 2 * self.thetas.shape[1])

        def ordered(theta: Array, of: Array) -> float:
            return float(self._orders(theta) @ of)

        means = self._spread(lambda theta: ordered(theta, weight), self.thetas, few)
        orders = of_normals(self._shaken(means), float(variance @ weight), mass)
        if self.spend is None or self.spent is None or self.spent.order_value is None:
            return orders, TotalLaw(math.nan, math.nan, math.nan)
        each = self.spent.order_value * self.worth
        by_history = np.asarray(np.bincount(place, weights=each, minlength=len(histories)), dtype=float)
        expected = self.found.orders[place]
        with_orders = self._spread(lambda theta: ordered(theta, by_history), self.thetas, few)
        with_money = self._spread(
            lambda point: float(expected @ (self._order_value(point) * self.worth)), self.logs, False
        )
        centre = float(by_history @ self.found.orders)
        # Draws of the two posteriors are independent, so they are paired as they come.
        size = min(len(with_orders), len(with_money))
        means = with_orders[:size] * with_money[_shuffled(len(with_money))][:size] / max(centre, 1e-300)
        spread = self._money_variance(second[place], expected, each)
        if not math.isfinite(spread):
            return orders, TotalLaw(float(means.mean()), math.nan, math.nan)
        return orders, of_normals(self._shaken(means), spread, mass)

    def simulated(self, mass: float) -> tuple[TotalLaw, TotalLaw]:
        """Totals of few customers."""
        h, place = self.customers.histories, self.customers.place
        keys = [place] if self.spent is None else [self.spent.mean, self.spent.count, place]
        order = np.lexsort(keys)  # the order of rows must not choose the random numbers
        own = h.take(place[order])
        spent = None if self.spent is None else self.spent.take(order)
        worth = self.worth[order]
        rng = np.random.default_rng(20_260_101)
        orders, money = np.empty(SIMULATIONS), np.zeros(SIMULATIONS)
        for i in range(SIMULATIONS):
            params = self.purchase._params(own.extra, self.thetas[i % len(self.thetas)])
            n = self.purchase.kernel.sample_orders(params, own.x, own.t_x, own.T, self.asked.horizon, rng)
            shaken = float(np.exp(self.shock * rng.standard_normal() - self.shock**2 / 2))
            orders[i] = n.sum() * shaken
            if self.spend is not None and spent is not None:
                known = () if spent.squares is None else (spent.squares,)
                drawn = self.spend.kernel.sample_sum(
                    self._spend_params(self.logs[(7 * i + 3) % len(self.logs)]), n, spent.count, spent.mean,
                    rng, *known,
                )  # fmt: skip
                money[i] = float((drawn * worth).sum()) * shaken
        found = of_draws(orders, float(self.found.orders[place].sum()), mass)
        if self.spent is None or self.spent.order_value is None:
            return found, TotalLaw(math.nan, math.nan, math.nan)
        mean = float((self.found.orders[place] * self.spent.order_value * self.worth).sum())
        return found, of_draws(money, mean, mass)

    def _shaken(self, means: Array) -> Array:
        """The means under shocks to all customers alike, log-normal with a mean of 1."""
        if self.shock == 0:
            return means
        shocks = np.exp(self.shock * normal_means(0.0, 1.0, SHOCKS))
        return np.outer(means, shocks / shocks.mean()).reshape(-1)

    def _orders(self, theta: Array) -> Array:
        h = self.customers.histories
        params = self.purchase._params(h.extra, theta)
        found = self.purchase.kernel.conditional_expected_orders(params, h.x, h.t_x, h.T, self.asked.horizon)
        return np.broadcast_to(found, (len(h),))

    def _spend_params(self, point: Array) -> list[float]:
        assert self.spend is not None
        kernel = self.spend.kernel
        return [
            float(np.exp(v)) if name in kernel.log_names else float(v)
            for name, v in zip(kernel.names, point, strict=True)
        ]

    def _order_value(self, point: Array) -> Array:
        """Expected money a purchase under one point of the spend posterior."""
        assert self.spend is not None
        assert self.spent is not None
        found = self.spend.kernel.conditional_expected_order_value(
            self._spend_params(point), self.spent.count, self.spent.mean
        )
        assert self.spent.order_value is not None
        usual: Array = self.spent.order_value
        return np.where(np.isfinite(found), found, usual)

    def _money_variance(self, second: Array, expected: Array, each: Array) -> float:
        """Sum of variances of money given the parameters, by way of those of one purchase and of two."""
        assert self.spend is not None
        assert self.spent is not None
        spent = self.spent
        known = () if spent.squares is None else (spent.squares,)
        one, two = (
            self.spend.kernel.sum_variance(self.spend._params, n, spent.count, spent.mean, *known)
            for n in (1.0, 2.0)
        )
        with np.errstate(invalid="ignore"):
            square = two / 2 - one  # the variance of n purchases is linear n + square n^2
            linear = one - square
            of_spend = (linear * expected + square * second) * self.worth**2
        return float(np.sum(of_spend + (second - expected**2) * each**2))

    def _spread(self, of: Callable[[Array], float], draws: Array, draws_themselves: bool) -> Array:
        """Equally likely values of a function over a posterior."""
        if len(draws) == 1:
            return np.full(DRAWS, of(draws[0]))
        if draws_themselves:
            return np.array([of(draw) for draw in draws[:DRAWS]])
        found = spread_of(of, draws.mean(axis=0), np.cov(draws, rowvar=False))
        return normal_means(*found, size=DRAWS)


def _shuffled(size: int) -> NDArray[np.int64]:
    """A fixed order in which no value keeps its rank."""
    return np.random.default_rng(0).permutation(size)
