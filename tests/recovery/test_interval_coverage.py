"""Customers simulated from each model, the models fitted to them: intervals of what comes hold what they say."""

from __future__ import annotations

import numpy as np
import pytest

from evervalue.models.clv import CLV
from evervalue.models.histories import histories
from evervalue.models.purchase import PurchaseModel
from evervalue.models.purchase_models import BetaGeo, ModifiedBetaGeo, ParetoNBD, RegularBetaGeo
from evervalue.models.recalibration import learnt
from evervalue.models.spend import GammaGamma, NormalSpend
from evervalue.models.spend_model import SpendModel
from evervalue.numerics.arrays import Array
from evervalue.numerics.measures.coverage import Coverage, coverage

HORIZON = 26.0
GG = (4.0, 3.5, 30.0)
NORMAL = (20.0, 0.6, 2.5, 500.0)
CASES: list[tuple[PurchaseModel, tuple[float, ...], SpendModel, tuple[float, ...]]] = [
    (BetaGeo(), (0.6, 6.0, 0.8, 2.5), GammaGamma(), GG),
    (ParetoNBD(), (0.7, 7.0, 0.6, 11.0), GammaGamma(), GG),
    (ModifiedBetaGeo(), (0.7, 5.0, 0.9, 2.0), GammaGamma(), GG),
    (RegularBetaGeo(k=2), (0.9, 3.0, 0.7, 2.5), GammaGamma(), GG),
    (BetaGeo(), (0.6, 6.0, 0.8, 2.5), NormalSpend(location="likelihood"), NORMAL),
]


def simulated(
    purchase: PurchaseModel, params: tuple[float, ...], spend: SpendModel, money: tuple[float, ...], n: int
) -> tuple[dict[str, Array], Array, Array]:
    """A history in weeks, and the orders and money that came after it."""
    rng = np.random.default_rng(20)
    seen = purchase.kernel.simulate(params, rng.uniform(10, 52, n), rng, horizon=HORIZON)
    spent = spend.kernel.simulate(money, seen.x, rng, seen.future)
    history = {"frequency": seen.x, "recency": seen.t_x, "T": seen.T, "monetary_value": spent.mean}
    if spent.squares is not None:
        # What purchase_history(columns="all") tells: sums over all purchase days, the first one of which brought 1.
        repeat = seen.x * spent.mean
        history |= {
            "monetary": repeat + 1,
            "repeat_monetary": repeat,
            "monetary_squared_sum": spent.squares + seen.x * spent.mean**2 + 1,
        }
    return history, seen.future, spent.future


def covers(value: CLV, column: str, outcome: Array, expected: str) -> Coverage:
    found = value.predict(horizon=HORIZON, discount_rate_annual=0.0, details=True)
    return coverage(
        found[f"{column}_low"], found[f"{column}_high"], found[f"{column}_mass"], outcome, found[expected]
    )


@pytest.mark.parametrize(
    ("purchase", "params", "spend", "money"),
    [*CASES[:2], *(pytest.param(*case, marks=pytest.mark.slow) for case in CASES[2:])],
    ids=lambda case: getattr(case, "key", ""),
)
def test_intervals_hold_what_they_say_overall_and_in_every_tenth(
    purchase: PurchaseModel, params: tuple[float, ...], spend: SpendModel, money: tuple[float, ...]
) -> None:
    history, orders, brought = simulated(purchase, params, spend, money, 5_000)
    value = CLV(purchase, spend).fit(history, unit="W")
    for column, outcome, expected in (
        ("orders", orders, "expected_orders"),
        ("clv", brought, "expected_clv"),
    ):
        found = covers(value, column, outcome, expected)
        assert abs(found.gap) < 0.015
        # Of a hundred tenths in these tests a fifth of one lies beyond three standard errors by luck.
        errors = sorted(abs(group.errors) for group in found.deciles)
        assert errors[-2] < 3, (column, errors)
        assert errors[-1] < 4, (column, errors)
        assert 0.9 <= found.whole.mass < 0.97


@pytest.mark.slow
def test_few_customers_leave_parameters_open_and_intervals_know_it() -> None:
    """Eighty customers a time: averaged over twenty such companies the intervals still hold what they say."""
    purchase, params, spend, money = CASES[0]
    held, mass = [], []
    history, _, brought = simulated(purchase, params, spend, money, 1_600)
    for first in range(0, 1_600, 80):
        rows = slice(first, first + 80)
        part = {name: column[rows] for name, column in history.items()}
        found = (
            CLV(BetaGeo(), GammaGamma())
            .fit(part, unit="W")
            .predict(horizon=HORIZON, discount_rate_annual=0.0, details=True)
        )
        held.append(((brought[rows] >= found["clv_low"]) & (brought[rows] <= found["clv_high"])).mean())
        mass.append(found["clv_mass"].mean())
    assert np.mean(held) == pytest.approx(np.mean(mass), abs=0.02)


@pytest.mark.slow
def test_a_total_falls_into_its_interval_as_often_as_it_says() -> None:
    """Twenty companies of 2,500 customers, each fitted alone: their totals are inside nine times of ten."""
    purchase, params, spend, money = CASES[0]
    inside = []
    rng = np.random.default_rng(77)
    for _ in range(20):
        seen = purchase.kernel.simulate(params, rng.uniform(10, 52, 2_500), rng, horizon=HORIZON)
        spent = spend.kernel.simulate(money, seen.x, rng, seen.future)
        history = {"frequency": seen.x, "recency": seen.t_x, "T": seen.T, "monetary_value": spent.mean}
        value = CLV(BetaGeo(), GammaGamma()).fit(history, unit="W")
        found = value.total(horizon=HORIZON, discount_rate_annual=0.0)
        inside += [
            found.orders_low <= seen.future.sum() <= found.orders_high,
            found.clv_low <= spent.future.sum() <= found.clv_high,
        ]
    # 36 of 40 are expected; orders and money go together, so that the spread is that of twenty: 2 * 1.34.
    assert sum(inside) >= 29


def test_laws_that_are_right_are_left_alone_or_hardly_touched() -> None:
    purchase, params, spend, money = CASES[0]
    history, orders, brought = simulated(purchase, params, spend, money, 2_000)
    value = CLV(purchase, spend).fit(history, unit="W")
    found = value.recalibrate(history, orders, brought, horizon=HORIZON)
    levels = np.linspace(0.05, 0.95, 10)[None, :]
    for correction in (found.corrections.orders, found.corrections.value):
        assert np.abs(correction.of(np.ones(1))(levels) - levels).max() < 0.05


@pytest.mark.slow
def test_a_trade_that_doubles_is_missed_before_and_covered_after_the_correction() -> None:
    purchase, params, spend, money = CASES[1]
    history, orders, brought = simulated(purchase, params, spend, money, 4_000)
    rng = np.random.default_rng(3)
    more = rng.poisson(0.8 * (orders + 0.1))
    grown = brought + np.where(orders > 0, brought / np.maximum(orders, 1), 30.0) * more
    found = (
        CLV(purchase, spend)
        .fit(history, unit="W")
        .recalibrate(history, orders + more, grown, horizon=HORIZON)
    )
    for each in found.checked:
        assert not each.before.holds
        assert each.after.holds, (each.of, each.after)
    corrected = CLV(purchase, spend, recalibration=found).fit(history, unit="W").predict(horizon=HORIZON)
    plain = CLV(purchase, spend).fit(history, unit="W").predict(horizon=HORIZON)
    told, before = corrected["expected_orders"].sum(), plain["expected_orders"].sum()
    really = (orders + more).sum()
    assert abs(told / really - 1) < 0.06 < abs(before / really - 1)


@pytest.mark.slow
def test_a_map_learnt_on_one_half_is_judged_on_the_other() -> None:
    """A correction of noise alone would look perfect on its own customers; here it must not."""
    purchase, params, spend, money = CASES[0]
    history, orders, brought = simulated(purchase, params, spend, money, 600)
    value = CLV(purchase, spend).fit(history, unit="W")
    h = histories(history, unit="W")
    one = learnt(value.purchase_, value.spend_, h, HORIZON, orders, brought, ids=range(600))
    two = learnt(value.purchase_, value.spend_, h, HORIZON, orders, brought, ids=range(1_000, 1_600))
    assert one.corrections.orders.to_dict() == two.corrections.orders.to_dict()
    for each, other in zip(one.checked, two.checked, strict=True):
        assert each.before == other.before
        assert each.after != other.after  # other halves, other judges
