"""Contract models: the frames they take, what they refuse, what they say, and that their parts agree."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

import evervalue as ev
from evervalue.core.errors import FitFailed, InputError, MissingColumns, SettingsError
from evervalue.models.contract import ContractModel
from evervalue.models.registry import load_model, save
from evervalue.numerics.periods import beta_discrete_weibull, shifted_beta_geometric
from tests.support import published

MODELS: list[type[ContractModel]] = [ev.ShiftedBetaGeo, ev.BetaDiscreteWeibull]


@pytest.fixture(scope="module")
def cohort() -> dict[str, Any]:
    data = published.retention()
    return {"period": data["period"][:8], "alive": data["high_end"][:8]}


@pytest.fixture(scope="module", params=MODELS, ids=["sbg", "bdw"])
def fitted(request: pytest.FixtureRequest, cohort: dict[str, Any]) -> ContractModel:
    model: ContractModel = request.param()
    return model.fit(cohort)


# Frames


def test_every_form_of_the_same_contracts_fits_alike(fitted: ContractModel, cohort: dict[str, Any]) -> None:
    periods, churned, customers = published.contracts(cohort["alive"], 7)
    forms: list[tuple[dict[str, Any], dict[str, Any]]] = [
        ({"period": np.arange(1, 8), "lost": -np.diff(cohort["alive"])}, {"started": 1000}),
        ({"periods": periods, "churned": churned, "customers": customers}, {}),
        ({"periods": periods, "churned": churned}, {"sample_weight": customers}),
        (
            {
                "periods": np.repeat(periods, customers.astype(int)),
                "churned": np.repeat(churned, customers.astype(int)).astype(bool),
            },
            {},
        ),
        ({"period": cohort["period"][::-1], "alive": cohort["alive"][::-1]}, {}),
    ]
    for frame, options in forms:
        model = type(fitted)().fit(frame, **options)
        assert model.params_ == pytest.approx(fitted.params_, rel=1e-9)
        assert model.n_customers_ == 1000


def test_cohorts_are_pooled() -> None:
    """Cohorts of 2003 to 2006, counted up to 2007: Fader and Hardie, "Fitting the sBG model to multi-cohort data"."""
    alive = [10_000, 8_000, 6_480, 5_307, 4_391]
    frame = pd.DataFrame(
        [(2003 + c, t, alive[t]) for c in range(4) for t in range(5 - c)],
        columns=["cohort", "period", "alive"],
    )
    found = ev.ShiftedBetaGeo().fit(frame.sample(frac=1, random_state=1)).params_
    assert round(found["alpha"], 2) == 3.80
    assert round(found["beta"], 2) == 15.19


def test_a_cohort_that_was_first_counted_late(fitted: ContractModel, cohort: dict[str, Any]) -> None:
    """Rows from period 2 on are the same as entered = 2 of those still there, not as 743 new customers."""
    late = {name: column[2:] for name, column in cohort.items()}
    periods, churned, customers = published.contracts(cohort["alive"], 7)
    seen = periods - churned >= 2
    frame = {
        "periods": periods[seen],
        "churned": churned[seen],
        "customers": customers[seen],
        "entered": [2] * 6,
    }
    one, other = type(fitted)().fit(late), type(fitted)().fit(frame)
    assert one.params_ == pytest.approx(other.params_, rel=1e-9)
    assert one.n_customers_ == 743


def test_predictions_come_back_as_they_came(fitted: ContractModel) -> None:
    frame = pl.DataFrame(
        {"customer_id": ["a", "b", "c"], "periods": [7, 0, 7], "churned": [False, False, True]}
    )
    found = fitted.predict(frame, 6)
    assert isinstance(found, pl.DataFrame)
    assert found.columns == [
        "customer_id", "p_renewal", "p_active", "expected_periods", "periods_low", "periods_high",
    ]  # fmt: skip
    assert found.row(2)[1:] == (0.0,) * 5
    assert found["expected_periods"][0] > found["expected_periods"][1]


# What they give


def test_quantities_agree_with_one_another(fitted: ContractModel) -> None:
    t = np.arange(1, 13)
    stays = fitted.survival(t)
    assert np.cumprod(fitted.retention_rate(t)) == pytest.approx(stays)
    assert 1 - np.cumsum(fitted.churn_probability(t)) == pytest.approx(stays)
    assert fitted.expected_lifetime(13) == pytest.approx(1 + stays.sum())
    rows = {"periods": [3, 3], "churned": [0, 1]}
    found = fitted.predict(rows, 9)
    assert found["p_active"].tolist() == [pytest.approx(stays[11] / stays[2]), 0.0]
    assert found["expected_periods"].tolist() == [pytest.approx((stays[3:] / stays[2]).sum()), 0.0]
    assert fitted.residual_lifetime(rows, 9) == pytest.approx(found["expected_periods"])
    discounted = fitted.residual_lifetime(rows, discount_rate_per_period=0.1)
    assert discounted[1] == 0
    assert discounted[0] == pytest.approx(
        fitted.residual_lifetime(rows, 500, discount_rate_per_period=0.1)[0], rel=1e-9
    )


def test_intervals_hold_what_they_say(fitted: ContractModel) -> None:
    """Of 20,000 contracts that reached period 4, the 80 % interval of six more renewals holds 80 % at least."""
    rng = np.random.default_rng(8)
    params = tuple(fitted.params_.values())
    later = fitted.numerics.sample_periods(params, np.full(20_000, 4.0), 6, rng)
    found = fitted.predict({"periods": [4]}, 6, interval=0.8)
    inside = (later >= found["periods_low"][0]) & (later <= found["periods_high"][0])
    assert 0.79 <= inside.mean() <= 0.95


def test_posterior_and_summary(fitted: ContractModel) -> None:
    drawn = fitted.posterior(1_000)
    for name, value in fitted.params_.items():
        assert drawn.mean[name] == pytest.approx(value, abs=1.5 * fitted.standard_errors_[name])
    assert "1,000, 8 distinct histories" in repr(fitted.summary_)


def test_a_file_predicts_the_same(fitted: ContractModel, tmp_path: Path) -> None:
    rows = {"periods": [0, 1, 5]}
    fitted.posterior(400)
    loaded = load_model(save(fitted, tmp_path / "contracts.json"))
    for name, column in fitted.predict(rows, 5).items():
        assert np.array_equal(loaded.predict(rows, 5)[name], column)


# What they refuse


@pytest.mark.parametrize(
    ("frame", "says"),
    [
        ({"periods": [2, 0], "churned": [1, 1]}, "churned before the end of a first period"),
        ({"periods": [2, 3], "churned": [1, 2]}, "neither 0 nor 1"),
        ({"periods": [2, -3], "churned": [1, 0]}, "a negative 'periods'"),
        ({"periods": [2, 1.5], "churned": [1, 0]}, "a 'periods' that is no whole number"),
        ({"periods": [2, np.nan], "churned": [1, 0]}, "NaN or infinite numbers in 'periods'"),
        ({"periods": [2, 4], "churned": [1, 0], "entered": [2, 0]}, "'entered' beyond the renewals"),
        ({"period": [0, 1, 3], "alive": [9, 8, 7]}, "run on one by one; they are 0, 1, 3"),
        ({"period": [0, 1, 2], "alive": [9, 7, 8]}, "rises from 7 to 8 at period 2"),
        (
            {"period": [0, 1, 2], "alive": [100, 86.9, 74.3]},
            "an 'alive' that is no whole number|a 'alive' that is",
        ),
    ],
)
def test_impossible_contracts(frame: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        ev.ShiftedBetaGeo().fit(frame)


def test_more_lost_than_there_were() -> None:
    with pytest.raises(InputError, match="30 customers were lost of 20 customers"):
        ev.ShiftedBetaGeo().fit({"period": [1, 2], "lost": [20, 10]}, started=20)


def test_forms_that_cannot_be_told() -> None:
    with pytest.raises(MissingColumns, match="'period' and 'alive'"):
        ev.ShiftedBetaGeo().fit({"tenure": [1], "Churn": [0]})
    with pytest.raises(SettingsError, match="give started="):
        ev.ShiftedBetaGeo().fit({"period": [1, 2], "lost": [20, 10]})
    with pytest.raises(SettingsError, match="started goes with"):
        ev.ShiftedBetaGeo().fit({"periods": [1, 2], "churned": [1, 0]}, started=5)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    ("frame", "says"),
    [
        (
            {"periods": [5, 7, 9], "churned": [0, 0, 0]},
            "No churn is identifiable: none of 3 contracts has ended",
        ),
        ({"periods": [1, 1, 1], "churned": [1, 1, 1]}, "No contract was ever renewed"),
        ({"period": [0, 1], "alive": [100, 80]}, "Only 1 renewal of a customer's life has been seen"),
    ],
)
def test_data_that_cannot_be_fitted(model: type[ContractModel], frame: dict[str, Any], says: str) -> None:
    with pytest.raises(FitFailed, match=says):
        model().fit(frame)


def test_three_parameters_need_three_renewals() -> None:
    frame = {"period": [0, 1, 2], "alive": [100, 80, 70]}
    ev.ShiftedBetaGeo().fit(frame)
    with pytest.raises(FitFailed, match="Only 2 renewals .* Watch at least 3"):
        ev.BetaDiscreteWeibull().fit(frame)
    ev.BetaDiscreteWeibull(prior={"c": (1.0, 0.3)}).fit(frame)


def test_no_closed_form_is_said(cohort: dict[str, Any]) -> None:
    model = ev.BetaDiscreteWeibull().fit(cohort)
    with pytest.raises(SettingsError, match="no closed form"):
        model.expected_lifetime()
    assert ev.ShiftedBetaGeo().fit(cohort).expected_lifetime() == np.inf


# What they say


def drawn(module: Any, params: tuple[float, ...], size: int = 5_000) -> dict[str, Any]:
    found = module.simulate(params, np.full(size, 12.0), np.random.default_rng(9))
    return {"periods": found.periods, "churned": found.churned}


def codes(model: ContractModel) -> list[str]:
    return [finding.code for finding in model.findings_]


def test_one_churn_rate_for_all() -> None:
    model = ev.ShiftedBetaGeo().fit(drawn(shifted_beta_geometric, (2e6, 18e6)))
    assert codes(model) == ["same_churn"]
    assert "one churn rate of 10" in model.findings_[0].says
    assert model.survival(12) == pytest.approx(0.9**12, abs=0.01)


def test_two_kinds_of_customers() -> None:
    model = ev.ShiftedBetaGeo().fit({"period": range(6), "alive": [1000, 700, 700, 700, 700, 700]})
    assert "polarised" in codes(model)


def test_duration_dependence_is_found_or_not() -> None:
    found = ev.BetaDiscreteWeibull().fit(drawn(beta_discrete_weibull, (0.5, 3.0, 1.8)))
    assert codes(found)[0] == "duration_dependence"
    assert "more likely to leave with tenure" in found.findings_[0].says
    none = ev.BetaDiscreteWeibull().fit(drawn(shifted_beta_geometric, (0.7, 3.0)))
    assert codes(none)[0] == "no_duration_dependence"


def test_all_change_alike() -> None:
    model = ev.BetaDiscreteWeibull().fit(drawn(beta_discrete_weibull, (1e6, 9e6, 0.6)))
    assert codes(model) == ["duration_dependence", "same_churn"]
    assert "less likely to leave" in model.findings_[0].says
