"""Discounted orders two ways that share nothing but the model: by rates and chances of leaving, and by time."""

from __future__ import annotations

import numpy as np
import pytest

from evervalue.numerics.arrays import Array
from evervalue.numerics.purchases import active, discounted_orders


def anywhere(n: int, seed: int) -> list[Array]:
    """R, a, b from 1e-4 to 1e5, discount a unit of c from 1e-8 to 1e4."""
    rng = np.random.default_rng(seed)
    return [10 ** rng.uniform(low, high, n) for low, high in ((-4, 5), (-4, 5), (-4, 5), (-8, 4))]


@pytest.mark.parametrize(("k", "done", "n"), [(1, 0, 1_000), (2, 1, 60), (3, 0, 60), (7, 5, 30)])
def test_without_end_against_a_long_time(k: int, done: int, n: int) -> None:
    R, a, b, delta = anywhere(n, seed=k)
    endless = discounted_orders._endless(R, delta, a, b, k, done)
    until = discounted_orders._until(R, a, b, 42 / delta, delta, k, done)
    np.testing.assert_allclose(endless, until, rtol=1e-10)


@pytest.mark.parametrize(("k", "done"), [(2, 0), (3, 2)])
def test_order_by_order_against_by_parts(k: int, done: int) -> None:
    """Where both hold: the one sums chances of orders, the other integrates a quadrature over chances of leaving."""
    rng = np.random.default_rng(9)
    R, a, b = (10 ** rng.uniform(-1, 1.5, 200) for _ in range(3))
    t, delta = 10 ** rng.uniform(-2, 1, 200), 10 ** rng.uniform(-4, 0, 200)
    start = np.minimum(0.25 / (delta + R + 1), t)[:, None]
    u, weight = discounted_orders._times(2, start, t[:, None], np.log(t[:, None] / start))
    weight *= np.exp(-delta[:, None] * u)
    by_order, sure = discounted_orders._by_order(R, a, b, u, weight, k, done)
    by_parts = discounted_orders._by_parts(R, a, b, t, delta, u, weight, k, done)
    assert sure.all()
    np.testing.assert_allclose(by_order, by_parts, rtol=1e-11)


def test_nothing_discounted_is_the_expectation() -> None:
    R, a, b, c = 3.2, 0.7, 2.0, 11.0
    t = np.array([0.0, 1.0, 50.0])
    plain = discounted_orders.discounted(R, c, a, b, t, 0.0)
    hardly = discounted_orders.discounted(R, c, a, b, t, 1e-13)
    np.testing.assert_allclose(plain, hardly, rtol=1e-10)
    np.testing.assert_array_equal(plain, active.expected(R, c, a, b, t))
