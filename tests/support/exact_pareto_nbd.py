"""Pareto/NBD in arbitrary precision: slow, sure, and by another route than the one it checks.

The integral over the time of dropout w after the last order is taken in log w, panel by panel, in 25 digits. It shares
neither variable, nor range, nor nodes with `evervalue.numerics.purchases.dropout_integral`. `by_2f1` is the
closed form, for points where mpmath's 2F1 converges in bearable time.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import mpmath as mp
import numpy as np
from mpmath.calculus.quadrature import GaussLegendre

from evervalue.numerics.arrays import Array

DIGITS = 25


class Exact(NamedTuple):
    log_likelihood: float
    p_alive: float
    expected: float


def exact(params: Array, x: float, t_x: float, T: float, t: float) -> Exact:
    """Log-likelihood, P(alive) and expected orders in (T, T + t] of one history."""
    with mp.workdps(DIGITS):
        r, alpha, s, beta = (mp.mpf(float(value)) for value in params)
        a, c, d, W = r + x, alpha + t_x, beta + t_x, mp.mpf(T) - t_x
        return _all(r, alpha, s, beta, x, t_x, T, t, s * _integral(a, c, s, d, W) if W else mp.mpf(0))


def by_2f1(params: Array, x: float, t_x: float, T: float, t: float, digits: int = 60) -> Exact:
    """The same from the closed form of Fader and Hardie (2005), with two 2F1."""
    with mp.workdps(digits):
        r, alpha, s, beta = (mp.mpf(float(value)) for value in params)
        a, most = r + x, max(alpha, beta)
        b = s + 1 if alpha >= beta else a

        def term(y: float) -> Any:
            whole = a + s
            return mp.hyp2f1(whole, b, whole + 1, abs(alpha - beta) / (most + y)) / (most + y) ** whole

        dropped = s / (a + s) * (term(t_x) - term(T)) * (alpha + t_x) ** a * (beta + t_x) ** s
        return _all(r, alpha, s, beta, x, t_x, T, t, dropped)


def _all(
    r: Any, alpha: Any, s: Any, beta: Any, x: float, t_x: float, T: float, t: float, dropped: Any
) -> Exact:
    """From D, the part of the likelihood of customers who left, in units of what held at t_x."""
    a, c, d = r + x, alpha + t_x, beta + t_x
    alive = ((alpha + T) / c) ** -a * ((beta + T) / d) ** -s
    log_likelihood = (
        mp.loggamma(a)
        - mp.loggamma(r)
        + r * mp.log(alpha)
        - a * mp.log(c)
        + s * mp.log(beta / d)
        + mp.log(alive + dropped)
    )
    p_alive = alive / (alive + dropped)
    growth = mp.log1p(t / (beta + T))
    life = (beta + T) * (growth if s == 1 else -mp.expm1((1 - s) * growth) / (s - 1))
    return Exact(float(log_likelihood), float(p_alive), float(p_alive * a / (alpha + T) * life))


def _integral(a: Any, c: Any, s: Any, d: Any, W: Any) -> Any:
    """1/d * integral over w in (0, W) of (1 + w/c)^-a (1 + w/d)^-(s+1)."""
    end = min(W, c * mp.expm1(80 / max(a - 1, mp.mpf("0.2"))), d * mp.expm1(80 / (s + 1)))
    high = mp.log(end)
    low = mp.log(min(end, c / a, d / (s + 1))) - 36
    panels = int(mp.ceil((high - low) / 4))
    half = (high - low) / panels / 2
    total = mp.mpf(0)
    for panel in range(panels):
        middle = low + half * (2 * panel + 1)
        for node, weight in _nodes():
            w = mp.exp(middle + half * node)
            total += weight * w * mp.exp(-a * mp.log1p(w / c) - (s + 1) * mp.log1p(w / d))
    return total * half / d


@cache
def _nodes() -> list[tuple[Any, Any]]:
    """The 24 Gauss-Legendre nodes and weights on (-1, 1), as mpmath finds them."""
    nodes: list[tuple[Any, Any]] = GaussLegendre(mp.mp).calc_nodes(4, 4 * DIGITS)
    return nodes


def stress_grid(n: int, seed: int) -> tuple[Array, Array, Array, Array, Array]:
    """(params (4, n), x, t_x, T, t): parameters 1e-4..1e5, x to 5,000, times 1e-3..1e5, all log-uniform."""
    rng = np.random.default_rng(seed)
    params = 10 ** rng.uniform(-4, 5, (4, n))
    x = np.floor(10 ** rng.uniform(0, np.log10(5001), n))
    x[rng.random(n) < 0.2] = 0
    T = 10 ** rng.uniform(-3, 5, n)
    small = 10 ** rng.uniform(-9, 0, n)
    # The last order anywhere, soon after the first, or just before T; sometimes at T itself.
    share = np.choose(
        rng.integers(0, 4, n), [rng.random(n), small, 1 - small, np.where(small < 0.01, 1, small)]
    )
    return params, x, np.where(x > 0, T * share, 0.0), T, 10 ** rng.uniform(-3, 5, n)
