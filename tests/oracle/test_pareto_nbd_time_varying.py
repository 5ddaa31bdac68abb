"""Pareto/NBD with time-varying covariates: by integrating over both rates and time, and against the plain model."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from evervalue.numerics.arrays import Array
from evervalue.numerics.functions.gauss_legendre import gauss_legendre
from evervalue.numerics.purchases import pareto_nbd
from evervalue.numerics.purchases import pareto_nbd_time_varying as varying

PARAMS = (1.4, 9.0, 1.6, 14.0)
X, T_X, T = np.array([0.0, 1.0, 4.0, 12.0]), np.array([0.0, 3.0, 20.0, 29.0]), np.full(4, 30.0)
EDGES = np.array([0.0, 2.5, 7.0, 18.0, 26.0, 41.0, 90.0])
ORDER = np.array([1.0, 2.2, 0.4, 1.3, 3.0, 0.8]) * np.array([[1.0], [0.5], [1.0], [2.0]])
DROPOUT = np.array([0.7, 1.0, 2.5, 0.2, 1.5, 1.0]) * np.array([[1.0], [1.0], [1.4], [0.3]])


def grown(until: Array, factor: Array) -> Array:
    """The factor added up until each time, for one customer."""
    return np.array([np.sum(factor * np.diff(np.minimum(EDGES, end))) for end in until])


@pytest.mark.parametrize("customer", range(4))
def test_by_integrating_over_both_rates_and_over_time(customer: int) -> None:
    r, alpha, s, beta = PARAMS
    x, t_x, end = X[customer], T_X[customer], 30.0
    node, weight = gauss_legendre(300)
    rate, drop = np.exp(-14 + 17 * node)[:, None], np.exp(-14 + 17 * node)[None, :]
    prior = weight[:, None] * rate**r * np.exp(-alpha * rate) * (weight * drop**s * np.exp(-beta * drop))
    prior /= prior.sum()
    order, dropout = ORDER[customer], DROPOUT[customer]

    def survived(until: float) -> Array:
        """Neither dropped out nor ordered, beyond the orders themselves."""
        L, M = grown(np.array([until]), order)[0], grown(np.array([until]), dropout)[0]
        return np.asarray(np.exp(-rate * L - drop * M))

    stayed = (prior * rate**x * survived(end)).sum()
    left = 0.0
    steps, step_weights = gauss_legendre(16)
    marks = np.unique(np.clip(EDGES, t_x, end))
    for begin, stop in pairwise(marks):
        factor = dropout[np.searchsorted(EDGES, begin, side="right") - 1]
        for u, du in zip(begin + (stop - begin) * steps, step_weights * (stop - begin), strict=True):
            left += du * factor * (prior * rate**x * drop * survived(u)).sum()
    one = slice(customer, customer + 1)
    history = X[one], T_X[one], T[one]
    paths = EDGES, ORDER[one], DROPOUT[one]
    value = varying.log_likelihood(PARAMS, *history, *paths, 0.3)
    assert value[0] == pytest.approx(np.log(stayed + left) + 0.3, abs=1e-7)
    assert varying.p_alive(PARAMS, *history, *paths)[0] == pytest.approx(stayed / (stayed + left), rel=1e-6)
    future = 0.0
    marks = np.unique(np.clip(EDGES, end, end + 26))
    for begin, stop in pairwise(marks):
        factor = order[np.searchsorted(EDGES, begin, side="right") - 1]
        L, M = grown(np.array([end]), order)[0], grown(np.array([end]), dropout)[0]
        for u, du in zip(begin + (stop - begin) * steps, step_weights * (stop - begin), strict=True):
            alive = np.exp(-rate * L - drop * (M + grown(np.array([u]), dropout)[0] - M))
            future += du * factor * (prior * rate ** (x + 1) * alive).sum()
    expected = varying.conditional_expected_orders(PARAMS, *history, 26.0, *paths)
    assert expected[0] == pytest.approx(future / (stayed + left), rel=1e-6)


def test_factors_of_one_are_the_plain_model() -> None:
    ones = np.ones((4, 6))
    got = varying.log_likelihood(PARAMS, X, T_X, T, EDGES, ones, ones, 0.0)
    np.testing.assert_allclose(got, pareto_nbd.log_likelihood(PARAMS, X, T_X, T), rtol=1e-13)
    alive = varying.p_alive(PARAMS, X, T_X, T, EDGES, ones, ones)
    np.testing.assert_allclose(alive, pareto_nbd.p_alive(PARAMS, X, T_X, T), rtol=1e-12)
    expected = varying.conditional_expected_orders(PARAMS, X, T_X, T, 39.0, EDGES, ones, ones)
    np.testing.assert_allclose(
        expected, pareto_nbd.conditional_expected_orders(PARAMS, X, T_X, T, 39.0), rtol=1e-12
    )


def test_factors_that_stay_are_static_covariates() -> None:
    r, alpha, s, beta = PARAMS
    order, dropout = np.array([1.0, 0.5, 1.7, 2.0]), np.array([0.3, 1.0, 2.0, 0.8])
    got = varying.log_likelihood(
        PARAMS, X, T_X, T, EDGES, order[:, None], dropout[:, None], X * np.log(order)
    )
    static = pareto_nbd.log_likelihood((r, alpha / order, s, beta / dropout), X, T_X, T)
    np.testing.assert_allclose(got, static, rtol=1e-13)


def test_more_change_points_change_nothing() -> None:
    finer = np.sort(np.concatenate([EDGES, [1.0, 7.0, 19.0, 29.0, 30.0]]))
    place = np.clip(np.searchsorted(EDGES, finer[:-1], side="right") - 1, 0, 5)
    for name, more in {"log_likelihood": (0.0,), "p_alive": ()}.items():
        function = getattr(varying, name)
        np.testing.assert_allclose(
            function(PARAMS, X, T_X, T, finer, ORDER[:, place], DROPOUT[:, place], *more),
            function(PARAMS, X, T_X, T, EDGES, ORDER, DROPOUT, *more),
            rtol=1e-12,
        )
