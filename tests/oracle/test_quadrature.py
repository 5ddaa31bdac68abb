"""What the integrals stand on: nodes and weights, rising factorials, grouping by nodes, against arbitrary precision."""

from __future__ import annotations

import mpmath as mp
import numpy as np
import pytest
from mpmath.calculus.quadrature import GaussLegendre

from evervalue.numerics.arrays import Array
from evervalue.numerics.functions import chunks
from evervalue.numerics.functions.gauss_legendre import gauss_legendre
from evervalue.numerics.functions.rising import digamma_rise, log_rising, log_rising_with_slope
from evervalue.numerics.purchases.falling_integral import NODES, Rows, both_fallen, by_nodes, fallen


@pytest.mark.parametrize("degree", [2, 3, 4, 5])
def test_nodes_and_weights_to_the_last_digits(degree: int) -> None:
    """6, 12, 24 and 48 nodes; numpy's own weights are off by 1e-12 at 48."""
    with mp.workdps(30):
        exact = sorted(((x + 1) / 2, w / 2) for x, w in GaussLegendre(mp.mp).calc_nodes(degree, 120))
        node, weight = gauss_legendre(len(exact))
        for i, (x, w) in enumerate(exact):
            assert abs(mp.mpf(float(node[i])) - x) < 1e-15 * x
            assert abs(mp.mpf(float(weight[i])) - w) < 2e-14 * w


@pytest.mark.parametrize("n", [1, 2, 3, 7, 64, 129, 512])
def test_polynomials_are_integrated_exactly(n: int) -> None:
    node, weight = gauss_legendre(n)
    assert (np.diff(node) > 0).all()
    for power in {0, 1, n, 2 * n - 1}:
        assert weight @ node**power == pytest.approx(1 / (power + 1), rel=1e-12)


def test_rising_factorials() -> None:
    rng = np.random.default_rng(1)
    r = np.concatenate([10 ** rng.uniform(-4, 5, 300), [1e-4, 9.999999, 10.0, 1e5]])
    x = np.concatenate([np.floor(10 ** rng.uniform(-0.3, 3.7, 300)), [0.0, 1.0, 1.0, 1.0]])
    for i in range(len(r)):
        with mp.workdps(40):
            value = mp.loggamma(mp.mpf(r[i]) + x[i]) - mp.loggamma(mp.mpf(r[i]))
            slope = mp.digamma(mp.mpf(r[i]) + x[i]) - mp.digamma(mp.mpf(r[i]))
        assert float(log_rising(r[i], x[i])) == pytest.approx(float(value), rel=1e-13, abs=1e-13)
        assert float(digamma_rise(r[i], x[i])) == pytest.approx(float(slope), rel=1e-9, abs=1e-14)


def test_one_rate_and_many_counts_give_what_each_gives_alone() -> None:
    x = np.random.default_rng(2).poisson(3, 5_000).astype(float)
    for r in (0.55, 40.0):
        alone = np.array([float(log_rising(r, count)) for count in x[:50]])
        np.testing.assert_array_equal(log_rising(r, x)[:50], alone)
        both = log_rising_with_slope(r, x)
        np.testing.assert_array_equal(both[0], log_rising(r, x))
        np.testing.assert_array_equal(both[1], digamma_rise(r, x))


def test_rows_get_at_least_the_nodes_they_need() -> None:
    rng = np.random.default_rng(3)
    needed = rng.uniform(0, 2 * NODES[-1], 30_000)
    label = np.arange(30_000.0)

    def integrate(nodes: int, rows: Rows) -> Array:
        return np.stack([np.full(rows.size, float(nodes)), label[rows]])

    nodes, who = by_nodes(needed, integrate, 2)
    np.testing.assert_array_equal(who, label)
    assert (nodes >= np.minimum(needed, NODES[-1])).all()
    assert set(nodes) <= set(NODES)


def test_a_product_has_fallen_where_it_is_cut() -> None:
    rng = np.random.default_rng(4)
    p, q, ratio = 10 ** rng.uniform(-2, 5, (3, 1_000))
    cut = both_fallen(fallen(p), fallen(q) / ratio)
    fall = p * np.log1p(cut) + q * np.log1p(ratio * cut)
    some = cut < 1e100
    assert some.mean() > 0.9
    assert (fall[some] > 41.999).all()


def test_chunks_are_put_together_in_the_broadcast_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = np.arange(7.0)[:, None], np.arange(5.0)

    def rows(a: Array, b: Array, c: Array) -> Array:
        return np.stack([a + b * c, a * b + c])

    for cores in (1, 3):
        monkeypatch.setattr(chunks, "_cores", lambda cores=cores: cores)
        whole = chunks.in_chunks(rows, a, b, 2.0, rows=4)
        np.testing.assert_array_equal(whole, np.stack([a + b * 2, a * b + 2]))


def test_draws_meet_customers_without_a_copy() -> None:
    draws, customers = np.arange(3.0)[:, None], np.arange(2_000.0)
    sizes = set()

    def rows(a: Array, b: Array) -> Array:
        sizes.add((a.size, b.size))
        return np.stack([a + b, a * b])

    whole = chunks.in_chunks(rows, draws, customers, rows=900)
    np.testing.assert_array_equal(whole, np.stack([draws + customers, draws * customers]))
    assert sizes == {(1, 900), (1, 200)}
    assert chunks.in_chunks(rows, np.empty((0, 1)), customers).shape == (2, 0, 2_000)


def test_an_error_in_a_thread_is_raised() -> None:
    def rows(a: Array) -> Array:
        if (a > 90).any():
            raise ArithmeticError("too large")
        return a

    with pytest.raises(ArithmeticError, match="too large"):
        chunks.in_chunks(rows, np.arange(100.0), rows=10)
