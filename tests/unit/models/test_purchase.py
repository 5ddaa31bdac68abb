"""What fitted purchase models give: parameters, predictions in any unit, and plain words where data say little."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest

import evervalue as ev
from evervalue.core.errors import FitFailed, InputError, NotFitted, SettingsError
from evervalue.models.histories import UnitSuspected
from evervalue.models.purchase import PurchaseModel
from evervalue.numerics.estimation.optimise import maximise
from tests.support import cdnow

MODELS: list[PurchaseModel] = [ev.ParetoNBD(), ev.BetaGeo(), ev.ModifiedBetaGeo(), ev.RegularBetaGeo(k=2)]
Rows = dict[str, Any]


@pytest.fixture(scope="module")
def weeks() -> Rows:
    found = cdnow.calibration()
    return {name: found[name] for name in ("frequency", "recency", "T")}


@pytest.fixture(scope="module")
def days(weeks: Rows) -> Rows:
    return {**weeks, "recency": np.round(weeks["recency"] * 7), "T": np.round(weeks["T"] * 7)}


@pytest.fixture(scope="module", params=MODELS, ids=lambda m: m.key)
def fitted(request: pytest.FixtureRequest, weeks: Rows) -> PurchaseModel:
    model: PurchaseModel = type(request.param)(**request.param.get_params())
    return model.fit(weeks, unit="W")


def test_days_and_weeks_predict_the_same(fitted: PurchaseModel, weeks: Rows, days: Rows) -> None:
    other = type(fitted)(**fitted.get_params()).fit(days, unit="D")

    for name, value in fitted.params_.items():
        factor = 7 if name in fitted.kernel.time_names else 1
        assert other.params_[name] == pytest.approx(value * factor, rel=1e-6)
    for horizon in ("39W", "365d"):
        assert other.conditional_expected_orders(days, horizon) == pytest.approx(
            fitted.conditional_expected_orders(weeks, horizon), rel=1e-6
        )
    assert other.p_alive(days) == pytest.approx(fitted.p_alive(weeks), rel=1e-6)
    assert other.discounted_expected_orders(days, discount_rate_annual=0.1) == pytest.approx(
        fitted.discounted_expected_orders(weeks, discount_rate_annual=0.1), rel=1e-6
    )


def test_row_order_does_not_matter(fitted: PurchaseModel, weeks: Rows) -> None:
    order = np.random.default_rng(3).permutation(len(weeks["T"]))
    shuffled = {name: column[order] for name, column in weeks.items()}
    again = type(fitted)(**fitted.get_params()).fit(shuffled, unit="W")

    assert again.params_ == fitted.params_
    assert again.p_alive(shuffled).tolist() == fitted.p_alive(weeks)[order].tolist()


def test_weights_are_repetitions(fitted: PurchaseModel, weeks: Rows) -> None:
    times = np.random.default_rng(5).integers(0, 3, len(weeks["T"]))
    repeated = {name: np.repeat(column, times) for name, column in weeks.items()}
    by_weight = type(fitted)(**fitted.get_params()).fit(weeks, unit="W", sample_weight=times)
    by_rows = type(fitted)(**fitted.get_params()).fit(repeated, unit="W")

    assert by_weight.params_ == pytest.approx(by_rows.params_, rel=1e-9)
    assert by_weight.n_customers_ == times.sum()


def test_a_million_identical_rows_are_one_history() -> None:
    rows = {
        "frequency": np.r_[np.zeros(1_000_000), 1, 3],
        "recency": np.r_[np.zeros(1_000_000), 5, 20],
        "T": np.full(1_000_002, 30.0),
    }
    model = ev.BetaGeo().fit(rows)
    assert model.n_histories_ == 3
    assert model.n_customers_ == 1_000_002


def test_probability_of_any_order(fitted: PurchaseModel, weeks: Rows) -> None:
    p = fitted.conditional_pmf(weeks, "39W", 60)

    assert fitted.p_any_order(weeks, "39W") == pytest.approx(1 - p[:, 0])
    few = weeks["frequency"] < 5
    mean = p[few] @ np.arange(61)
    assert mean == pytest.approx(fitted.conditional_expected_orders(weeks, "39W")[few], rel=1e-6)


def test_drawn_orders_have_the_predictive_law(fitted: PurchaseModel, weeks: Rows) -> None:
    few = {name: column[:40] for name, column in weeks.items()}
    drawn = fitted.sample_orders(few, "39W", 2_000, random_state=4)
    told = fitted.predict(few, "39W", interval=0.9)

    assert drawn.shape == (2_000, 40)
    error = drawn.std(axis=0) / np.sqrt(2_000) + 1e-3
    np.testing.assert_array_less(np.abs(drawn.mean(axis=0) - told["expected_orders"]) / error, 4.5)
    inside = ((drawn >= told["orders_low"]) & (drawn <= told["orders_high"])).mean(axis=0)
    assert inside.min() > 0.88
    np.testing.assert_array_equal(
        fitted.sample_orders(few, "39W", 3, random_state=1),
        fitted.sample_orders(few, "39W", 3, random_state=1),
    )
    with pytest.raises(SettingsError, match="no end"):
        fitted.sample_orders(few, "inf")
    with pytest.raises(SettingsError, match="draws=0"):
        fitted.sample_orders(few, "39W", 0)


def test_predictions_with_intervals(fitted: PurchaseModel, weeks: Rows) -> None:
    named = {"customer_id": np.arange(len(weeks["T"])), **weeks}
    found = fitted.predict(named, "39W", interval=0.9)

    assert list(found) == ["customer_id", "p_alive", "expected_orders", "orders_low", "orders_high"]
    # Averaged over the posterior, so near what the estimate alone says, but not the same.
    assert found["expected_orders"] == pytest.approx(
        fitted.conditional_expected_orders(weeks, "39W"), abs=0.05, rel=0.05
    )
    assert found["p_alive"] == pytest.approx(fitted.p_alive(weeks), abs=0.03)
    assert (found["orders_low"] <= found["orders_high"]).all()
    came = cdnow.calibration()["holdout_orders"]
    inside = np.mean((found["orders_low"] <= came) & (came <= found["orders_high"]))
    assert 0.88 < inside < 0.99
    narrow = fitted.predict(named, "39W", interval=0.5)
    assert (narrow["orders_high"] - narrow["orders_low"]).mean() < np.mean(
        found["orders_high"] - found["orders_low"]
    )
    again = fitted.predict({name: column[::-1] for name, column in named.items()}, "39W")
    assert again["orders_high"][::-1].tolist() == found["orders_high"].tolist()


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_frames_come_back_as_they_came(weeks: Rows, kind: str) -> None:
    frame = pytest.importorskip(kind).DataFrame({"customer": [f"c{i}" for i in range(2357)], **weeks})
    model = ev.BetaGeo().fit(frame, unit="W")
    found = model.predict(frame, "39W")
    assert type(found) is type(frame)
    assert list(found["customer"]) == list(frame["customer"])
    assert list(found["expected_orders"]) == model.predict(weeks, "39W")["expected_orders"].tolist()


def test_a_horizon_of_zero_is_zero(fitted: PurchaseModel, weeks: Rows) -> None:
    assert not fitted.conditional_expected_orders(weeks, "0d").any()
    assert fitted.p_any_order(weeks, 0) == pytest.approx(0, abs=1e-12)


def test_zero_covariates_equal_the_plain_model(fitted: PurchaseModel, weeks: Rows) -> None:
    flat = {**weeks, "z": np.zeros(len(weeks["T"]))}
    arguments = {**fitted.get_params(), "transaction_covariates": ["z"], "dropout_covariates": ["z"]}
    model = type(fitted)(**arguments).fit(flat, unit="W")

    assert model.params_ == pytest.approx(fitted.params_, rel=1e-6)
    assert model.log_likelihood_ == pytest.approx(fitted.log_likelihood_, abs=1e-8)
    assert model.conditional_expected_orders(flat, "39W") == pytest.approx(
        fitted.conditional_expected_orders(weeks, "39W"), rel=1e-6
    )


def test_a_prior_pulls_whatever_the_unit(weeks: Rows, days: Rows) -> None:
    free = ev.BetaGeo().fit(weeks, unit="W")
    pulled = ev.BetaGeo(prior={"alpha": (20.0, 0.01)}).fit(weeks, unit="W")
    in_days = ev.BetaGeo(prior={"alpha": (140.0, 0.01)}).fit(days, unit="D")

    assert free.params_["alpha"] == pytest.approx(4.4136, abs=1e-3)
    assert pulled.params_["alpha"] > 15
    assert in_days.params_["alpha"] == pytest.approx(7 * pulled.params_["alpha"], rel=1e-6)
    penalised = [
        ev.BetaGeo(penalty=10.0).fit(rows, unit=unit).params_["r"]
        for rows, unit in ((weeks, "W"), (days, "D"))
    ]
    assert penalised[0] == pytest.approx(penalised[1], rel=1e-6)
    assert penalised[0] > free.params_["r"] * 1.02


def test_the_summary(fitted: PurchaseModel) -> None:
    told = fitted.summary_
    assert [row["parameter"] for row in told.rows] == list(fitted.kernel.names)
    for row in told.rows:
        assert row["low"] < row["estimate"] < row["high"]
    assert fitted.name in repr(told)
    assert "2,357, 1,016 distinct histories" in repr(told)
    assert "<table" in told._repr_html_()


# What data cannot tell


def test_nobody_repeats() -> None:
    with pytest.raises(FitFailed, match="Nobody bought a second time: 3 customers"):
        ev.ParetoNBD().fit({"frequency": [0, 0, 0], "recency": [0, 0, 0], "T": [5, 6, 7]})


def test_no_time() -> None:
    with pytest.raises(FitFailed, match="T is 0 for every customer"):
        ev.BetaGeo().fit({"frequency": [0, 0], "recency": [0, 0], "T": [0, 0]})


def test_one_customer() -> None:
    with pytest.raises(FitFailed, match="there is 1 customer"):
        ev.BetaGeo().fit({"frequency": [3], "recency": [10.0], "T": [20.0]})


@pytest.mark.parametrize("model", [ev.ParetoNBD(), ev.BetaGeo(), ev.ModifiedBetaGeo()], ids=lambda m: m.key)
def test_everybody_keeps_buying(model: PurchaseModel) -> None:
    rng = np.random.default_rng(11)
    rate, T = rng.gamma(3.0, 0.1, 400), np.full(400, 100.0)
    x = rng.poisson(rate * T)
    t_x = np.where(x > 0, T * rng.random(400) ** (1 / np.maximum(x, 1)), 0.0)
    history = {"frequency": x, "recency": t_x, "T": T}
    model.fit(history, unit="W")

    told = {f.code: f.says for f in model.findings_}
    assert "no_dropout" in told
    says = told["no_dropout"]
    assert "a model in which every customer keeps buying explains them as well" in says
    # It says what P(alive) really is, at the estimate and where predictions average over the posterior.
    least = model.p_alive(history).min()
    assert ("P(alive) is 1.00 for all" if least > 0.995 else f"P(alive) is between {least:.2f} and") in says
    assert model.predict(history, "39W")["p_alive"].min() < least
    assert "which can take it lower" in says
    assert np.isfinite(model.conditional_expected_orders(history, "39W")).all()


def test_everybody_repeats_is_said() -> None:
    rows = {"frequency": [2, 3, 1, 4], "recency": [9.0, 12, 3, 20], "T": [30.0, 30, 30, 30]}
    codes = {f.code for f in ev.ModifiedBetaGeo().fit(rows).findings_}
    assert {"everybody_repeats", "few_customers"} <= codes


def test_one_rate_for_all_is_said() -> None:
    rng = np.random.default_rng(2)
    x = rng.poisson(3.0, 2000)
    T = np.full(2000, 30.0)
    t_x = np.where(x > 0, T * rng.random(2000) ** (1 / np.maximum(x, 1)), 0.0)
    codes = {f.code for f in ev.ParetoNBD().fit({"frequency": x, "recency": t_x, "T": T}).findings_}
    assert "same_rate" in codes


def test_a_search_that_did_not_arrive_is_an_error(weeks: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    one_step = partial(maximise, max_iter=1)
    monkeypatch.setattr("evervalue.models.purchase.maximise", one_step)
    model = ev.ParetoNBD()
    with pytest.raises(FitFailed, match="did not converge"):
        model.fit(weeks, unit="W")
    with pytest.raises(NotFitted):
        model.p_alive(weeks)


def test_before_fitting(weeks: Rows) -> None:
    with pytest.raises(NotFitted, match="Call fit"):
        ev.ParetoNBD().p_alive(weeks)


def test_units_must_agree(weeks: Rows) -> None:
    model = ev.BetaGeo().fit(weeks)
    with pytest.raises(SettingsError, match="unit of the history is not known"):
        model.conditional_expected_orders(weeks, "39W")
    assert model.conditional_expected_orders(weeks, 39).sum() == pytest.approx(1653, abs=1)
    in_days = pytest.importorskip("pandas").DataFrame(weeks)
    in_days.attrs["unit"] = "D"
    with pytest.raises(InputError, match="fitted in weeks"), pytest.warns(match="sevenths"):
        ev.BetaGeo().fit(weeks, unit="W").p_alive(in_days)


def test_a_history_that_says_no_unit_is_held_against_the_ages_of_the_fit(weeks: Rows, days: Rows) -> None:
    in_weeks, in_days = ev.BetaGeo().fit(weeks, unit="W"), ev.BetaGeo().fit(days, unit="D")
    with pytest.warns(UnitSuspected, match="fitted in weeks, yet T reaches 272 weeks.*unit='W'"):
        in_weeks.predict(days, "39W")
    with pytest.warns(UnitSuspected, match="fitted in weeks.*7 times as old.*Are they days.*unit='W'"):
        in_weeks.p_alive({**days, "T": days["T"] + 0.5})
    with pytest.warns(UnitSuspected, match="fitted in days.*sevenths"):
        in_days.p_alive(weeks)
    with pytest.warns(UnitSuspected, match="fitted in days.*0.14 times as old.*Are they weeks.*unit='D'"):
        in_days.p_alive({**weeks, "T": np.ceil(weeks["T"])})
    both = ev.CLV.of(in_weeks, ev.GammaGamma().fit(cdnow.calibration()))
    with pytest.warns(UnitSuspected, match="fitted in weeks"):
        both.predict({**days, "monetary_value": cdnow.calibration()["monetary_value"]})


def test_a_history_that_is_only_older_or_younger_is_not_suspected(weeks: Rows, days: Rows) -> None:
    in_weeks, in_days = ev.BetaGeo().fit(weeks, unit="W"), ev.BetaGeo().fit(days, unit="D")
    in_weeks.p_alive(weeks)
    in_weeks.p_alive({**weeks, "T": weeks["T"] + 78})
    in_days.p_alive({**days, "T": days["T"] + 365})
    in_days.p_alive({"frequency": [0, 1], "recency": [0, 20], "T": [30, 35]})
    in_weeks.p_alive({"frequency": [1], "recency": [20.0], "T": [230.0]})


@pytest.mark.parametrize("horizon", ["3 months", -1, float("nan"), "soon"])
def test_impossible_horizons(weeks: Rows, horizon: object) -> None:
    model = ev.BetaGeo().fit(weeks, unit="W")
    with pytest.raises(SettingsError):
        model.conditional_expected_orders(weeks, horizon)


def test_an_unlimited_horizon_needs_a_discount(weeks: Rows) -> None:
    model = ev.ParetoNBD().fit(weeks, unit="W")
    with pytest.raises(SettingsError, match="only where it is discounted"):
        model.discounted_expected_orders(weeks, "inf", discount_rate_annual=0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"penalty": -1.0}, "must not be negative"),
        ({"prior": {"gamma": (1.0, 1.0)}}, "not one of r, alpha"),
        ({"prior": {"r": (0.0, 1.0)}}, "both above 0"),
        ({"transaction_covariates": ["income"]}, "income"),
    ],
)
def test_impossible_arguments(weeks: Rows, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ev_errors, match=message):
        ev.BetaGeo(**arguments).fit(weeks)


ev_errors = (SettingsError, InputError)


@pytest.mark.parametrize("k", [0, 2.5, 21, True, "2"])
def test_impossible_regularity(weeks: Rows, k: Any) -> None:
    with pytest.raises(SettingsError, match="whole number from 1"):
        ev.RegularBetaGeo(k=k).fit(weeks)


@pytest.mark.parametrize("weight", [[1.0], -1, np.nan])
def test_impossible_weights(weeks: Rows, weight: Any) -> None:
    weights = (
        np.asarray(weight) if isinstance(weight, list) else np.full(len(weeks["T"]), weight, dtype=float)
    )
    with pytest.raises(InputError, match="sample_weight"):
        ev.BetaGeo().fit(weeks, sample_weight=weights)
