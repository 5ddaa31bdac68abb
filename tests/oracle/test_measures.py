"""Every measure by a second method: brute force over pairs, the definition's own sum, simulation, scipy, a loop."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise, permutations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats
from scipy.integrate import quad

from evervalue.numerics.measures import errors as measures
from evervalue.numerics.measures import ranking
from evervalue.numerics.measures.bootstrap import resamples
from evervalue.numerics.measures.probability_scores import crps_discrete, crps_draws

Floats = NDArray[np.float64]
Measure = Callable[..., float | Floats]
MEASURES: list[Measure] = [
    measures.bias,
    measures.mean_absolute_error,
    measures.root_mean_squared_error,
    ranking.spearman,
    ranking.normalised_gini,
    ranking.top_capture,
    ranking.decile_mape,
]


def customers(n: int, seed: int) -> tuple[Floats, Floats]:
    """Predictions with ties, and outcomes with many zeros."""
    rng = np.random.default_rng(seed)
    predicted = np.round(rng.gamma(0.6, 2, n), 1)
    return predicted, rng.poisson(predicted) * rng.gamma(2, 10, n).round(2)


def gini_over_pairs(score: Floats, actual: Floats) -> float:
    """For each pair the outcome of the one ranked higher less that of the other: ties count neither."""
    higher = np.sign(score[:, None] - score[None, :])
    return float((higher * actual[:, None]).sum() / (len(score) ** 2 * actual.sum()))


def gini_along_the_curve(score: Floats, actual: Floats) -> float:
    """The area under the share of the outcome, tie by tie, by trapezoids."""
    x, y = [0.0], [0.0]
    for value in sorted(set(score), reverse=True):
        tie = score == value
        x.append(x[-1] + tie.mean())
        y.append(y[-1] + actual[tie].sum() / actual.sum())
    return sum((x1 - x0) * (y0 + y1) / 2 for (x0, y0), (x1, y1) in pairwise(zip(x, y, strict=True))) - 0.5


@pytest.mark.parametrize("seed", range(5))
def test_normalised_gini_over_all_pairs_and_along_the_curve(seed: int) -> None:
    predicted, actual = customers(200, seed)
    found = ranking.normalised_gini(predicted, actual)
    pairs = gini_over_pairs(predicted, actual) / gini_over_pairs(actual, actual)
    curve = gini_along_the_curve(predicted, actual) / gini_along_the_curve(actual, actual)
    assert found == pytest.approx(pairs, rel=1e-12)
    assert found == pytest.approx(curve, rel=1e-12)


def test_a_gini_with_ties_is_the_mean_over_orders_of_the_ties() -> None:
    predicted, actual = np.array([2.0, 1.0, 1.0, 1.0, 0.0]), np.array([1.0, 8.0, 0.0, 2.0, 3.0])
    broken = []
    for tie in permutations((0.1, 0.2, 0.3)):
        broken.append(float(np.asarray(ranking.normalised_gini(predicted + np.array([0, *tie, 0]), actual))))
    assert ranking.normalised_gini(predicted, actual) == pytest.approx(np.mean(broken), rel=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_spearman_equals_scipy(seed: int) -> None:
    predicted, actual = customers(300, seed)
    expected = stats.spearmanr(predicted, actual).statistic
    assert ranking.spearman(predicted, actual) == pytest.approx(expected, rel=1e-12)


def test_top_capture_is_the_mean_over_orders_of_the_tie_at_the_edge() -> None:
    predicted, actual = customers(97, 3)
    rng = np.random.default_rng(1)
    caught = []
    for _ in range(4000):
        order = np.lexsort((rng.permutation(97), -predicted))
        whole = actual[order[:9]].sum() + 0.7 * actual[order[9]]
        caught.append(whole / actual.sum())
    assert ranking.top_capture(predicted, actual) == pytest.approx(np.mean(caught), abs=0.002)


@pytest.mark.parametrize("measure", MEASURES)
def test_weights_equal_rows_written_out_again_and_again(measure: Measure) -> None:
    predicted, actual = customers(120, 7)
    weights = resamples(120, 40, random_state=5)
    looped = []
    for row in weights.astype(int):
        chosen = np.repeat(np.arange(120), row)
        looped.append(measure(predicted[chosen], actual[chosen]))
    assert np.asarray(measure(predicted, actual, weights)) == pytest.approx(np.array(looped), rel=1e-10)
    assert measure(predicted, actual, weights[0]) == pytest.approx(looped[0], rel=1e-10)
    assert measure(predicted, actual) == pytest.approx(measure(predicted, actual, np.ones(120)), rel=1e-12)


def test_blocks_of_resamples_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    predicted, actual = customers(120, 8)
    weights = resamples(120, 40)
    whole = ranking.normalised_gini(predicted, actual, weights)
    monkeypatch.setattr(ranking, "CELLS", 500)
    assert ranking.normalised_gini(predicted, actual, weights) == pytest.approx(whole, rel=0)


def test_bootstrap_standard_error_of_a_mean_is_the_textbook_one() -> None:
    values = customers(400, 9)[1]
    drawn = measures.weighted_mean(values, resamples(400, 4000))
    assert np.std(drawn) == pytest.approx(values.std() / 20, rel=0.05)


def test_crps_of_counts_is_the_sum_of_squared_steps() -> None:
    rng = np.random.default_rng(2)
    mass = rng.dirichlet(np.full(30, 0.4), size=50)
    actual = rng.integers(0, 30, 50)
    steps = np.arange(30)
    by_definition = ((np.cumsum(mass, axis=1) - (steps >= actual[:, None])) ** 2).sum(axis=1)
    assert crps_discrete(steps, mass, actual) == pytest.approx(by_definition, abs=1e-12)


def test_crps_beyond_the_law_and_between_its_points_is_the_integral() -> None:
    values, mass = np.array([0.0, 1.5, 4.0]), np.array([[0.2, 0.5, 0.3]])
    for actual in (-2.0, 0.7, 4.0, 9.0):

        def gap(z: float, actual: float = actual) -> float:
            return float((mass[0][values <= z].sum() - (z >= actual)) ** 2)

        area = quad(gap, -5, 12, points=[*values, actual], limit=200)[0]
        assert crps_discrete(values, mass, [actual])[0] == pytest.approx(area, abs=1e-9)


def test_crps_of_a_normal_law_by_draws_and_in_closed_form() -> None:
    rng = np.random.default_rng(3)
    actual = np.linspace(-3, 3, 40)
    closed = actual * (2 * stats.norm.cdf(actual) - 1) + 2 * stats.norm.pdf(actual) - 1 / np.sqrt(np.pi)
    assert crps_draws(rng.normal(size=(40, 20_000)), actual) == pytest.approx(closed, abs=0.03)
    few = np.mean([crps_draws(rng.normal(size=(40, 4)), actual) for _ in range(4000)], axis=0)
    assert few == pytest.approx(closed, abs=0.04), "few draws are not worse on average"


def test_the_true_law_has_the_best_scores() -> None:
    rng = np.random.default_rng(4)
    steps, actual = np.arange(40), rng.poisson(3.0, 20_000)
    laws = {rate: stats.poisson.pmf(steps, rate) for rate in (2.4, 3.0, 3.6)}
    crps = {r: crps_discrete(steps, np.tile(p, (20_000, 1)), actual).mean() for r, p in laws.items()}
    assert min(crps, key=lambda r: crps[r]) == 3.0
