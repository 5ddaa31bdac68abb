"""Pareto/NBD: what holds for any customer and any parameters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from evervalue.numerics.purchases import pareto_nbd

positive = st.floats(-4, 5).map(lambda e: 10.0**e)


@dataclass(frozen=True)
class Customer:
    params: tuple[float, float, float, float]
    x: float
    t_x: float
    T: float


@st.composite
def customers(draw: st.DrawFn) -> Customer:
    r, alpha, s, beta = (draw(positive) for _ in range(4))
    T = draw(st.floats(0.001, 1e4))
    x = draw(st.integers(0, 5_000))
    t_x = T * draw(st.floats(1e-6, 1)) if x else 0.0
    return Customer((r, alpha, s, beta), float(x), t_x, T)


@settings(max_examples=100, deadline=None)
@given(customers(), st.floats(0, 1e4))
def test_probabilities_and_expectations_have_their_range(c: Customer, t: float) -> None:
    alive = pareto_nbd.p_alive(c.params, c.x, c.t_x, c.T)
    assert 0 <= alive <= 1
    expected = pareto_nbd.conditional_expected_orders(c.params, c.x, c.t_x, c.T, t)
    r, alpha, *_ = c.params
    assert 0 <= expected <= alive * (r + c.x) / (alpha + c.T) * t * (1 + 1e-12)
    assert np.isfinite(pareto_nbd.log_likelihood(c.params, c.x, c.t_x, c.T))


@settings(max_examples=100, deadline=None)
@given(customers(), st.floats(0, 1e4), st.floats(-6, 6).map(lambda e: 10.0**e))
def test_the_unit_of_time_does_not_matter(c: Customer, t: float, unit: float) -> None:
    r, alpha, s, beta = c.params
    other = (r, alpha * unit, s, beta * unit)
    np.testing.assert_allclose(
        pareto_nbd.p_alive(other, c.x, c.t_x * unit, c.T * unit),
        pareto_nbd.p_alive(c.params, c.x, c.t_x, c.T),
        rtol=1e-9,
        atol=1e-300,
    )
    np.testing.assert_allclose(
        pareto_nbd.conditional_expected_orders(other, c.x, c.t_x * unit, c.T * unit, t * unit),
        pareto_nbd.conditional_expected_orders(c.params, c.x, c.t_x, c.T, t),
        rtol=1e-9,
        atol=1e-300,
    )
    # A density per time^x changes with the unit, by exactly that.
    shifted = pareto_nbd.log_likelihood(other, c.x, c.t_x * unit, c.T * unit) + c.x * np.log(unit)
    value = pareto_nbd.log_likelihood(c.params, c.x, c.t_x, c.T)
    np.testing.assert_allclose(shifted, value, rtol=1e-10, atol=1e-9)


@settings(max_examples=100, deadline=None)
@given(customers())
def test_the_gradient_knows_the_unit_of_time(c: Customer) -> None:
    """Scaling alpha, beta and all times by one factor adds -x log(factor): so do the two derivatives and time's."""
    _, gradient = pareto_nbd.log_likelihood_gradient(c.params, c.x, c.t_x, c.T)
    step = 1e-6
    later = pareto_nbd.log_likelihood(c.params, c.x, c.t_x * np.exp(step), c.T * np.exp(step))
    sooner = pareto_nbd.log_likelihood(c.params, c.x, c.t_x * np.exp(-step), c.T * np.exp(-step))
    by_time = (later - sooner) / (2 * step)
    size = 1 + c.x + abs(later)
    assert abs(gradient[1] + gradient[3] + by_time + c.x) < 1e-8 * size


@settings(max_examples=100, deadline=None)
@given(customers(), st.floats(0.01, 1e3))
def test_silence_lowers_the_chance_of_being_alive(c: Customer, more: float) -> None:
    now = pareto_nbd.p_alive(c.params, c.x, c.t_x, c.T)
    later = pareto_nbd.p_alive(c.params, c.x, c.t_x, c.T + more)
    assert later <= now * (1 + 1e-12)


@settings(max_examples=60, deadline=None)
@given(customers(), st.floats(0, 1e4), st.integers(0, 40))
def test_counts_are_a_distribution(c: Customer, t: float, n_max: int) -> None:
    for counts in (
        pareto_nbd.pmf(c.params, t, n_max),
        pareto_nbd.conditional_pmf(c.params, c.x, c.t_x, c.T, t, n_max),
    ):
        assert counts.shape == (n_max + 1,)
        assert (counts >= 0).all()
        assert counts.sum() <= 1 + 1e-12


@settings(max_examples=60, deadline=None)
@given(customers(), st.floats(0.01, 1e4), st.floats(-8, 1).map(lambda e: 10.0**e))
def test_discounting_only_takes_away(c: Customer, t: float, delta: float) -> None:
    at = (c.params, c.x, c.t_x, c.T)
    whole = pareto_nbd.conditional_expected_orders(*at, t)
    discounted = pareto_nbd.discounted_expected_orders(*at, t, delta)
    assert discounted <= whole * (1 + 1e-12)
    assert discounted >= whole * np.exp(-delta * t) * (1 - 1e-12)
    endless = pareto_nbd.discounted_expected_orders(*at, np.inf, delta)
    assert discounted <= endless * (1 + 1e-12)
