"""Who wins, and who is level: a rule wins only where the bootstrap says that it is by more than chance."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from evervalue.core.errors import InputError
from evervalue.models.backtest_measures import run_backtest
from evervalue.models.choice import choice_of, choose
from evervalue.models.fold import Fold
from evervalue.models.forecast import Forecast
from evervalue.models.verdict import _end, level_in_short, level_with_naive, naive_wins
from tests.support.folds import ORIGIN, Says, fold, folds

RNG = np.random.default_rng(8)
N = 300
COUNTS = RNG.poisson(1.0, N)
ONE = folds(fold(COUNTS, frequency=2.0))
"""Past rate and cohort mean say 1 of everyone."""
LATER = ORIGIN + dt.timedelta(days=30)


def test_a_rule_that_is_better_within_chance_is_level() -> None:
    # The rule says 1 of everyone, the model misses a little farther here and a little less there.
    noise = RNG.normal(0, 0.05, N)
    farther = np.where(COUNTS == 1, 0.0, noise - noise[COUNTS != 1].mean() + 0.001)
    found = run_backtest(ONE, [Says("m", np.where(COUNTS > 1, 1 - farther, 1 + farther), 9.0)], draws=100)
    row = found.pooled("orders", "mae")["m"]
    assert (row.best_naive, row.verdict) == ("cohort-mean", "level")
    assert row.difference is not None
    assert row.difference > 0, "the rule's figure is the better one"
    assert not [says for says in naive_wins(found) if "absolute error in orders" in says]
    (says,) = [says for says in level_with_naive(found) if "absolute error of orders" in says]
    assert says.startswith("M is level with cohort mean by mean absolute error of orders: ")
    assert "the difference lies between -0.00" in says


def test_a_rule_that_is_better_by_far_wins() -> None:
    found = run_backtest(folds(fold(np.zeros(100))), [Says("loud", 5.0, 4.0)], draws=50)
    (said,) = [says for says in naive_wins(found) if "absolute error in orders" in says]
    assert said.endswith(
        "by more than chance: the difference lies between 5.000 and 5.000 in 90% of resamples."
    )
    assert not [says for says in level_with_naive(found) if "absolute error" in says]


def test_of_models_shown_alike_the_simplest_is_named_and_no_end_is_shown_as_zero() -> None:
    both = [Says("simple", 5.0 + 1e-9, 4.0), Says("complex", 5.0, 4.0)]
    found = run_backtest(folds(fold(np.zeros(100))), both, draws=50)
    (said,) = [says for says in naive_wins(found) if "absolute error in orders" in says]
    assert "best model SIMPLE 5.000" in said
    assert _end("mae", -0.00004) == "-4e-05"
    assert _end("bias", 0.0003) == "+0.03%"
    assert _end("coverage", 0.0) == "0.0%"
    assert _end("mae", 0.25) == "0.250"


def test_the_level_are_told_in_one_sentence() -> None:
    noise = RNG.normal(0, 0.05, N)
    farther = np.where(COUNTS == 1, 0.0, noise - noise[COUNTS != 1].mean() + 0.001)
    found = run_backtest(ONE, [Says("m", np.where(COUNTS > 1, 1 - farther, 1 + farther), 9.0)], draws=100)
    told = level_in_short(found)
    assert told.startswith("Level within chance, though the rule shows the better figure: M with ")
    assert told.endswith(".")
    assert "mean absolute error" in told
    perfect = run_backtest(folds(fold(np.zeros(100))), [Says("loud", 5.0, 4.0)], draws=5)
    assert level_in_short(perfect) == ""


def test_the_choice_says_level_within_chance() -> None:
    fold_ = ONE[0]
    (rule,) = [
        r for r in run_backtest(ONE, [Says("m", 1.0, 1.0)], draws=5).candidates if r.key == "past-rate"
    ]
    crps = rule.forecast(fold_, None).orders.crps
    noise = RNG.normal(0, 0.3, N)
    close = choose(ONE, [Says("m", 1.0, crps + noise - noise.mean() + 0.002)])
    assert not close.naive_wins
    assert close.says.startswith(
        "M is level with a rule without a model: cohort mean has a mean CRPS of orders of "
    )
    assert "lower by no more than chance" in close.says
    far = choose(ONE, [Says("m", 1.0, crps + 1)])
    assert far.naive_wins
    assert far.says.startswith("A rule without a model wins: ")


class Sometimes(Says):
    """A candidate that cannot be fitted at the first origin."""

    def forecast(self, fold: Fold, interval: float | None) -> Forecast:
        if fold.origin == ORIGIN:
            raise InputError("Nobody bought a second time.")
        return super().forecast(fold, interval)


def test_where_no_model_stands_the_rules_are_alone_and_the_reason_is_said() -> None:
    found = run_backtest(ONE, [Says("a", 1.0, 1.0, fails=True), Says("b", 1.0, 1.0, fails=True)], draws=5)
    assert {r.model for r in found.rows} == {"zero", "cohort-mean", "past-rate", "past-spend"}
    assert found.failures == (f"No model stands at {ORIGIN}: A, B. Nothing to see",)
    with pytest.raises(InputError, match="no model to choose from"):
        choice_of(found)


def test_an_origin_at_which_no_model_can_be_fitted_has_the_rules_alone() -> None:
    both = folds(fold(COUNTS, frequency=2.0), fold(COUNTS, frequency=2.0, origin=LATER))
    found = run_backtest(both, [Sometimes("m", 1.0, 1.0)], draws=5)
    assert [f.origin for f in found.folds] == [LATER]
    models = {origin: {r.model for r in found.rows if r.origin == origin} for origin in (ORIGIN, LATER, None)}
    assert models[ORIGIN] == {"zero", "cohort-mean", "past-rate", "past-spend"}
    assert models[LATER] == models[None] == models[ORIGIN] | {"m"}
    (why,) = found.failures
    assert why.startswith(
        f"No model stands at {ORIGIN}, which is left out of all origins together: M. Nobody bought"
    )


def test_a_model_that_fails_where_another_stands_is_left_out() -> None:
    both = folds(fold(COUNTS, frequency=2.0), fold(COUNTS, frequency=2.0, origin=LATER))
    found = run_backtest(both, [Sometimes("m", 1.0, 1.0), Says("n", 1.0, 1.0)], draws=5)
    assert [f.origin for f in found.folds] == [ORIGIN, LATER]
    assert not any(r.model == "m" for r in found.rows)
    assert found.failures == (f"Not in the table: M. At {ORIGIN}: Nobody bought a second time.",)
