"""Profile intervals: equal to closed forms and to brute force, open where the data exclude nothing."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import chdtri, xlogy
from scipy.stats import chi2

from evervalue.numerics.arrays import Array
from evervalue.numerics.estimation.optimise import Objective, maximise
from evervalue.numerics.estimation.profile import WIDEST, profile_interval
from evervalue.numerics.purchases import bg_nbd, pareto_nbd
from tests.support import cdnow


def quadratic(precision: Array) -> Objective:
    return lambda x: (float(-0.5 * x @ precision @ x), -precision @ x)


def purchases(model: ModuleType, every: int) -> Objective:
    data = cdnow.calibration()
    rows = np.stack([data["frequency"], data["recency"], data["T"]], axis=1)[::every]
    distinct, weight = np.unique(rows, axis=0, return_counts=True)
    x, t_x, T = distinct.T
    scale = T.max()

    def objective(theta: Array) -> tuple[float, Array]:
        ll, gradient = model.log_likelihood_gradient(np.exp(theta), x, t_x / scale, T / scale)
        return float(weight @ ll), gradient @ weight

    return objective


@pytest.mark.parametrize("level", [0.5, 0.9, 0.95, 0.99])
def test_a_normal_law_has_the_intervals_of_its_marginals(level: float) -> None:
    spread = np.array([[0.5, 0.6, 0.0], [0.6, 1.0, 0.05], [0.0, 0.05, 0.02]])
    precision = np.linalg.inv(spread)
    for i in range(3):
        found = profile_interval(quadratic(precision), np.zeros(3), -precision, i, level=level)

        half = np.sqrt(chi2.ppf(level, 1) * spread[i, i])
        assert (found.low, found.high) == pytest.approx((-half, half), rel=1e-3)
        assert found.better is None
        assert found.evaluations < 40


def test_a_wrong_curvature_only_costs_steps() -> None:
    precision = np.array([[2.0, 1.2], [1.2, 1.0]])
    right = profile_interval(quadratic(precision), np.zeros(2), -precision, 0)
    for hessian in (np.zeros((2, 2)), -100 * np.eye(2), np.full((2, 2), np.nan)):
        found = profile_interval(quadratic(precision), np.zeros(2), hessian, 0)
        assert (found.low, found.high) == pytest.approx((right.low, right.high), rel=1e-3)


@pytest.mark.parametrize(("hits", "misses"), [(3, 17), (1, 200), (40, 2)])
def test_a_share_has_the_interval_of_its_likelihood_ratio(hits: int, misses: int) -> None:
    """A binomial share by its log odds: the ends solve an equation in one unknown."""
    n = hits + misses

    def objective(theta: Array) -> tuple[float, Array]:
        odds = float(theta[0])
        return hits * odds - n * np.logaddexp(0, odds), np.array([hits - n / (1 + np.exp(-odds))])

    top = np.array([np.log(hits / misses)])

    found = profile_interval(objective, top, np.array([[-hits * misses / n]]), 0)

    def miss(p: float) -> float:
        best = xlogy(hits, hits / n) + xlogy(misses, misses / n)
        return float(best - xlogy(hits, p) - xlogy(misses, 1 - p) - chdtri(1, 0.05) / 2)

    low, high = brentq(miss, 1e-9, hits / n), brentq(miss, hits / n, 1 - 1e-9)
    assert 1 / (1 + np.exp(-found.low)) == pytest.approx(low, rel=1e-3)
    assert 1 / (1 + np.exp(-found.high)) == pytest.approx(high, rel=1e-3)


@pytest.mark.parametrize("model", [bg_nbd, pareto_nbd], ids=["BG/NBD", "Pareto/NBD"])
def test_ends_lose_what_they_should_by_another_optimiser(model: ModuleType) -> None:
    """At both ends of each parameter `maximise` over the others, from the maximum, loses 1.92 too."""
    objective = purchases(model, every=4)
    box = np.full(4, WIDEST)
    best = maximise(objective, [np.zeros(4)], lower=-box, upper=box)

    for i in range(4):
        found = profile_interval(objective, best.log_params, best.hessian, i)
        assert found.low < best.log_params[i] < found.high
        for end in (found.low, found.high):
            if np.isfinite(end):
                lower, upper = -box, box.copy()
                lower[i] = upper[i] = end
                held = maximise(objective, [best.log_params], lower=lower, upper=upper)
                assert best.value - held.value == pytest.approx(chi2.ppf(0.95, 1) / 2, abs=0.01)


def test_few_customers_leave_dropout_open() -> None:
    """Of 79 customers of CDNOW nothing tells how much they differ in leaving: a and b have no ends."""
    objective = purchases(bg_nbd, every=30)
    box = np.full(4, WIDEST)
    best = maximise(objective, [np.zeros(4)], lower=-box, upper=box)

    of_r, of_a, of_b = (profile_interval(objective, best.log_params, best.hessian, i) for i in (0, 2, 3))

    assert np.isfinite([of_r.low, of_r.high]).all()
    assert (of_a.low, of_a.high) == (of_b.low, of_b.high) == (-np.inf, np.inf)


def test_customers_who_may_all_be_alike_leave_one_end_open() -> None:
    """Of 590 customers the data exclude that all stay, and exclude not that all leave alike: s has no upper end."""
    objective = purchases(pareto_nbd, every=4)
    box = np.full(4, WIDEST)
    best = maximise(objective, [np.zeros(4)], lower=-box, upper=box)

    found = profile_interval(objective, best.log_params, best.hessian, 2)

    assert np.isfinite(found.low)
    assert found.high == np.inf
    assert found.says("s") == (
        "s is at least 0.201 (95 %); it has no upper limit: the data do not exclude any larger value."
    )


def test_all_ends_open_is_said() -> None:
    found = profile_interval(lambda x: (0.0, np.zeros(2)), np.zeros(2), np.zeros((2, 2)), 1)

    assert (found.low, found.high) == (-np.inf, np.inf)
    assert found.says("beta") == "beta can be anything (95 %): the data exclude no value of it."


def test_words_give_values_in_the_unit_of_the_history() -> None:
    found = profile_interval(quadratic(np.eye(1)), np.zeros(1), -np.eye(1), 0)

    assert found.says("alpha", 10.0) == "alpha is between 1.409 and 70.99 (95 %)."


def test_an_estimate_on_its_bound_is_open_on_that_side() -> None:
    """The likelihood still rises there."""

    def objective(theta: Array) -> tuple[float, Array]:
        return float(-np.exp(-theta[0])), np.array([np.exp(-theta[0])])

    found = profile_interval(objective, np.array([5.0]), np.array([[-0.0067]]), 0, upper=5.0)

    assert found.high == np.inf
    assert found.low == pytest.approx(-np.log(1.9207 + np.exp(-5)), abs=1e-3)


def test_a_higher_likelihood_met_on_the_way_is_told() -> None:
    """Two summits, the search having ended on the lower one."""

    def objective(x: Array) -> tuple[float, Array]:
        heights = np.array([-0.5 * (x[0] ** 2 + x[1] ** 2), 3 - 0.5 * ((x[0] - 3) ** 2 + x[1] ** 2)])
        share = np.exp(heights - heights.max())
        share /= share.sum()
        return float(np.logaddexp(*heights)), np.array([-x[0] + 3 * share[1], -x[1]])

    found = profile_interval(objective, np.zeros(2), -np.eye(2), 0)

    assert found.better is not None
    assert objective(found.better)[0] > objective(np.zeros(2))[0] + 1


def test_the_path_shows_the_loss() -> None:
    found = profile_interval(quadratic(np.diag([4.0, 1.0])), np.zeros(2), -np.diag([4.0, 1.0]), 0)

    assert np.all(np.diff(found.path[:, 0]) >= 0)
    assert found.path[:, 1] == pytest.approx(2 * found.path[:, 0] ** 2, abs=1e-6)
