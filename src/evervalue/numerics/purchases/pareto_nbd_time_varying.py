"""Pareto/NBD under conditions that change with time: seasons, campaigns, prices.

A customer's order rate is lambda times a factor that is constant between change points, and the dropout rate mu times
another; over customers lambda and mu are gamma as ever. Source: Bachmann, Meierer and Näf (2021), "The role of
time-varying contextual factors in latent attrition models for customer base analysis". With a factor exp(gamma'z(t))
the covariates z(t) are proportional.

Operational time makes it short: with L(y) and M(y) the factors added up until y, orders are Poisson in L and dropout is
exponential in M. Between two change points both grow linearly, so that each piece of the silence after the last order
is the integral of `dropout_integral`, at alpha + L and beta + M of its start.

Everywhere below, `edges` (k + 1,) or (n, k + 1) are change points in time since the first order, from 0 to T or beyond,
and `order` and `dropout` (n, k), or what broadcasts to it, are the positive factors between them. A piece may be empty.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from evervalue.numerics.arrays import Array, Number, Params
from evervalue.numerics.functions.rising import log_rising
from evervalue.numerics.purchases.discounted_life import expected_life
from evervalue.numerics.purchases.dropout_integral import silence


class _Silences(NamedTuple):
    """Logs of what the silence after the last order adds to the likelihood, by what became of the customer."""

    stayed: Array
    """(n,)"""
    left: Array
    """(n,)"""
    grown_order: Array
    """L(T), (n,)."""
    grown_dropout: Array
    """M(T), (n,)."""


def log_likelihood(
    params: Params, x: Array, t_x: Array, T: Array, edges: Array, order: Array, dropout: Array, marks: Number
) -> Array:
    """Log of the density of each history, (n,); `marks` adds up the logs of the order factor at each repeat order.

    With all factors 1 it is the plain Pareto/NBD's.

    >>> ones = np.ones((1, 2))
    >>> history = np.array([2.0]), np.array([30.43]), np.array([38.86])
    >>> varying = log_likelihood(
    ...     (0.55, 10.56, 0.61, 11.64), *history, np.array([0.0, 20.0, 40.0]), ones, ones, 0.0
    ... )
    >>> float(varying[0].round(6))
    -9.563092
    """
    r, alpha, s, beta = params
    found = _silences(params, x, t_x, T, edges, order, dropout)
    prior = log_rising(r, x) + r * np.log(alpha) + s * np.log(beta)
    density: Array = prior + marks + np.logaddexp(found.stayed, found.left)
    return density


def p_alive(
    params: Params, x: Array, t_x: Array, T: Array, edges: Array, order: Array, dropout: Array
) -> Array:
    """Probability that each customer is still active at T, (n,)."""
    found = _silences(params, x, t_x, T, edges, order, dropout)
    return np.exp(found.stayed - np.logaddexp(found.stayed, found.left))


def conditional_expected_orders(
    params: Params, x: Array, t_x: Array, T: Array, t: Number, edges: Array, order: Array, dropout: Array
) -> Array:
    """Expected orders of each customer in (T, T + t] given the history, (n,); `edges` must reach to T + t."""
    r, alpha, s, beta = params
    found = _silences(params, x, t_x, T, edges, order, dropout)
    alive = np.exp(found.stayed - np.logaddexp(found.stayed, found.left))
    length, order, dropout = _between(T, T + t, edges, order, dropout)
    aged = beta + found.grown_dropout[:, None]
    grown = aged + _before(length * dropout)
    remaining = np.exp(s * np.log(aged / grown)) * expected_life(s, grown / dropout, length)
    expected: Array = alive * (r + x) / (alpha + found.grown_order) * (order * remaining).sum(axis=1)
    return expected


def _silences(
    params: Params, x: Array, t_x: Array, T: Array, edges: Array, order: Array, dropout: Array
) -> _Silences:
    r, alpha, s, beta = params
    x, t_x, T = np.broadcast_arrays(x, t_x, T)
    known, order_then, dropout_then = _between(np.zeros_like(t_x), t_x, edges, order, dropout)
    L = (known * order_then).sum(axis=1)
    M = (known * dropout_then).sum(axis=1)
    length, a_piece, m_piece = _between(t_x, T, edges, order, dropout)
    c = alpha + L[:, None] + _before(length * a_piece)
    b = beta + M[:, None] + _before(length * m_piece)
    shape = (r + x)[:, None] + np.zeros_like(c)
    # In the piece, w = order factor times time: c + w, and (b + w m/a) = m/a (d + w).
    d = b * a_piece / m_piece
    found = silence(
        shape.ravel(), c.ravel(), np.asarray(s, dtype=float), d.ravel(), (length * a_piece).ravel()
    )
    some = length > 0
    dropped = np.log(found.dropped.reshape(c.shape), out=np.full(c.shape, -np.inf), where=some)
    pieces = np.where(some, dropped - shape * np.log(c) - s * np.log(b), -np.inf)
    grown_order = L + (length * a_piece).sum(axis=1)
    grown_dropout = M + (length * m_piece).sum(axis=1)
    stayed = -(r + x) * np.log(alpha + grown_order) - s * np.log(beta + grown_dropout)
    return _Silences(stayed, np.logaddexp.reduce(pieces, axis=1), grown_order, grown_dropout)


def _between(
    start: Array, stop: Array, edges: Array, order: Array, dropout: Array
) -> tuple[Array, Array, Array]:
    """The pieces between two times, (n, k) each: length (0 outside) and the two factors."""
    inside = np.clip(np.atleast_2d(edges), start[:, None], stop[:, None])
    length, order, dropout = np.broadcast_arrays(np.diff(inside, axis=1), order, dropout)
    return length, order, dropout


def _before(grown: Array) -> Array:
    """What has grown until each piece begins: the sum of those before it."""
    return np.cumsum(grown, axis=1) - grown
