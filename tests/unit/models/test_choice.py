"""`model="auto"`: the rule, case by case, and the sentence that says why."""

from __future__ import annotations

import numpy as np
import pytest

from evervalue.core.errors import InputError
from evervalue.models.choice import choose
from tests.support.folds import Says, fold, folds

RNG = np.random.default_rng(0)
N = 400
ONE = folds(fold(RNG.poisson(1.0, N), frequency=1.0))
NOISE = RNG.normal(0, 0.05, N)


def test_the_lowest_score_wins_and_the_sentence_has_the_numbers() -> None:
    found = choose(ONE, [Says("simple", 1.0, 0.5), Says("better", 1.0, 0.3)])
    assert found.model == "better"
    assert not found.naive_wins
    assert found.says.startswith(
        "BETTER has the lowest mean CRPS of orders of 2 models over 1 origin: 0.3000 (SIMPLE 0.5000; "
    )
    assert [row["model"] for row in found.table[:2]] == ["better", "simple"]
    assert found.table[1]["behind"] == pytest.approx(0.2)


def test_a_simpler_model_within_one_standard_error_is_preferred() -> None:
    level = NOISE - NOISE.mean() + 0.001
    found = choose(ONE, [Says("simple", 1.0, 0.3 + level), Says("complex", 1.0, 0.3)])
    assert found.model == "simple"
    assert "simplest of 2 models whose mean CRPS" in found.says
    assert "0.3010, 0.001 above COMPLEX" in found.says
    apart = NOISE - NOISE.mean() + 0.02
    assert choose(ONE, [Says("simple", 1.0, 0.3 + apart), Says("complex", 1.0, 0.3)]).model == "complex"


def test_a_thousandth_is_no_difference() -> None:
    found = choose(ONE, [Says("simple", 1.0, 0.30029), Says("complex", 1.0, 0.3)])
    assert found.model == "simple"
    assert found.says.startswith(
        "SIMPLE is the simplest of 2 models and within a thousandth of the lowest mean CRPS"
    )
    assert choose(ONE, [Says("simple", 1.0, 0.30031), Says("complex", 1.0, 0.3)]).model == "complex"


def test_among_equals_the_first_named_wins() -> None:
    assert choose(ONE, [Says("b", 1.0, 0.3), Says("a", 1.0, 0.3)]).model == "b"


def test_a_rule_without_a_model_that_wins_is_said_first() -> None:
    found = choose(ONE, [Says("poor", 1.0, 9.0), Says("poorer", 1.0, 9.5)])
    assert found.model == "poor"
    assert found.naive_wins
    assert found.says.startswith("A rule without a model wins: cohort mean has a mean CRPS of orders of 0.")
    assert "Of the models, POOR has the lowest" in found.says


def test_one_that_fails_is_left_out_and_none_left_is_an_error() -> None:
    found = choose(ONE, [Says("broken", 1.0, 0.1, fails=True), Says("fine", 1.0, 0.3)])
    assert found.model == "fine"
    assert "only model tested" in found.says
    with pytest.raises(
        InputError,
        match="There is no model to choose from. No model stands at .*: BROKEN. Nothing to see",
    ):
        choose(ONE, [Says("broken", 1.0, 0.1, fails=True)])


def test_money_is_chosen_by_money() -> None:
    assert choose(ONE, [Says("a", 1.0, 0.3), Says("b", 1.0, 0.2)], target="value").model == "b"
    with pytest.raises(InputError, match="no model to choose from"):
        choose(ONE, [Says("a", 1.0, 0.3, money=False)], target="value")
