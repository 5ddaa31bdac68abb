"""`ev.CLV`: what it gives back, in which kind of frame, and what it refuses or explains."""

from __future__ import annotations

import json
import math
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.base import clone

import evervalue as ev
from evervalue.core.errors import InputError, MissingColumns, NotFitted, SettingsError
from evervalue.models.clv import CLV, COLUMNS
from evervalue.models.histories import histories
from evervalue.models.laws import customers_of, orders_law
from evervalue.models.purchase_models import BetaGeo, ModifiedBetaGeo, ParetoNBD
from evervalue.models.recalibration import Recalibration
from evervalue.models.spend import GammaGamma, NormalSpend
from evervalue.numerics.arrays import Array
from evervalue.numerics.predictive.score import expectations
from tests.support import cdnow

MONEY = {"expected_order_value", "expected_clv", "clv_low", "clv_high"}


def frame() -> pd.DataFrame:
    c = cdnow.calibration()
    found = pd.DataFrame({name: c[name] for name in ("frequency", "recency", "T", "monetary_value")})
    found.insert(0, "customer_id", [f"c{n:04d}" for n in range(len(found))])
    found.attrs["currency"] = "USD"
    return found.iloc[::8]


@pytest.fixture(scope="module")
def value() -> CLV:
    return CLV(BetaGeo(), GammaGamma()).fit(frame(), unit="W")


def floats(column: Any) -> Array:
    return np.asarray(column.astype(float), dtype=np.float64)


# What comes back


def test_a_frame_of_the_kind_that_came_in_with_ids_index_currency_and_exact_money(value: CLV) -> None:
    told = value.predict(horizon="39W")
    assert list(told.columns) == ["customer_id", *COLUMNS]
    assert list(told.index) == list(frame().index)
    assert told.attrs["currency"] == "USD"
    for name in MONEY:
        assert told[name].dtype == pd.ArrowDtype(pa.decimal128(18, 4))
    assert isinstance(told["expected_clv"].iloc[0], Decimal)


@pytest.mark.parametrize("kind", ["polars", "arrow", "mapping"])
def test_other_kinds_of_frames_give_the_same_numbers(value: CLV, kind: str) -> None:
    pandas = value.predict(horizon="39W")
    given: Any = {
        "polars": lambda: pl.from_pandas(frame()),
        "arrow": lambda: pl.from_pandas(frame()).to_arrow(),
        "mapping": lambda: {name: frame()[name].to_numpy() for name in frame().columns},
    }[kind]()  # type: ignore[no-untyped-call]
    told = value.predict(given, horizon="39W")
    columns = {name: told[name].to_pylist() for name in told.column_names} if kind == "arrow" else told
    assert isinstance(told, {"polars": pl.DataFrame, "arrow": pa.Table, "mapping": dict}[kind])
    assert list(columns["customer_id"]) == list(pandas["customer_id"])
    np.testing.assert_allclose(
        np.array([float(v) for v in columns["clv_high"]]), floats(pandas["clv_high"]), rtol=0, atol=5.1e-5
    )


def test_details_tell_the_masses_and_the_chance_of_an_order(value: CLV) -> None:
    told = value.predict(horizon="39W", details=True)
    assert list(told.columns[-3:]) == ["p_any_order", "orders_mass", "clv_mass"]
    for name in ("orders_mass", "clv_mass"):
        assert told[name].min() >= 0.9 - 1e-9
        assert told[name].max() <= 1
    nothing = told["orders_high"] == 0
    assert nothing.any()
    assert (told["p_any_order"][nothing] <= 0.1 + 1e-9).all()
    np.testing.assert_allclose(told["orders_mass"][nothing], 1 - told["p_any_order"][nothing], atol=1e-9)


def test_means_are_those_of_the_models_and_the_product_of_the_parts(value: CLV) -> None:
    told = value.predict(horizon="39W", discount_rate_annual=0.0)
    plain = value.purchase_.conditional_expected_orders(frame(), "39W")
    # Averaged over the posterior, not at its mode: a few percent for few customers, never another order.
    assert told["expected_orders"].sum() == pytest.approx(plain.sum(), rel=0.05)
    each = value.spend_.conditional_expected_order_value(frame())
    np.testing.assert_allclose(floats(told["expected_order_value"]), each, atol=1e-4)
    np.testing.assert_allclose(
        floats(told["expected_clv"]), told["expected_orders"].to_numpy() * each, rtol=1e-9, atol=1e-4
    )


def test_a_year_at_ten_percent_is_worth_less_than_a_year_at_none(value: CLV) -> None:
    plain = value.predict(horizon="365d", discount_rate_annual=0.0)
    later = value.predict(horizon="365d", discount_rate_annual=0.10)
    share = floats(later["expected_clv"]) / floats(plain["expected_clv"])
    assert ((share > 1 / 1.1) & (share < 1)).all()
    ends = floats(later["clv_high"])[floats(plain["clv_high"]) > 0]
    np.testing.assert_allclose(
        ends / floats(plain["clv_high"])[floats(plain["clv_high"]) > 0],
        share[floats(plain["clv_high"]) > 0],
        rtol=1e-3,
    )


def test_a_margin_scales_all_money_and_no_order(value: CLV) -> None:
    whole, part = value.predict(horizon="39W"), value.predict(horizon="39W", margin=0.25)
    for name in MONEY:
        np.testing.assert_allclose(floats(part[name]), 0.25 * floats(whole[name]), atol=1e-4)
    pd.testing.assert_series_equal(part["orders_high"], whole["orders_high"])


def test_a_wider_interval_holds_a_narrower_one_in_length(value: CLV) -> None:
    widths = [
        floats(told["clv_high"]) - floats(told["clv_low"])
        for told in (value.predict(horizon="39W", interval=mass) for mass in (0.5, 0.8, 0.95))
    ]
    assert (widths[0] <= widths[1] + 1e-6).all()
    assert (widths[1] <= widths[2] + 1e-6).all()


def test_margins_below_zero_have_intervals_below_zero() -> None:
    some = frame()
    some["monetary_value"] = np.where(
        some["frequency"] > 0, some["monetary_value"] - 40 * (np.arange(len(some)) % 3), 0.0
    )
    told = CLV(BetaGeo(), NormalSpend()).fit(some, unit="W").predict(horizon="39W")
    low, high = floats(told["clv_low"]), floats(told["clv_high"])
    assert (low < 0).any()
    assert (low <= high).all()


# Horizons


def test_a_horizon_of_zero_is_zero_and_explained(value: CLV) -> None:
    told = value.predict(horizon="0d")
    for name in ("expected_orders", "orders_low", "orders_high", "expected_clv", "clv_low", "clv_high"):
        assert (floats(told[name]) == 0).all()
    assert (floats(told["expected_order_value"]) > 0).all()
    assert any("no time" in says for says in value.says("0d"))


def test_an_unlimited_horizon_has_a_value_but_no_interval(value: CLV) -> None:
    told = value.predict(horizon="inf", discount_rate_annual=0.1)
    assert (floats(told["expected_clv"]) > floats(value.predict(horizon="2y")["expected_clv"])).all()
    for name in ("expected_orders", "orders_low", "orders_high", "clv_low", "clv_high"):
        assert told[name].isna().all()
    assert any("unlimited" in says for says in value.says("inf"))


def test_weeks_and_days_predict_the_same(value: CLV) -> None:
    days = frame()
    days[["recency", "T"]] *= 7
    other = CLV(BetaGeo(), GammaGamma()).fit(days, unit="D").predict(horizon="365d")
    told = value.predict(horizon="365d")
    np.testing.assert_allclose(floats(other["expected_clv"]), floats(told["expected_clv"]), rtol=1e-4)
    np.testing.assert_allclose(floats(other["clv_high"]), floats(told["clv_high"]), rtol=2e-3, atol=1e-3)


# New customers and totals


def test_a_new_customer_is_worth_what_the_models_say_without_the_first_order(value: CLV) -> None:
    told = value.new_customer(horizon="52W", discount_rate_annual=0.0)
    assert told.expected_orders == pytest.approx(float(value.purchase_.expected_orders("52W")), rel=0.05)
    assert told.first_order_value == pytest.approx(value.spend_.expected_order_value_)
    assert told.expected_clv == pytest.approx(told.expected_orders * told.first_order_value)
    assert told.orders_low == 0
    assert told.clv_high > told.expected_clv
    assert json.loads(json.dumps(told.to_dict()))["p_any_order"] == told.p_any_order


def test_a_total_is_the_sum_of_means_but_narrower_than_the_sum_of_ends(value: CLV) -> None:
    told, each = value.total(horizon="39W"), value.predict(horizon="39W")
    assert told.customers == len(frame())
    assert told.expected_orders == pytest.approx(each["expected_orders"].sum())
    assert told.expected_clv == pytest.approx(floats(each["expected_clv"]).sum(), abs=0.05)
    assert floats(each["clv_low"]).sum() < told.clv_low < told.expected_clv < told.clv_high
    assert told.clv_high < floats(each["clv_high"]).sum()
    assert "simulations" in told.says
    assert value.total(horizon="0d").clv_high == 0
    assert math.isnan(value.total(horizon="inf").clv_low)


def test_simulated_and_normal_totals_agree(monkeypatch: pytest.MonkeyPatch, value: CLV) -> None:
    one = value.total(horizon="39W")
    monkeypatch.setattr("evervalue.models.value_total.FEW", 0)
    two = value.total(horizon="39W")
    assert "Normal" in two.says
    assert two.orders_high - two.orders_low == pytest.approx(one.orders_high - one.orders_low, rel=0.15)
    assert two.clv_high - two.clv_low == pytest.approx(one.clv_high - one.clv_low, rel=0.2)
    assert two.expected_clv == one.expected_clv


@pytest.mark.slow
def test_a_shock_to_all_customers_widens_totals_and_moves_no_mean(
    monkeypatch: pytest.MonkeyPatch, value: CLV
) -> None:
    for few in (2_000, 0):
        monkeypatch.setattr("evervalue.models.value_total.FEW", few)
        monkeypatch.setattr("evervalue.models.value_total.SIMULATIONS", 800)
        calm, shaken = value.total(horizon="39W"), value.total(horizon="39W", shock=0.3)
        assert shaken.expected_orders == calm.expected_orders
        width, before = shaken.orders_high - shaken.orders_low, calm.orders_high - calm.orders_low
        # Both spreads add up as squares; 1.645 standard deviations to each side hold nine of ten.
        wanted = np.hypot(before, 2 * 1.645 * 0.3 * calm.expected_orders)
        assert width == pytest.approx(wanted, rel=0.12)
        assert "30 %" in shaken.says
    with pytest.raises(SettingsError, match="shock"):
        value.total(shock=-0.1)


# Estimator habits


def test_it_copies_what_it_is_given_and_can_be_cloned() -> None:
    purchase, spend = BetaGeo(), GammaGamma()
    value = CLV(purchase, spend).fit(frame(), unit="W")
    assert not purchase.__sklearn_is_fitted__()
    assert value.purchase_ is not purchase
    other = clone(value)
    assert isinstance(other, CLV)
    assert not other.__sklearn_is_fitted__()
    assert set(value.get_params()) >= {"purchase", "spend", "recalibration", "spend__penalty"}
    assert ev.CLV is CLV


def test_models_that_are_fitted_already_are_taken_as_they_are(value: CLV) -> None:
    other = CLV.of(value.purchase_, value.spend_)
    pd.testing.assert_frame_equal(other.predict(frame(), "39W"), value.predict(horizon="39W"))
    with pytest.raises(NotFitted, match="history"):
        other.predict()
    with pytest.raises(NotFitted):
        CLV.of(BetaGeo(), value.spend_)


# Refusals


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"interval": 90}, "0.999"),
        ({"margin": 0.0}, "margin"),
        ({"margin": -1.0}, "margin"),
        ({"horizon": "12 months"}, "months"),
        ({"horizon": -1}, "0 or more"),
        ({"horizon": "inf", "discount_rate_annual": 0.0}, "discounted"),
        ({"discount_rate_annual": -1.5}, "above -1"),
    ],
)
def test_what_is_not_possible_is_said(value: CLV, arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        value.predict(**arguments)


def test_what_is_no_model_or_no_history_is_refused() -> None:
    with pytest.raises(SettingsError, match="ev.ParetoNBD"):
        CLV(GammaGamma(), GammaGamma()).fit(frame(), unit="W")  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match="ev.GammaGamma"):
        CLV(BetaGeo(), BetaGeo()).fit(frame(), unit="W")  # type: ignore[arg-type]
    with pytest.raises(MissingColumns, match="monetary_value"):
        CLV().fit(frame().drop(columns="monetary_value"), unit="W")
    with pytest.raises(NotFitted):
        CLV().predict(frame())


# Recalibration


@pytest.fixture(scope="module")
def learnt(value: CLV) -> Recalibration:
    c = cdnow.calibration()
    return value.recalibrate(
        frame(), 2 * c["holdout_orders"][::8], 2 * c["holdout_value"][::8], horizon="39W"
    )


def test_a_recalibration_says_what_it_found_and_survives_json(learnt: Recalibration, value: CLV) -> None:
    assert learnt.horizon_days == 273
    assert learnt.corrections.pace > 1.3
    assert "faster" in " ".join(learnt.says())
    assert "own_mass" in repr(learnt)
    assert {row["when"] for row in learnt.rows()} == {"before", "after"}
    back = Recalibration.from_dict(json.loads(json.dumps(learnt.to_dict())))
    one, two = (
        CLV(BetaGeo(), GammaGamma(), recalibration=r).fit(frame(), unit="W").predict(horizon="39W")
        for r in (learnt, back)
    )
    pd.testing.assert_frame_equal(one, two)
    plain = value.predict(horizon="39W")
    assert one["expected_orders"].sum() > 1.3 * plain["expected_orders"].sum()
    assert any("faster" in says for says in CLV.of(value.purchase_, value.spend_, learnt).says("39W"))


def test_outcomes_that_cannot_be_are_refused(value: CLV) -> None:
    n = len(frame())
    for orders, brought in (
        (np.ones(3), np.ones(n)),
        (-np.ones(n), np.ones(n)),
        (np.ones(n), np.full(n, np.nan)),
    ):
        with pytest.raises(InputError):
            value.recalibrate(frame(), orders, brought, horizon="39W")
    with pytest.raises(SettingsError, match="outcomes"):
        value.recalibrate(frame(), np.ones(n), np.ones(n), horizon="inf")
    with pytest.raises(InputError, match="recalibration"):
        Recalibration.from_dict({"orders": 1})


def test_pareto_nbd_is_the_default_model() -> None:
    assert isinstance(CLV().fit(frame(), unit="W").purchase_, ParetoNBD)


def test_a_hundred_years_are_as_good_as_for_ever_for_few_customers() -> None:
    """Discounted at 10 % nothing is left after a century; the points that stand for a wide posterior must agree."""
    rows = {name: column[:60] for name, column in cdnow.calibration().items()}
    for model in (BetaGeo(), ModifiedBetaGeo()):
        h = histories(rows, unit="W")
        model.fit(h)
        told = [
            expectations(
                orders_law(model, model._time(ahead)), customers_of(h).histories, model.discount(0.10)
            )
            for ahead in ("100y", "inf")
        ]
        assert told[1].discounted_orders.sum() == pytest.approx(told[0].discounted_orders.sum(), rel=0.02)


@pytest.mark.parametrize(
    ("purchase", "spend", "says"),
    [
        ("pareto-nbd", "auto", "'pareto-nbd' cannot take this place .* Give an instance: ev.ParetoNBD()"),
        (ParetoNBD, GammaGamma, "ParetoNBD is a class; .* Give an instance: ev.ParetoNBD"),
        (ParetoNBD(), NormalSpend, "NormalSpend is a class; .* Give an instance: ev.NormalSpend"),
        (GammaGamma(), ParetoNBD(), "A GammaGamma cannot take this place"),
    ],
)
def test_what_is_no_model_is_refused_before_anything_is_fitted(purchase: Any, spend: Any, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        CLV(purchase, spend).fit(frame(), unit="W")


def test_a_timedelta_of_numpy_is_a_horizon() -> None:
    model = BetaGeo().fit(frame(), unit="W")
    weeks = model.conditional_expected_orders(frame(), "2W")
    assert (model.conditional_expected_orders(frame(), np.timedelta64(14, "D")) == weeks).all()
