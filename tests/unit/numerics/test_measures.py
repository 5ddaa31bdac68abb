"""Measures at their edges: perfect, useless, constant, empty, weights in every shape."""

from __future__ import annotations

import numpy as np
import pytest

from evervalue.numerics.measures import errors as measures
from evervalue.numerics.measures import ranking
from evervalue.numerics.measures.bootstrap import resamples, spread
from evervalue.numerics.measures.probability_scores import crps_discrete, crps_draws, log_score

ACTUAL = np.array([0.0, 4.0, 1.0, 0.0, 9.0])


def test_a_perfect_prediction_has_no_error_and_a_perfect_order() -> None:
    assert measures.bias(ACTUAL, ACTUAL) == 0
    assert measures.mean_absolute_error(ACTUAL, ACTUAL) == 0
    assert measures.root_mean_squared_error(ACTUAL, ACTUAL) == 0
    assert ranking.spearman(ACTUAL, ACTUAL) == pytest.approx(1)
    assert ranking.normalised_gini(ACTUAL, ACTUAL) == pytest.approx(1)
    assert ranking.top_capture(ACTUAL, ACTUAL, share=0.2) == pytest.approx(9 / 14)
    assert ranking.decile_mape(ACTUAL, ACTUAL) == 0


def test_a_constant_ranks_nobody_and_captures_its_share() -> None:
    constant = np.full(5, 2.0)
    assert np.isnan(ranking.spearman(constant, ACTUAL))
    assert ranking.normalised_gini(constant, ACTUAL) == pytest.approx(0, abs=1e-12)
    assert ranking.top_capture(constant, ACTUAL, share=0.2) == pytest.approx(0.2)


def test_the_order_turned_round_is_as_bad_as_it_was_good() -> None:
    assert ranking.normalised_gini(-ACTUAL, ACTUAL) == pytest.approx(-1)
    assert ranking.spearman(-ACTUAL, ACTUAL) == pytest.approx(-1)


def test_where_nothing_happened_there_is_no_ratio() -> None:
    nothing = np.zeros(5)
    assert np.isnan(measures.bias(ACTUAL, nothing))
    assert np.isnan(ranking.normalised_gini(ACTUAL, nothing))
    assert np.isnan(ranking.top_capture(ACTUAL, nothing))
    assert np.isnan(ranking.decile_mape(ACTUAL, nothing))


def test_ties_do_not_depend_on_the_order_of_rows() -> None:
    rng = np.random.default_rng(1)
    predicted, actual = rng.integers(0, 3, 60).astype(float), rng.gamma(0.5, size=60)
    shuffled = rng.permutation(60)
    for measure in (ranking.spearman, ranking.normalised_gini, ranking.top_capture):
        assert measure(predicted[shuffled], actual[shuffled]) == pytest.approx(measure(predicted, actual))


def test_one_customer_and_fewer_than_ten_can_be_measured() -> None:
    assert measures.bias([2.0], [1.0]) == 1
    assert np.isnan(ranking.spearman([2.0], [1.0]))
    found = ranking.deciles([3.0, 1.0], [5.0, 2.0])
    assert found.size.sum() == 2
    assert found.actual[0] == 2
    assert found.actual[-1] == 5
    assert np.isnan(found.actual[4])


@pytest.mark.parametrize("bins", [2, 4, 10])
def test_deciles_part_customers_as_lrfm_does(bins: int) -> None:
    rng = np.random.default_rng(2)
    predicted = rng.permutation(57).astype(float)
    rank = np.argsort(np.argsort(predicted)) + 1
    score = 1 + (rank[:, None] > 1 + 56 * np.arange(1, bins) / bins).sum(axis=1)
    found = ranking.deciles(predicted, predicted, bins=bins)
    assert found.size.tolist() == [float((score == s).sum()) for s in range(1, bins + 1)]
    assert found.actual == pytest.approx([predicted[score == s].mean() for s in range(1, bins + 1)])


def test_lengths_that_differ_are_refused() -> None:
    with pytest.raises(ValueError, match="do not belong together"):
        measures.bias([1.0, 2.0], [1.0])
    with pytest.raises(ValueError, match="do not belong together"):
        ranking.spearman([1.0], [1.0], [[1.0, 2.0]])
    with pytest.raises(ValueError, match="at least one"):
        measures.bias([], [])
    with pytest.raises(ValueError, match="no part of the customers"):
        ranking.top_capture([1.0], [1.0], share=0)


def test_a_law_on_one_point_scores_its_absolute_error() -> None:
    assert crps_discrete([3.0], np.ones((2, 1)), [5.0, 2.5]).tolist() == [2.0, 0.5]
    assert crps_draws(np.full((2, 4), 3.0), [5.0, 2.5]).tolist() == [2.0, 0.5]


def test_what_lies_beyond_the_law_was_impossible() -> None:
    assert log_score([[0.5, 0.5]], [2]).tolist() == [-np.inf]


def test_resamples_are_seeded_and_of_full_size() -> None:
    drawn = resamples(30, 50, random_state=3)
    assert (drawn == resamples(30, 50, random_state=3)).all()
    assert not (drawn == resamples(30, 50, random_state=4)).all()
    assert (drawn.sum(axis=1) == 30).all()


def test_a_spread_knows_on_which_side_of_zero_it_lies() -> None:
    assert spread(np.linspace(0.1, 1, 50)).sign == 1
    assert spread(np.linspace(-1, -0.1, 50)).sign == -1
    assert spread(np.linspace(-1, 1, 50)).sign == 0
    assert spread(np.array([1.0, np.nan])).sign == 0


def test_there_are_no_shares_of_a_loss() -> None:
    predicted, actual = [3.0, 2.0, 1.0, 0.0], [-9.0, 1.0, 2.0, 3.0]
    assert np.isnan(ranking.top_capture(predicted, actual, share=0.25))
    assert np.isnan(ranking.normalised_gini(predicted, actual))
    drawn = ranking.top_capture(predicted, actual, np.array([[1.0, 1, 1, 1], [0, 1, 1, 1]]), share=0.25)
    assert np.isnan(drawn).tolist() == [True, False]


@pytest.mark.parametrize("n", [3, 7, 49, 1_000])
def test_a_forecast_that_tells_nobody_apart_has_a_gini_of_exactly_zero(n: int) -> None:
    actual = np.random.default_rng(n).gamma(0.3, 7.0, n)
    assert ranking.normalised_gini(np.full(n, 0.1), actual) == 0.0
    assert (np.asarray(ranking.normalised_gini(np.full(n, 0.1), actual, np.full((2, n), 3.0))) == 0.0).all()
