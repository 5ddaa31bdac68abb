"""What is said where nothing came and nothing was spent: true sentences, and no spread that nobody saw."""

from __future__ import annotations

import numpy as np
import pytest

import evervalue as ev

RNG = np.random.default_rng(1)
SEEN = ev.BetaGeo().kernel.simulate((0.8, 30.0, 0.8, 2.5), RNG.uniform(50, 365, 150), RNG)
LENGTH = np.ceil(SEEN.t_x)
X = np.minimum(SEEN.x, LENGTH)
ALL = {"frequency": X, "recency": LENGTH, "T": np.ceil(SEEN.T)}
MONEY = {**ALL, "monetary_value": np.where(X > 0, RNG.gamma(4.0, 10.0, 150), 0.0)}
NOTHING = {
    **ALL,
    **{name: np.zeros(150) for name in ("monetary_value", "monetary", "mean_monetary", "least_monetary")},
    "monetary_squared_sum": np.zeros(150),
    "repeat_monetary": np.zeros(150),
}


@pytest.fixture(scope="module")
def value() -> ev.CLV:
    return ev.CLV(ev.BetaGeo(), ev.GammaGamma()).fit(MONEY, unit="D")


def test_nobody_ordered(value: ev.CLV) -> None:
    told = value.recalibrate(MONEY, np.zeros(150), np.zeros(150), "180d").says()
    expected = float(np.sum(value.purchase_.predict(MONEY, "180d")["expected_orders"]))
    assert told[0].startswith(f"Nobody ordered, where {expected:,.1f} orders were expected.")
    assert "at a quarter of the pace" in told[0]
    assert "75 % slower" not in told[0]


@pytest.mark.slow
def test_a_pace_beyond_what_is_corrected_for_is_said(value: ev.CLV) -> None:
    told = value.recalibrate(MONEY, np.full(150, 50), np.full(150, 900.0), "180d").says()
    assert told[0].startswith(
        "Customers ordered more than 4 times as much as the model expects (7,500 orders, "
    )


def test_a_pace_says_what_came_and_what_was_expected(value: ev.CLV) -> None:
    found = value.recalibrate(MONEY, X, 30 * X, "180d")
    (pace, *_) = found.says()
    assert pace.startswith("Customers ordered ")
    assert f"({X.sum():,.0f} orders, " in pace
    assert type(found).from_dict(found.to_dict()).says()[0] == pace, "a file keeps it"


@pytest.mark.parametrize("spend", ["repeat", "all"])
def test_where_nothing_was_spent_value_is_nothing(spend: str) -> None:
    model = ev.CLV(ev.BetaGeo(), ev.NormalSpend(spend=spend)).fit(NOTHING, unit="D")
    found = model.predict(NOTHING, "1y")
    for end in ("expected_clv", "clv_low", "clv_high"):
        assert np.abs(np.asarray(found[end], dtype=float)).max() < 5e-5, "0.0000 in money"
    total = model.total(NOTHING, "1y")
    assert (total.clv_low, total.clv_high) == pytest.approx((0, 0), abs=5e-3)
    (says,) = [f.says for f in model.spend_.findings_ if f.code == "constant_spend"]
    assert says.startswith("Every purchase brought 0.00")
