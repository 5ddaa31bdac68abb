"""BetaGeoBetaBinomial: what it takes, what it refuses, what it says, and that its parts agree."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone

import evervalue as ev
from evervalue.core.errors import FitFailed, InputError, MissingColumns, NotFitted, SettingsError
from evervalue.models.discrete import BetaGeoBetaBinomial
from evervalue.models.registry import load_model, save
from tests.support import published


@pytest.fixture(scope="module")
def donors() -> dict[str, Any]:
    return published.donations()


@pytest.fixture(scope="module")
def fitted(donors: dict[str, Any]) -> BetaGeoBetaBinomial:
    return ev.BetaGeoBetaBinomial().fit(donors)


def rows(**columns: Any) -> dict[str, Any]:
    good: dict[str, Any] = {"frequency": [0, 1, 2, 3], "recency": [0, 2, 3, 4], "n_periods": [4, 4, 4, 4]}
    return {**good, **columns}


# What it takes


def test_rows_weights_and_repetitions_are_the_same(
    donors: dict[str, Any], fitted: BetaGeoBetaBinomial
) -> None:
    bare = {k: v for k, v in donors.items() if k != "customers"}
    weighted = ev.BetaGeoBetaBinomial().fit(bare, sample_weight=donors["customers"])
    times = donors["customers"].astype(int)
    repeated = ev.BetaGeoBetaBinomial().fit({k: np.repeat(v, times) for k, v in bare.items()})

    assert weighted.params_ == fitted.params_ == repeated.params_
    assert repeated.n_customers_ == 11_104
    assert repeated.n_histories_ == 22


def test_t_is_another_name_for_n_periods(donors: dict[str, Any], fitted: BetaGeoBetaBinomial) -> None:
    renamed = {("T" if k == "n_periods" else k): v for k, v in donors.items()}
    assert ev.BetaGeoBetaBinomial().fit(renamed).params_ == fitted.params_


def test_rows_keep_their_ids_whatever_their_order(
    donors: dict[str, Any], fitted: BetaGeoBetaBinomial
) -> None:
    frame = pd.DataFrame({k: v for k, v in donors.items() if k != "customers"}, index=range(100, 122))
    frame.insert(0, "customer_id", [f"c{i}" for i in range(22)])
    shuffled = frame.sample(frac=1, random_state=3)
    found = fitted.predict(shuffled, 5)

    assert found.index.equals(shuffled.index)
    assert found.columns.tolist() == [
        "customer_id",
        "p_alive",
        "expected_orders",
        "orders_low",
        "orders_high",
    ]
    expected = fitted.predict(frame, 5).set_index("customer_id").loc[found["customer_id"]].reset_index()
    assert expected.equals(found.reset_index(drop=True))


def test_a_polars_frame_comes_back_as_one(donors: dict[str, Any], fitted: BetaGeoBetaBinomial) -> None:
    found = fitted.predict(pl.DataFrame(donors), 5)
    assert isinstance(found, pl.DataFrame)
    assert found["expected_orders"].to_numpy() == pytest.approx(fitted.conditional_expected_orders(donors, 5))


# What it gives


def test_quantities_agree_with_one_another(donors: dict[str, Any], fitted: BetaGeoBetaBinomial) -> None:
    law = fitted.conditional_pmf(donors, 5, 5)
    assert law.sum(axis=1) == pytest.approx(np.ones(22))
    assert law @ np.arange(6) == pytest.approx(fitted.conditional_expected_orders(donors, 5))
    assert fitted.p_any_order(donors, 5) == pytest.approx(1 - law[:, 0])
    assert fitted.pmf(6, 6) @ np.arange(7) == pytest.approx(float(fitted.expected_orders(6)))
    near = fitted.discounted_expected_orders(donors, 5, discount_rate_per_period=0.0)
    assert near == pytest.approx(fitted.conditional_expected_orders(donors, 5))
    dert = fitted.discounted_expected_orders(donors, discount_rate_per_period=0.1)
    far = fitted.discounted_expected_orders(donors, 400, discount_rate_per_period=0.1)
    assert dert == pytest.approx(far, rel=1e-12)
    assert fitted.score(donors) == pytest.approx(fitted.log_likelihood_ / 11_104)


def test_no_opportunity_brings_no_purchase(donors: dict[str, Any], fitted: BetaGeoBetaBinomial) -> None:
    found = fitted.predict(donors, 0)
    assert not found["expected_orders"].any()
    assert not found["orders_high"].any()


def test_intervals_hold_what_they_say(fitted: BetaGeoBetaBinomial) -> None:
    """On 40,000 simulated donors the 80 % interval holds what its law says, and the asked mass at least."""
    drawn = fitted.simulate(np.full(40_000, 6), horizon=5)
    history = {"frequency": drawn.x, "recency": drawn.t_x, "n_periods": drawn.T}
    found = fitted.predict(history, 5, interval=0.8)
    inside = (drawn.future >= found["orders_low"]) & (drawn.future <= found["orders_high"])
    law = fitted.conditional_pmf(history, 5, 5)
    k = np.arange(6)
    held = (law * ((k >= found["orders_low"][:, None]) & (k <= found["orders_high"][:, None]))).sum(axis=1)
    assert inside.mean() == pytest.approx(held.mean(), abs=0.01)
    assert inside.mean() >= 0.8


def test_posterior_and_standard_errors(fitted: BetaGeoBetaBinomial) -> None:
    drawn = fitted.posterior(1_000)
    assert drawn.k_hat is not None
    assert drawn.k_hat < 0.7
    for name, value in fitted.params_.items():
        assert drawn.mean[name] == pytest.approx(value, abs=fitted.standard_errors_[name])
        assert drawn.sd[name] == pytest.approx(fitted.standard_errors_[name], rel=0.25)
    assert fitted.posterior(1_000).draws is drawn.draws or np.array_equal(
        fitted.posterior(1_000).draws, drawn.draws
    )


def test_the_summary(fitted: BetaGeoBetaBinomial) -> None:
    told = repr(fitted.summary_)
    for words in ("BG/BB", "11,104, 22 distinct histories", "-33,225.58", "alpha", "delta"):
        assert words in told


def test_a_file_predicts_the_same(
    fitted: BetaGeoBetaBinomial, donors: dict[str, Any], tmp_path: Path
) -> None:
    fitted.posterior(400)
    loaded = load_model(save(fitted, tmp_path / "donors.json"))
    for name, column in fitted.predict(donors, 5).items():
        assert np.array_equal(loaded.predict(donors, 5)[name], column)


def test_habits_of_scikit_learn() -> None:
    model = ev.BetaGeoBetaBinomial(penalty=0.1, random_state=3)
    assert clone(model).get_params() == model.get_params()
    assert repr(model) == "BetaGeoBetaBinomial(penalty=0.1, random_state=3)"
    with pytest.raises(NotFitted):
        model.predict(rows(), 3)


def test_a_prior_pulls(donors: dict[str, Any], fitted: BetaGeoBetaBinomial) -> None:
    pulled = ev.BetaGeoBetaBinomial(prior={"gamma": (2.0, 0.01)}).fit(donors)
    assert pulled.params_["gamma"] == pytest.approx(2.0, rel=0.05)
    assert pulled.log_likelihood_ < fitted.log_likelihood_


# What it refuses


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ({"recency": [0, 2, 3, 5]}, "1 row have a recency beyond n_periods"),
        ({"frequency": [0, 1, 2, 5], "recency": [0, 2, 3, 4]}, "frequency above n_periods"),
        ({"frequency": [0, 1, 2, 4], "recency": [0, 2, 3, 3]}, "frequency above recency"),
        ({"recency": [0, 0, 3, 4]}, r"recency 0: opportunities are counted from 1 \(first: row 1"),
        ({"recency": [1, 2, 3, 4]}, "recency above 0 but frequency 0"),
        ({"frequency": [0, -1, 2, 3]}, "a negative 'frequency'"),
        ({"n_periods": [4, 4, 4, np.nan]}, "NaN or infinite numbers in 'n_periods'"),
        ({"recency": [0, 1.5, 3, 4]}, "a 'recency' that is no whole number"),
        ({"frequency": ["a", "b", "c", "d"]}, "no numbers"),
        ({"frequency": [], "recency": [], "n_periods": []}, "no row"),
    ],
)
def test_impossible_histories(bad: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        ev.BetaGeoBetaBinomial().fit(rows(**bad))


def test_all_faults_are_told_with_the_customer() -> None:
    given = rows(customer_id=["a", "b", "c", "d"], recency=[0, 0, 3, 9])
    with pytest.raises(InputError, match=r"beyond n_periods.*customer d.*recency 0.*customer b"):
        ev.BetaGeoBetaBinomial().fit(given)


def test_a_missing_column_is_named() -> None:
    with pytest.raises(MissingColumns, match=r"'recency' \(did you mean 'recenc'"):
        ev.BetaGeoBetaBinomial().fit({"frequency": [1], "recenc": [1], "T": [2]})


def test_weights_in_two_places_are_refused(donors: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match="leave one out"):
        ev.BetaGeoBetaBinomial().fit(donors, sample_weight=np.ones(22))


@pytest.mark.parametrize("horizon", [-1, 2.5, "39W", np.nan, None, True])
def test_horizons_are_whole_numbers(
    fitted: BetaGeoBetaBinomial, donors: dict[str, Any], horizon: Any
) -> None:
    with pytest.raises(SettingsError, match="counts in periods, not in days"):
        fitted.predict(donors, horizon)


def test_an_unlimited_horizon_needs_a_discount(fitted: BetaGeoBetaBinomial, donors: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match="only where it is discounted"):
        fitted.discounted_expected_orders(donors, discount_rate_per_period=0)
    with pytest.raises(SettingsError, match="above -1"):
        fitted.discounted_expected_orders(donors, discount_rate_per_period=-1)


@pytest.mark.parametrize(
    ("history", "says"),
    [
        ({"frequency": [2], "recency": [2], "n_periods": [4]}, "there is 1 customer"),
        ({"frequency": [0, 0], "recency": [0, 0], "n_periods": [4, 3]}, "Nobody bought a second time"),
        ({"frequency": [0, 0], "recency": [0, 0], "n_periods": [0, 0]}, "n_periods is 0 for every customer"),
        (
            {"frequency": [3, 3], "recency": [3, 3], "n_periods": [3, 3]},
            "Everybody bought at every opportunity",
        ),
    ],
)
def test_data_that_cannot_be_fitted(history: dict[str, Any], says: str) -> None:
    model = ev.BetaGeoBetaBinomial()
    with pytest.raises(FitFailed, match=says):
        model.fit(history)
    with pytest.raises(NotFitted):
        model.expected_orders(3)


# What it says


def drawn(params: tuple[float, ...], n: int, size: int = 4_000) -> dict[str, Any]:
    from evervalue.numerics.periods import bg_bb

    found = bg_bb.simulate(params, np.full(size, float(n)), np.random.default_rng(5))
    return {"frequency": found.x, "recency": found.t_x, "n_periods": found.T}


def codes(model: BetaGeoBetaBinomial) -> list[str]:
    return [finding.code for finding in model.findings_]


def test_nothing_is_said_of_the_donors(fitted: BetaGeoBetaBinomial) -> None:
    assert fitted.findings_ == []


def test_nobody_leaves() -> None:
    model = ev.BetaGeoBetaBinomial().fit(drawn((1.2, 0.8, 1e-7, 1.0), 8))
    assert codes(model) == ["no_dropout"]
    assert "a model in which every customer keeps buying explains them as well" in model.findings_[0].says


def test_everybody_leaves_alike() -> None:
    model = ev.BetaGeoBetaBinomial().fit(drawn((1.2, 0.8, 1e6, 9e6), 8))
    assert codes(model) == ["same_dropout"]
    assert "about 10" in model.findings_[0].says


def test_everybody_buys_alike() -> None:
    assert codes(ev.BetaGeoBetaBinomial().fit(drawn((4e6, 6e6, 0.7, 3.0), 8))) == ["same_rate"]


def test_two_opportunities_are_too_few() -> None:
    assert "few_opportunities" in codes(ev.BetaGeoBetaBinomial().fit(drawn((1.2, 0.8, 0.7, 3.0), 2)))


def test_a_handful_of_customers() -> None:
    assert codes(ev.BetaGeoBetaBinomial().fit(rows()))[0] == "few_customers"
