"""MBG/CNBD-k: shapes, edges, what k = 1 is and what a larger k does."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from evervalue.numerics.purchases import bg_nbd, mbg_cnbd_k

PARAMS = (0.9, 1.6, 0.8, 2.4)
X, T_X, T = np.array([0.0, 1.0, 4.0]), np.array([0.0, 3.0, 20.0]), np.array([30.0, 30.0, 21.0])


@pytest.mark.parametrize("k", [1, 3])
def test_shapes_follow_from_broadcasting(k: int) -> None:
    draws = tuple(np.full((7, 1), value) for value in PARAMS)
    assert mbg_cnbd_k.log_likelihood(PARAMS, 1, 3.0, 30.0, k).shape == ()
    ll, gradient = mbg_cnbd_k.log_likelihood_gradient(draws, X, T_X, T, k)
    assert ll.shape == (7, 3)
    assert gradient.shape == (4, 7, 3)
    assert mbg_cnbd_k.p_alive(draws, X, T_X, T, k).shape == (7, 3)
    assert mbg_cnbd_k.conditional_expected_orders(draws, X, T_X, T, 5.0, k).shape == (7, 3)
    assert mbg_cnbd_k.conditional_expected_orders(PARAMS, 1, 3.0, 30.0, np.arange(6.0), k).shape == (6,)
    assert mbg_cnbd_k.discounted_expected_orders(draws, X, T_X, T, np.inf, 0.1, k).shape == (7, 3)
    assert mbg_cnbd_k.pmf(PARAMS, np.arange(1.0, 6.0), 9, k).shape == (5, 10)
    assert mbg_cnbd_k.conditional_pmf(draws, X, T_X, T, 5.0, 9, k).shape == (7, 3, 10)
    rng = np.random.default_rng(1)
    assert mbg_cnbd_k.sample_orders(draws, X, T_X, T, 5.0, rng, k).shape == (7, 3)
    assert mbg_cnbd_k.sample_orders(PARAMS, 1, 3.0, 30.0, np.full(6, 5.0), rng, k).shape == (6,)
    assert mbg_cnbd_k.simulate(draws, T, rng, 5.0, k).x.shape == (7, 3)


@pytest.mark.parametrize("k", [1, 2])
def test_nobody(k: int) -> None:
    none = np.empty(0)
    assert mbg_cnbd_k.log_likelihood_gradient(PARAMS, none, none, none, k)[1].shape == (4, 0)
    assert mbg_cnbd_k.conditional_expected_orders(PARAMS, none, none, none, 5.0, k).shape == (0,)
    assert mbg_cnbd_k.discounted_expected_orders(PARAMS, none, none, none, 5.0, 0.1, k).shape == (0,)
    assert mbg_cnbd_k.sample_orders(PARAMS, none, none, none, 5.0, np.random.default_rng(1), k).shape == (0,)


@pytest.mark.parametrize("k", [0, -1, 1.5, 51])
def test_impossible_regularity(k: float) -> None:
    with pytest.raises(ValueError, match="whole number from 1 to 50"):
        mbg_cnbd_k.log_likelihood(PARAMS, X, T_X, T, k)  # type: ignore[arg-type]


def test_some_leave_after_the_first_order() -> None:
    """Where BG/NBD takes all one-time buyers for active."""
    alive = mbg_cnbd_k.p_alive(PARAMS, 0, 0.0, np.array([0.0, 10.0, 1e6]))
    assert alive[0] == pytest.approx(2.4 / 3.2)
    assert alive[0] > alive[1] > alive[2]
    assert alive[2] < 1e-4
    assert float(mbg_cnbd_k.pmf(PARAMS, 0.0, 0)[0]) == 1


@pytest.mark.parametrize("k", [1, 2, 4])
def test_somebody_new_is_somebody_known_at_age_zero(k: int) -> None:
    new = 0, 0.0, 0.0
    np.testing.assert_allclose(
        mbg_cnbd_k.conditional_expected_orders(PARAMS, *new, 9.0, k),
        mbg_cnbd_k.expected_orders(PARAMS, 9.0, k),
        rtol=1e-14,
    )
    np.testing.assert_allclose(
        mbg_cnbd_k.conditional_pmf(PARAMS, *new, 9.0, 5, k), mbg_cnbd_k.pmf(PARAMS, 9.0, 5, k), rtol=1e-13
    )
    np.testing.assert_allclose(
        mbg_cnbd_k.discounted_expected_orders(PARAMS, *new, 9.0, 0.1, k),
        mbg_cnbd_k.new_discounted_expected_orders(PARAMS, 9.0, 0.1, k),
        rtol=1e-14,
    )


def test_who_stays_after_the_first_order_is_a_bg_nbd_customer_with_one_more_survival() -> None:
    r, alpha, a, b = PARAMS
    stays = b / (a + b)
    later = (r, alpha, a, b + 1)
    np.testing.assert_allclose(
        mbg_cnbd_k.expected_orders(PARAMS, 9.0), stays * bg_nbd.expected_orders(later, 9.0), rtol=1e-14
    )
    ll = np.log(stays) + bg_nbd.log_likelihood(later, X[1:], T_X[1:], T[1:])
    np.testing.assert_allclose(mbg_cnbd_k.log_likelihood(PARAMS, X[1:], T_X[1:], T[1:]), ll, rtol=1e-13)


def test_the_intervals_count_for_nothing_without_regularity() -> None:
    assert mbg_cnbd_k.interval_log_likelihood(np.array([0, 3]), np.array([0.0, 2.5])).tolist() == [0, 0]
    added = mbg_cnbd_k.interval_log_likelihood(np.array([0, 3]), np.array([0.0, 2.5]), 4)
    np.testing.assert_allclose(added, [0, 3 * 2.5 - 3 * np.log(6)])


def test_regular_customers_are_missed_sooner() -> None:
    """Seven orders, one every four weeks: a silence of ten weeks says more the more regular the orders are."""
    alive = [float(mbg_cnbd_k.p_alive((2.0, 8.0 / k, 0.8, 2.4), 7, 28.0, 38.0, k)) for k in (1, 2, 4, 8)]
    assert all(earlier > later for earlier, later in pairwise(alive))


@pytest.mark.parametrize("k", [1, 2, 5])
def test_counts_without_end_sum_to_one(k: int) -> None:
    counts = mbg_cnbd_k.conditional_pmf(PARAMS, X, T_X, T, 20.0, 1_500, k)
    np.testing.assert_allclose(counts.sum(axis=1), 1, rtol=1e-12)
    np.testing.assert_allclose(
        counts @ np.arange(1_501),
        mbg_cnbd_k.conditional_expected_orders(PARAMS, X, T_X, T, 20.0, k),
        rtol=1e-9,
    )


def test_no_end_needs_a_discount() -> None:
    with pytest.raises(ValueError, match="infinite horizon"):
        mbg_cnbd_k.new_discounted_expected_orders(PARAMS, np.inf, 0.0, 2)
