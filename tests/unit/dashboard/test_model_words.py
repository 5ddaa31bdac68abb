"""What Models says of a backtest: a rule that wins is named, whatever the title says."""

from __future__ import annotations

from typing import Any

import pytest

from evervalue.dashboard import model_words, value_words
from evervalue.dashboard.formats import Formats

FORMATS = Formats("en_US", "USD")
FITTED = [{"is_fitted": True, "model_key": "mbg-nbd"}]


def row(measure: str, verdict: str | None, **more: Any) -> dict[str, Any]:
    usual = {
        "model": "mbg-nbd",
        "model_name": "MBG/NBD",
        "naive": False,
        "is_chosen": True,
        "best_naive": "zero",
    }
    return {**usual, "measure": measure, "verdict": verdict, "value": 1.5, **more}


def test_a_rule_that_wins_is_named() -> None:
    tables = {
        "orders": [row("crps", "better"), row("mae", "level")],
        "value": [row("mae", "worse"), row("brier", "worse"), row("rmse", "worse", is_chosen=False)],
    }
    assert (
        model_words.beaten(tables)
        == "A rule without a model is better by mean absolute error of money (zero)."
    )
    assert model_words.beaten({"orders": tables["orders"]}) == ""


@pytest.mark.parametrize(
    ("verdict", "says"),
    [("better", "better than every rule"), ("worse", "a rule without a model"), ("level", "as well")],
)
def test_the_title_follows_the_verdict(verdict: str, says: str) -> None:
    assert says in model_words.headline([row("crps", verdict)], FITTED)


def test_the_title_without_a_test_or_without_a_model() -> None:
    assert "could not be tested" in model_words.headline([], FITTED)
    assert "a rule stands in" in model_words.headline([], [{"is_fitted": False, "model_key": "pooled-rate"}])
    assert model_words.headline([], []) == "No model predicts value in this run"


@pytest.mark.parametrize(
    ("held", "mass", "says"),
    [(0.77, 0.9, "too narrow"), (0.88, 0.9, "about right"), (0.99, 0.9, "wider than needed")],
)
def test_coverage_is_read_against_its_mass(held: float, mass: float, says: str) -> None:
    assert says in model_words.covered({"coverage": held, "interval_mass": mass}, FORMATS)


def test_the_forecast_is_said_as_a_miss() -> None:
    def whole(share: float | None) -> list[dict[str, Any]]:
        return [{"target": "value", "origin": None, "expected_share": share}]

    assert value_words.forecast(whole(0.755), FORMATS) == (
        "In the past the forecast would have been 24% less money than came"
    )
    assert "15% more money" in value_words.forecast(whole(1.15), FORMATS)
    assert "would have met the money" in value_words.forecast(whole(1.001), FORMATS)
    assert value_words.forecast(whole(None), FORMATS) == "Forecast against actual"


def test_spend_that_is_fitted_is_no_model_of_purchases() -> None:
    fits = [
        {"role": "orders", "is_fitted": False, "model_key": "pooled-rate"},
        {"role": "spend", "is_fitted": True, "model_key": "gamma-gamma"},
    ]
    assert "a rule stands in" in model_words.headline([], fits)
