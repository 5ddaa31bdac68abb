"""BG/NBD, MBG/NBD and MBG/CNBD-k for any parameters and histories: finite, in range, monotone, free of units."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evervalue.numerics.arrays import Array
from evervalue.numerics.purchases import bg_nbd, mbg_cnbd_k
from evervalue.numerics.purchases.kernel import Kernel
from tests.support.exact_bg_nbd import points

MODELS = {
    "BG/NBD": Kernel.of(bg_nbd),
    **{f"MBG/CNBD-{k}": Kernel.of(mbg_cnbd_k, k=k) for k in (1, 3)},
}

parameter = st.floats(np.log(1e-4), np.log(1e5)).map(lambda v: float(np.exp(v)))
parameters = st.tuples(parameter, parameter, parameter, parameter)
models = st.sampled_from(sorted(MODELS)).map(MODELS.__getitem__)


@st.composite
def histories(draw: Callable[..., Any]) -> tuple[float, float, float]:
    x = draw(st.one_of(st.just(0), st.integers(1, 20), st.integers(1, 5_000)))
    T = draw(st.floats(1e-2, 1e4))
    return float(x), T * draw(st.floats(1e-6, 1.0)) if x else 0.0, T


@pytest.mark.parametrize("name", MODELS)
def test_nothing_is_not_finite_at_ten_thousand_points(name: str) -> None:
    """Parameters 1e-4 to 1e5, x to 5,000. A numpy warning would be an error."""
    model, at = MODELS[name], points(10_000, seed=7)
    rng = np.random.default_rng(1)
    history = at.x, at.t_x, at.T
    ll, gradient = model.log_likelihood_gradient(at.params, *history)
    np.testing.assert_allclose(ll, model.log_likelihood(at.params, *history), rtol=1e-12, atol=1e-12)
    assert np.isfinite(ll).all()
    assert np.isfinite(gradient).all()
    alive = model.p_alive(at.params, *history)
    assert np.all((alive >= 0) & (alive <= 1))
    for counts in (
        model.pmf(at.params, at.t, 12),
        model.conditional_pmf(at.params, *history, at.t, 12),
    ):
        assert np.all(counts >= 0)
        assert np.all(counts.sum(axis=-1) <= 1 + 1e-10)
    drawn = model.simulate(at.params, at.T, rng, 5.0)
    assert np.all((drawn.x >= 0) & (drawn.future >= 0) & (drawn.t_x >= 0) & (drawn.t_x <= at.T))
    assert np.isfinite(drawn.x + drawn.future).all()
    draws = model.sample_orders(at.params, *history, at.t, rng)
    assert np.all(np.isfinite(draws) & (draws >= 0))


@pytest.mark.parametrize("name", MODELS)
def test_expectations_are_finite_anywhere(name: str) -> None:
    model = MODELS[name]
    at = points(10_000 if model.options.get("k", 1) == 1 else 500, seed=8)
    history = at.x, at.t_x, at.T
    rng = np.random.default_rng(2)
    orders = model.conditional_expected_orders(at.params, *history, at.t)
    some = slice(0, len(at.t) // 5)
    part, short = tuple(p[some] for p in at.params), tuple(v[some] for v in history)
    delta = 10 ** rng.uniform(-6, 1, len(at.t))[some]
    worth = model.discounted_expected_orders(part, *short, at.t[some], delta)
    endless = model.discounted_expected_orders(part, *short, np.inf, delta)
    new = model.new_discounted_expected_orders(part, np.inf, delta)
    for values in (orders, worth, endless, new, model.expected_orders(at.params, at.t)):
        assert np.all(np.isfinite(values) & (values >= 0))
    assert np.all(worth <= orders[some] * (1 + 1e-9))
    assert np.all(worth <= endless * (1 + 1e-9) + 1e-12)
    # Nobody makes more orders than somebody who never leaves.
    r, alpha = at.params[0], at.params[1]
    k = model.options.get("k", 1)
    assert np.all(orders <= (r + k * at.x + k - 1) / (alpha + at.T) * at.t * (1 + 1e-9))


@given(models, parameters, histories(), st.floats(1e-3, 1e3))
def test_orders_rise_with_time_and_agree_with_their_counts(
    model: Kernel, params: Any, history: tuple[float, float, float], t: float
) -> None:
    times = t * np.array([0.0, 0.5, 1.0, 2.0])
    orders = model.conditional_expected_orders(params, *history, times)
    assert orders[0] == 0
    assert np.all(np.diff(orders) >= -1e-12 * orders[-1])
    counts = model.conditional_pmf(params, *history, t, 600)
    rest = 1 - counts.sum()
    assert rest >= -1e-10
    mean = float(counts @ np.arange(601))
    assert mean <= orders[2] * (1 + 1e-8) + 1e-12
    if rest < 1e-14:
        assert mean == pytest.approx(orders[2], rel=1e-8, abs=1e-11)


@given(models, parameters, histories(), st.floats(1e-3, 1e3), st.floats(1e-3, 1e3))
def test_units_of_time_do_not_matter(
    model: Kernel, params: Any, history: tuple[float, float, float], t: float, unit: float
) -> None:
    x, t_x, T = history
    r, alpha, a, b = params
    k = model.options.get("k", 1)
    other = (r, alpha * unit, a, b), x, t_x * unit, T * unit
    ll = float(model.log_likelihood(params, *history))
    # The density of x times in another unit, k - 1 of whose powers the intervals carry.
    assert float(model.log_likelihood(*other)) == pytest.approx(ll - k * x * np.log(unit), rel=1e-9, abs=1e-9)
    for got, want in (
        (model.p_alive(*other), model.p_alive(params, *history)),
        (
            model.conditional_expected_orders(*other, t * unit),
            model.conditional_expected_orders(params, *history, t),
        ),
        (model.expected_orders(other[0], t * unit), model.expected_orders(params, t)),
        (
            model.discounted_expected_orders(*other, np.inf, 0.01 / unit),
            model.discounted_expected_orders(params, *history, np.inf, 0.01),
        ),
    ):
        assert float(got) == pytest.approx(float(want), rel=1e-8, abs=1e-12)


@given(
    models, parameters, st.integers(1, 50), st.floats(0.1, 100.0), st.floats(0.01, 0.9), st.floats(0.0, 10.0)
)
def test_silence_makes_leaving_likelier(
    model: Kernel, params: Any, x: int, T: float, last: float, longer: float
) -> None:
    alive = model.p_alive(params, float(x), last * T, np.array([T, T + longer]))
    assert alive[1] <= alive[0] * (1 + 1e-12)


@given(models, parameters)
def test_no_covariate_is_no_change(model: Kernel, params: Any) -> None:
    """A parameter for each customer gives what one for all gives: tables of counts and distinct rows change nothing."""
    rng = np.random.default_rng(3)
    x = rng.integers(0, 6, 80).astype(float)
    T = rng.integers(10, 13, 80).astype(float)
    t_x = np.where(x > 0, T * rng.random(80), 0.0)
    each = [np.full(80, value) for value in params]
    np.testing.assert_allclose(model.p_alive(params, x, t_x, T), model.p_alive(each, x, t_x, T), rtol=1e-12)
    ll, gradient = model.log_likelihood_gradient(params, x, t_x, T)
    ll_each, gradient_each = model.log_likelihood_gradient(each, x, t_x, T)
    np.testing.assert_allclose(ll, ll_each, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(gradient, gradient_each, rtol=1e-12, atol=1e-12)
    together = model.conditional_expected_orders(params, x, t_x, T, 8.0)
    np.testing.assert_allclose(together, model.conditional_expected_orders(each, x, t_x, T, 8.0), rtol=1e-12)
    assert_same_rows(
        together, model.conditional_expected_orders([np.full((3, 1), v) for v in params], x, t_x, T, 8.0)
    )


@pytest.mark.parametrize("name", MODELS)
def test_the_same_bits_in_any_company(name: str) -> None:
    """A customer's numbers do not hang on who else is asked for, nor in which order."""
    model, at = MODELS[name], points(200, seed=9)
    rng = np.random.default_rng(4)
    delta = 10 ** rng.uniform(-4, 0, 200)

    def numbers(some: Any) -> list[Array]:
        params = [p[some] for p in at.params]
        history = at.x[some], at.t_x[some], at.T[some]
        return [
            *model.log_likelihood_gradient(params, *history)[1],
            model.log_likelihood(params, *history),
            model.p_alive(params, *history),
            model.conditional_expected_orders(params, *history, at.t[some]),
            model.discounted_expected_orders(params, *history, at.t[some], delta[some]),
            model.discounted_expected_orders(params, *history, np.inf, delta[some]),
            model.conditional_pmf(params, *history, at.t[some], 3)[:, 1],
        ]

    together = numbers(slice(None))
    shuffled = rng.permutation(200)
    for one, other in zip(together, numbers(shuffled), strict=True):
        np.testing.assert_array_equal(one[shuffled], other)
    for i in range(0, 200, 40):
        for one, other in zip(together, numbers(slice(i, i + 1)), strict=True):
            np.testing.assert_array_equal(one[i : i + 1], other)


def assert_same_rows(row: Array, rows: Array) -> None:
    assert rows.shape == (3, len(row))
    for other in rows:
        np.testing.assert_allclose(other, row, rtol=1e-12)
