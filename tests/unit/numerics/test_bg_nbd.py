"""BG/NBD: shapes, edges and the cases that other implementations stumble over."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import hyp2f1

from evervalue.numerics.purchases import bg_nbd

PARAMS = (0.6, 5.0, 0.9, 2.5)
X, T_X, T = np.array([0.0, 1.0, 4.0]), np.array([0.0, 3.0, 20.0]), np.array([30.0, 30.0, 21.0])


def test_shapes_follow_from_broadcasting() -> None:
    draws = tuple(np.full((7, 1), value) for value in PARAMS)
    assert bg_nbd.log_likelihood(PARAMS, 1, 3.0, 30.0).shape == ()
    assert bg_nbd.log_likelihood(draws, X, T_X, T).shape == (7, 3)
    ll, gradient = bg_nbd.log_likelihood_gradient(draws, X, T_X, T)
    assert ll.shape == (7, 3)
    assert gradient.shape == (4, 7, 3)
    assert bg_nbd.p_alive(draws, X, T_X, T).shape == (7, 3)
    assert bg_nbd.conditional_expected_orders(draws, X, T_X, T, 5.0).shape == (7, 3)
    assert bg_nbd.conditional_expected_orders(PARAMS, 1, 3.0, 30.0, np.arange(6.0)).shape == (6,)
    assert bg_nbd.discounted_expected_orders(PARAMS, X, T_X, T, np.inf, 0.1).shape == (3,)
    assert bg_nbd.pmf(PARAMS, np.arange(1.0, 6.0), 9).shape == (5, 10)
    assert bg_nbd.conditional_pmf(draws, X, T_X, T, 5.0, 9).shape == (7, 3, 10)
    assert bg_nbd.sample_orders(draws, X, T_X, T, 5.0, np.random.default_rng(1)).shape == (7, 3)
    drawn = bg_nbd.simulate(draws, T, np.random.default_rng(1), 5.0)
    assert drawn.x.shape == drawn.future.shape == drawn.alive.shape == (7, 3)


def test_nobody() -> None:
    none = np.empty(0)
    ll, gradient = bg_nbd.log_likelihood_gradient(PARAMS, none, none, none)
    assert ll.shape == (0,)
    assert gradient.shape == (4, 0)
    for values in (
        bg_nbd.p_alive(PARAMS, none, none, none),
        bg_nbd.conditional_expected_orders(PARAMS, none, none, none, 5.0),
        bg_nbd.discounted_expected_orders(PARAMS, none, none, none, 5.0, 0.1),
        bg_nbd.sample_orders(PARAMS, none, none, none, 5.0, np.random.default_rng(1)),
    ):
        assert values.shape == (0,)
    assert bg_nbd.conditional_pmf(PARAMS, none, none, none, 5.0, 3).shape == (0, 4)


def test_somebody_new_is_somebody_known_at_age_zero() -> None:
    assert bg_nbd.log_likelihood(PARAMS, 0, 0.0, 0.0) == 0
    assert bg_nbd.conditional_expected_orders(PARAMS, 0, 0.0, 0.0, 9.0) == bg_nbd.expected_orders(PARAMS, 9.0)
    np.testing.assert_array_equal(
        bg_nbd.conditional_pmf(PARAMS, 0, 0.0, 0.0, 9.0, 5), bg_nbd.pmf(PARAMS, 9.0, 5)
    )
    assert bg_nbd.discounted_expected_orders(
        PARAMS, 0, 0.0, 0.0, 9.0, 0.1
    ) == bg_nbd.new_discounted_expected_orders(PARAMS, 9.0, 0.1)


def test_one_time_buyers_are_alive_whatever_the_silence() -> None:
    assert np.all(bg_nbd.p_alive(PARAMS, 0, 0.0, np.array([0.0, 1.0, 1e6])) == 1)


def test_no_time_no_orders() -> None:
    assert bg_nbd.expected_orders(PARAMS, 0.0) == 0
    assert bg_nbd.discounted_expected_orders(PARAMS, 3, 3.0, 9.0, 0.0, 0.1) == 0
    assert bg_nbd.pmf(PARAMS, 0.0, 3).tolist() == [1, 0, 0, 0]


def test_no_end_needs_a_discount() -> None:
    with pytest.raises(ValueError, match="infinite horizon"):
        bg_nbd.new_discounted_expected_orders(PARAMS, np.inf, 0.0)


def test_a_of_one_is_no_singularity() -> None:
    """Where the formula of the paper divides by a - 1."""
    around = [float(bg_nbd.expected_orders((0.6, 5.0, a, 2.5), 52.0)) for a in (1 - 1e-7, 1.0, 1 + 1e-7)]
    assert around[1] == pytest.approx((around[0] + around[2]) / 2, rel=1e-13)
    assert around[0] > around[1] > around[2]


def test_equation_9_where_it_holds() -> None:
    """The 2F1 of the paper, at parameters that scipy's 2F1 bears."""
    for r, alpha, a, b in ((0.243, 4.414, 0.793, 2.426), (2.0, 9.0, 3.3, 4.0), (0.7, 30.0, 1.4, 0.6)):
        t = 20.0
        share = alpha / (alpha + t)
        want = (a + b - 1) / (a - 1) * (1 - share**r * hyp2f1(r, b, a + b - 1, 1 - share))
        assert float(bg_nbd.expected_orders((r, alpha, a, b), t)) == pytest.approx(want, rel=1e-12)


def test_counts_without_end_sum_to_one() -> None:
    counts = bg_nbd.conditional_pmf(PARAMS, X, T_X, T, 20.0, 2_000)
    np.testing.assert_allclose(counts.sum(axis=1), 1, rtol=1e-12)
    np.testing.assert_allclose(
        counts @ np.arange(2_001), bg_nbd.conditional_expected_orders(PARAMS, X, T_X, T, 20.0), rtol=1e-9
    )


def test_the_same_seed_gives_the_same_customers() -> None:
    first, second = (bg_nbd.simulate(PARAMS, T, np.random.default_rng(4), 9.0) for _ in range(2))
    for name in ("x", "t_x", "T", "future", "alive"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
