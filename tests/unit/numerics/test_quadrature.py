"""The quadratures behind the BG/NBD family, where the mean is known; and what is computed once for many customers."""

from __future__ import annotations

import numpy as np
from scipy.special import betaln

from evervalue.numerics.arrays import Array
from evervalue.numerics.functions.beta_mean import beta_mean
from evervalue.numerics.functions.counts import over_counts
from evervalue.numerics.functions.distinct_columns import once_each
from evervalue.numerics.functions.gamma_mean import gamma_mean


def anywhere(n: int, seed: int) -> Array:
    return np.asarray(10 ** np.random.default_rng(seed).uniform(-4, 5, n))


def test_beta_mean_of_powers() -> None:
    """E[(1 - p)^m], m = 1 and 5: products of ratios."""
    a, b = anywhere(500, 1), anywhere(500, 2)
    for m in (1, 5):
        want = np.prod([(b + i) / (a + b + i) for i in range(m)], axis=0)
        got = beta_mean(lambda p, q, m=m: q**m, a, b, np.full(500, float(m)))
        # Both parameters large: p (1 - p) to the power of 1e5 is good to some 1e-11.
        np.testing.assert_allclose(got, want, rtol=1e-10)


def test_beta_mean_of_a_geometric_series() -> None:
    """Sum of (1 - p)^i, i < n, for n up to a million: falls from n to 1 as p passes 1 / n."""
    a, b = anywhere(300, 3), anywhere(300, 4)
    n = np.round(10 ** np.random.default_rng(5).uniform(0, 6, 300))

    def series(p: Array, q: Array, n: Array) -> Array:
        log_q = np.where(p < 0.5, np.log1p(-np.minimum(p, 0.5)), np.log(q))
        return np.asarray(-np.expm1(n * log_q) / p)

    got = beta_mean(series, a, b, n, n)
    # The sum of B(a, b + i) / B(a, b) telescopes but for a = 1; differences of betaln cost digits.
    want = (
        (a + b - 1)
        / (a - 1)
        * -np.expm1(
            betaln(a, b + n)
            - betaln(a, b)
            + np.log((a + b + n - 1) / (a + b - 1), where=a + b > 1, out=np.zeros(300))
        )
    )
    some = (a + b > 1.5) & (np.abs(a - 1) > 0.3) & (a + b < 1e4)
    assert some.sum() > 100
    np.testing.assert_allclose(got[some], want[some], rtol=1e-8)


def test_gamma_mean_of_the_variable() -> None:
    shape = anywhere(400, 6)
    np.testing.assert_allclose(gamma_mean(lambda v: v, shape, np.ones(400)), shape, rtol=1e-10)


def test_gamma_mean_of_an_exponential() -> None:
    """E[1 - exp(-s v)] = 1 - (1 + s)^-shape, over scales far apart."""
    shape, s = anywhere(500, 7), 10 ** np.random.default_rng(8).uniform(-6, 6, 500)
    got = gamma_mean(lambda v, s: -np.expm1(-s[:, None] * v), shape, s + 1, s)
    np.testing.assert_allclose(got, -np.expm1(-shape * np.log1p(s)), rtol=1e-11)


def test_counts_are_evaluated_once() -> None:
    seen: list[int] = []

    def f(r: Array, x: Array) -> Array:
        seen.append(x.size)
        return np.asarray(r + x**2)

    x = np.tile([0.0, 3.0, 7.0], 50)
    np.testing.assert_array_equal(over_counts(f, x, 0.5), 0.5 + x**2)
    draws = np.array([[0.5], [1.0]])
    np.testing.assert_array_equal(over_counts(f, x, draws), draws + x**2)
    assert seen == [8, 8]
    # Not where each customer has a parameter, nor where x is no count.
    for other, r in ((x, np.linspace(0, 1, 150)), (x + 0.25, 0.5), (x[:7], 0.5), (1e6 * x, 0.5)):
        np.testing.assert_array_equal(over_counts(f, other, r), r + other**2)
    assert seen[2:] == [150, 150, 7, 150]


def test_distinct_rows_are_evaluated_once() -> None:
    seen: list[int] = []

    def f(params: object, x: Array, T: Array, t: Array) -> Array:
        seen.append(x.size)
        return np.stack([x + 10 * T, t + 0 * x])

    rng = np.random.default_rng(9)
    x, T = rng.integers(0, 4, 500).astype(float), rng.integers(0, 5, 500) / 7
    np.testing.assert_array_equal(once_each(f, (1.0,), x, T, 3.0), [x + 10 * T, np.full(500, 3.0)])
    assert seen == [20]
    each = (np.linspace(0, 1, 500),)
    np.testing.assert_array_equal(once_each(f, each, x, T, 3.0), [x + 10 * T, np.full(500, 3.0)])
    different = rng.random(500)
    np.testing.assert_array_equal(once_each(f, (1.0,), x, different, 3.0)[0], x + 10 * different)
    assert seen == [20, 500, 500]


def test_many_levels_do_not_overflow() -> None:
    rng = np.random.default_rng(10)
    columns = [np.repeat(rng.random(50_000), 3) for _ in range(4)]
    order = rng.permutation(150_000)
    columns = [column[order] for column in columns]
    got = once_each(lambda params, a, b, c, d: a + b + c + d, (1.0,), *columns)
    np.testing.assert_array_equal(got, sum(columns[1:], start=columns[0]))
