"""Predictive laws against second methods: every posterior draw, the closed form of each customer, and simulation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import pytest

from evervalue.models.histories import distinct
from evervalue.models.laws import orders_law, spend_law, spent_by
from evervalue.models.purchase import PurchaseModel
from evervalue.models.purchase_models import BetaGeo, ParetoNBD
from evervalue.models.spend import GammaGamma, NormalSpend
from evervalue.numerics.arrays import Array
from evervalue.numerics.predictive import orders
from evervalue.numerics.predictive.intervals import shortest
from evervalue.numerics.predictive.orders import TAIL, Block, DistinctHistories, OrdersLaw
from evervalue.numerics.predictive.posterior_points import Points, one_point
from evervalue.numerics.predictive.score import Customers, expectations, score
from evervalue.numerics.predictive.value import GammaGammaSpend, Spent
from evervalue.numerics.purchases import bg_nbd, mbg_cnbd_k
from evervalue.numerics.purchases.kernel import Kernel
from evervalue.numerics.spend import gamma_gamma, normal_spend
from evervalue.numerics.spend.gamma_gamma_law import GammaGammaLaw, counts_to, onto
from evervalue.numerics.spend.normal_spend_law import NormalSpendLaw
from tests.support import cdnow

Frame = dict[str, Array]
BG = (0.242595, 4.413602, 0.792922, 2.425907)
BG_NBD = BetaGeo().kernel
GG = (6.24957, 3.74422, 15.44353)


@pytest.fixture(scope="module")
def cdnow_frame() -> Frame:
    c = cdnow.calibration()
    return {name: c[name] for name in ("frequency", "recency", "T", "monetary_value")}


def certain(params: Sequence[float], horizon: float = 39.0) -> OrdersLaw:
    return OrdersLaw(BG_NBD, one_point(np.log(params)), horizon, lambda point, extra: np.exp(point))


def customers_of(frame: Frame, spent: Spent | None = None) -> Customers:
    d = distinct(frame["frequency"], frame["recency"], frame["T"])
    return Customers(DistinctHistories(d.x, d.t_x, d.T), d.inverse, spent)


# Orders


@pytest.mark.parametrize("model", [BetaGeo(), ParetoNBD()], ids=lambda m: m.key)
def test_a_few_points_say_what_all_draws_say_of_histories_that_were_no_probes(
    cdnow_frame: Frame, model: PurchaseModel
) -> None:
    model.fit(cdnow_frame, unit="W")
    law = orders_law(model, 39.0)
    assert len(law.points) <= 13
    histories = customers_of(cdnow_frame).histories.take(np.arange(0, 1_000, 40))
    found = np.cumsum(law.pmf(histories, 20), axis=1)
    draws = model.posterior().draws
    each = model.kernel.conditional_pmf(
        draws.T[:, :, None], histories.x, histories.t_x, histories.T, 39.0, 20
    )
    assert np.abs(found - np.cumsum(each, axis=2).mean(axis=0)).max() < 1.5e-3


def test_orders_of_a_law_are_those_of_a_simulation(cdnow_frame: Frame) -> None:
    rng = np.random.default_rng(11)
    histories = customers_of(cdnow_frame).histories.take(np.array([0, 300, 600, 900, 1_010]))
    law = certain(BG)
    pmf = law.pmf(histories, 30)
    drawn = np.stack(
        [bg_nbd.sample_orders(BG, histories.x, histories.t_x, histories.T, 39.0, rng) for _ in range(5_000)]
    )
    for n in range(6):
        share = (drawn == n).mean(axis=0)
        assert np.all(np.abs(share - pmf[:, n]) < 4.5 * np.sqrt(pmf[:, n] / len(drawn)) + 1e-9)


def test_the_end_of_a_law_leaves_out_next_to_nothing(cdnow_frame: Frame) -> None:
    histories = customers_of(cdnow_frame).histories
    law = certain(BG, horizon=200.0)
    found = expectations(law, histories, 0.0)
    seen = np.zeros(len(histories))
    for rows, end in law.blocks(histories, found.orders, found.p_alive):
        for block in law.laws(histories, rows, end):
            assert np.all(1 - block.pmf.sum(axis=1) <= TAIL)
            n = np.arange(block.pmf.shape[1])
            np.testing.assert_allclose(block.pmf @ n, found.orders[block.rows], rtol=1e-3, atol=1e-4)
            seen[block.rows] += 1
    assert np.all(seen == 1)


# Money, Gamma-Gamma


def some_orders(n: int, rng: np.random.Generator, most: int = 40) -> Array:
    mean = rng.gamma(0.7, 6.0, n)
    pmf = np.exp(-mean[:, None] + np.arange(most + 1) * np.log(mean[:, None]))
    pmf /= np.cumprod(np.concatenate([[1.0], np.arange(1.0, most + 1)]))
    gone = rng.random(n)[:, None]
    pmf *= 1 - gone
    pmf[:, :1] += gone
    return np.asarray(pmf / pmf.sum(axis=1, keepdims=True))


def held_by(cdf: Callable[[Array, Array], Array], pmf: Array, low: Array, high: Array) -> Array:
    """Mass of [low, high] by the closed form of the sum of every n."""
    n = np.arange(1.0, pmf.shape[1])[:, None]
    inside = (pmf.T[1:] * (cdf(n, high) - cdf(n, low))).sum(axis=0)
    return np.asarray(inside + pmf[:, 0] * ((low <= 0) & (high >= 0)))


def gamma_gamma_at(params: tuple[float, ...], k: Array, m: Array, n: Array, y: Array) -> Array:
    return gamma_gamma.sum_cdf(params, n, k, m, y)


def normal_at(params: tuple[float, ...], own: Spent, n: Array, y: Array) -> Array:
    return normal_spend.sum_cdf(params, n, own.count, own.mean, y, own.squares)


@pytest.mark.parametrize(
    "params",
    [GG, (0.8, 3.6, 126.0), (0.15, 0.9, 10.0), (60.0, 15.0, 4.0), (3.0, 2.0, 1e6)],
    ids=lambda p: f"p{p[0]}-q{p[1]}",
)
@pytest.mark.parametrize("mass", [0.5, 0.9, 0.99])
def test_intervals_of_money_hold_what_they_say_by_the_closed_form(
    params: tuple[float, ...], mass: float
) -> None:
    rng = np.random.default_rng(5)
    n = 300
    k = rng.integers(0, 30, n).astype(float)
    m = gamma_gamma.simulate(params, k, rng).mean
    pmf = some_orders(n, rng)
    worst = 0.0
    spend = GammaGammaSpend(GammaGammaLaw(one_point(np.log(params))))
    rows = np.arange(n)
    for block in spend.laws(Block(rows, pmf), rows, rows, Spent(k, m)):
        found = shortest(block.law, mass)
        who, low, high = block.customers, *(e[block.place] * block.scale for e in (found.low, found.high))
        held = held_by(
            partial(gamma_gamma_at, params, k[who], m[who]),
            pmf[who], low, high,
        )  # fmt: skip
        worst = max(worst, float(np.abs(held - found.mass[block.place]).max()))
    assert worst < 6e-4


def test_no_interval_of_money_with_another_lower_end_is_shorter() -> None:
    pmf = np.zeros((3, 41))
    pmf[:, 15:26] = 1 / 11  # many orders for certain: the interval leaves zero
    k, m = np.array([0.0, 4.0, 20.0]), np.array([0.0, 30.0, 50.0])
    rows = np.arange(3)
    spend = GammaGammaSpend(GammaGammaLaw(one_point(np.log(GG))))
    n = np.arange(1.0, 41)[:, None]
    for block in spend.laws(Block(rows, pmf), rows, rows, Spent(k, m)):
        found = shortest(block.law, 0.9)
        i = block.customers[0]
        low, high = found.low[0] * block.scale[0], found.high[0] * block.scale[0]
        y = np.linspace(0.3 * low, 1.2 * high, 10_000)
        upto = (pmf[i, 1:, None] * gamma_gamma.sum_cdf(GG, n, k[i], m[i], y)).sum(axis=0)
        end = np.searchsorted(upto, upto + 0.9)
        inside = end < len(y)
        least = (y[end[inside]] - y[inside]).min()
        assert low > 0
        assert high - low == pytest.approx(least, rel=2e-3)


def test_uncertain_spend_is_averaged_over_its_posterior(cdnow_frame: Frame) -> None:
    """Ninety-nine customers, the law of each averaged by hand over all draws of p, q and v."""
    few = {name: column[::20] for name, column in cdnow_frame.items()}
    model = GammaGamma().fit(few)  # 118 customers, 48 with a repeat: p, q and v are little known
    draws = model.posterior().draws
    assert draws.std(axis=0)[2] / draws.mean(axis=0)[2] > 0.25
    law, spent = spend_law(model), spent_by(model, few)
    rng = np.random.default_rng(8)
    rows = np.arange(99)
    pmf = some_orders(99, rng, most=15)
    params = draws.T[:, :, None, None]
    gap = []
    for block in law.laws(Block(rows, pmf), rows, rows, spent.take(rows)):
        found = shortest(block.law, 0.9)
        for who, place, scale in zip(block.customers, block.place, block.scale, strict=True):
            ends = np.array([found.low[place], found.high[place]]) * scale
            n = np.arange(1.0, 16)[:, None]
            upto = gamma_gamma.sum_cdf(params, n, spent.count[who], spent.mean[who], ends).mean(axis=0)
            held = pmf[who, 1:] @ (upto[:, 1] - upto[:, 0]) + pmf[who, 0] * (ends[0] <= 0)
            gap.append(held - found.mass[place])
    assert len(gap) == 99
    assert np.abs(gap).max() < 0.005
    assert np.abs(gap).mean() < 0.0015


def test_thinned_counts_keep_the_mean_and_nearly_the_spread() -> None:
    mean = 400.0
    n = np.arange(601.0)
    log_p = n * np.log(mean) - mean - np.concatenate([[0.0], np.cumsum(np.log(n[1:]))])
    pmf = np.exp(log_p)[None, :]
    counts = counts_to(600)
    thin = onto(pmf, counts)
    assert len(counts) < 240
    assert thin[0] @ counts == pytest.approx(mean, rel=1e-9)
    spread = np.sqrt(thin[0] @ counts**2 - mean**2)
    assert 1.0 <= spread / np.sqrt(mean) < 1.007


# Money, hierarchical normal


@pytest.mark.parametrize(
    "params",
    [(30.0, 0.5, 3.0, 80.0), (-5.0, 0.2, 1.2, 400.0), (2.0, 1.0, 0.6, 10.0)],
    ids=lambda p: f"m{p[0]}",
)
def test_two_sided_intervals_hold_what_they_say_by_the_closed_form(params: tuple[float, ...]) -> None:
    rng = np.random.default_rng(3)
    n = 300
    k = rng.integers(0, 6, n).astype(float)
    seen = normal_spend.simulate(params, k, rng)
    pmf = some_orders(n, rng)
    spent = Spent(k, seen.mean, seen.squares)
    law = NormalSpendLaw(one_point(np.array([params[0], *np.log(params[1:])])))
    rows, done, negative = np.arange(n), 0, 0
    for block in law.laws(Block(rows, pmf), rows, rows, spent):
        found = shortest(block.law, 0.9)
        who, low, high = block.customers, found.low[block.place], found.high[block.place]
        own = spent.take(who)
        held = held_by(
            partial(normal_at, params, own),
            pmf[who], low, high,
        )  # fmt: skip
        assert np.abs(held - found.mass[block.place]).max() < 2e-3
        done, negative = done + len(who), negative + int((low < 0).sum())
    assert done == n
    assert negative > 0


def test_normal_spend_of_real_customers_is_averaged_over_its_posterior(cdnow_frame: Frame) -> None:
    few = {name: column[::10] for name, column in cdnow_frame.items()}
    model = NormalSpend(location="likelihood").fit(few)
    draws = model.posterior().draws
    law, spent = spend_law(model), spent_by(model, few)
    rows = np.arange(25)
    pmf = some_orders(25, np.random.default_rng(2), most=10)
    n = np.arange(1.0, 11)[:, None]
    gap = []
    for block in law.laws(Block(rows, pmf), rows, rows, spent.take(rows)):
        found = shortest(block.law, 0.9)
        for who, place in zip(block.customers, block.place, strict=True):
            ends = np.array([found.low[place], found.high[place]])
            known = () if spent.squares is None else (spent.squares[who],)
            upto = normal_spend.sum_cdf(
                draws.T[:, :, None, None], n, spent.count[who], spent.mean[who], ends, *known
            ).mean(axis=0)
            held = pmf[who, 1:] @ (upto[:, 1] - upto[:, 0]) + pmf[who, 0] * (ends[0] <= 0 <= ends[1])
            gap.append(held - found.mass[place])
    assert np.abs(gap).max() < 0.005


# Both together


def test_money_within_a_horizon_is_that_of_a_simulation(cdnow_frame: Frame) -> None:
    rng = np.random.default_rng(4)
    which = np.array([0, 500, 1_000, 1_500, 2_000])
    few = {name: column[which] for name, column in cdnow_frame.items()}
    few["frequency"][0] = 0  # somebody without a repeat
    few["recency"][0] = 0
    spent = Spent(few["frequency"], np.where(few["frequency"] > 0, few["monetary_value"], 0.0))
    customers, law = customers_of(few, spent), certain(BG)
    found = expectations(law, customers.histories, 0.0)
    _, money = score(
        law, customers, found, 0.9, spend=GammaGammaSpend(GammaGammaLaw(one_point(np.log(GG)))), threads=1
    )
    assert money is not None
    draws = 5_000
    n = np.stack(
        [
            bg_nbd.sample_orders(BG, few["frequency"], few["recency"], few["T"], 39.0, rng)
            for _ in range(draws)
        ]
    )
    y = gamma_gamma.sample_sum(GG, n, spent.count, spent.mean, rng)
    inside = ((y >= money.interval.low) & (y <= money.interval.high)).mean(axis=0)
    error = np.sqrt(money.interval.mass * (1 - money.interval.mass) / draws)
    assert np.all(np.abs(inside - money.interval.mass) < 4.5 * error + 1e-3)


@pytest.mark.parametrize(("days", "rate"), [(365.0, 0.10), (1825.0, 0.15)])
def test_the_interval_of_discounted_money_holds_nearly_its_mass_when_each_order_is_discounted_alone(
    days: float, rate: float
) -> None:
    """Five years at 15 % is far: one factor a history still covers within 1.5 points of the mass it states."""
    rng = np.random.default_rng(9)
    rates, draws = np.array([0.004, 0.02, 0.08]), 20_000
    delta = np.log1p(rate) / 365
    # Customers who never leave, of known rates, so that orders are a Poisson process.
    n = rng.poisson(rates[:, None] * days, (3, draws))
    p, q, v = GG
    nu = rng.gamma(q, 1 / v, (3, draws))
    money = np.zeros((3, draws))
    for i in range(3):
        for count in np.unique(n[i]):
            rows = np.flatnonzero(n[i] == count)
            at = rng.uniform(0, days, (len(rows), count))
            money[i, rows] = (np.exp(-delta * at) * rng.gamma(p, 1.0, (len(rows), count))).sum(axis=1) / nu[
                i, rows
            ]
    kept = (1 - np.exp(-delta * days)) / (delta * days)
    counts = np.arange(400.0)
    log_factorial = np.concatenate([[0.0], np.cumsum(np.log(counts[1:]))])
    mean = rates[:, None] * days
    pmf = np.exp(counts * np.log(mean) - mean - log_factorial)
    rows = np.arange(3)
    spend = GammaGammaSpend(GammaGammaLaw(one_point(np.log(GG))))
    for block in spend.laws(Block(rows, pmf), rows, rows, Spent(np.zeros(3), np.zeros(3))):
        found = shortest(block.law, 0.9)
        low, high = (e[block.place] * block.scale * kept for e in (found.low, found.high))
        for i, who in enumerate(block.customers):
            inside = ((money[who] >= low[i]) & (money[who] <= high[i])).mean()
            assert inside == pytest.approx(found.mass[block.place[i]], abs=0.015)


@pytest.mark.parametrize(
    "kernel", [BG_NBD, ParetoNBD().kernel, Kernel.of(mbg_cnbd_k, k=2)], ids=["bg", "pareto", "mbg/cnbd-2"]
)
def test_points_taken_together_give_the_same_bits(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Few histories are computed for many points in one call, many histories point by point."""
    rng = np.random.default_rng(5)
    points = Points(rng.normal(np.log([0.5, 60, 0.9, 2.6]), 0.4, (60, 4)), rng.dirichlet(np.ones(60)), 0.0)
    law = OrdersLaw(kernel, points, 365.0, lambda point, extra: np.exp(point))
    some = DistinctHistories(
        np.array([0.0, 3, 12]), np.array([0.0, 200, 350]), np.array([400.0, 400, 360]), {"unused": np.ones(3)}
    )

    def asked() -> list[Array]:
        return [law.p_alive(some), law.expected(some), law.discounted(some, 2e-4), law.pmf(some, 24)]

    assert law.p_alive(some.take(np.arange(0))).size == 0
    together = asked()
    monkeypatch.setattr(orders, "_TOGETHER", 0)
    for one, other in zip(together, asked(), strict=True):
        assert np.array_equal(one, other)
