"""What the future orders of a customer who is active now are worth, an order at u counting exp(-delta u).

The customer is that of `active`: events at rate Gamma(R, c), every k-th an order, `done` of them come since the last
order, and a chance p ~ Beta(a, b) of leaving after each order.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evervalue.numerics.arrays import Array, Number
from evervalue.numerics.functions.beta_mean import beta_mean
from evervalue.numerics.functions.gamma_mean import gamma_mean
from evervalue.numerics.functions.gauss_legendre import gauss_legendre
from evervalue.numerics.purchases.active import expected, expected_at

_START, _PANEL, _LONG = (
    12,
    20,
    4.0,
)  # nodes in time: until something changes, and a panel of this length in log time
_FALL = 42.0  # exp(-42) = 6e-19 of an order is none
_ORDERS = 1_000  # that are summed one by one, at most
_UNDERFLOW = 650.0
_NEGLIGIBLE = 1e-16
_ROWS = 512


def discounted(
    R: Number, c: Number, a: Number, b: Number, t: Number, delta: Number, *, k: int = 1, done: int = 0
) -> Array:
    """Integral of exp(-delta u) dE[N(u)] over (0, t]; t may be infinite where delta > 0.

    Raises
    ------
    ValueError
        The horizon is infinite and nothing is discounted.
    """
    R, c, a, b, t, delta = np.broadcast_arrays(R, c, a, b, t, delta)
    shape = R.shape
    R, c, a, b, t, delta = (np.ravel(array).astype(float) for array in (R, c, a, b, t, delta))
    if np.any(np.isinf(t) & (delta <= 0)):
        raise ValueError("an infinite horizon needs a discount rate above 0")
    worth = np.empty(t.shape)
    plain = delta == 0
    endless = ~plain
    endless[endless] = delta[endless] * t[endless] > _FALL
    worth[plain] = expected(R[plain], c[plain], a[plain], b[plain], t[plain], k=k, done=done)
    m = endless
    worth[m] = _endless(R[m], delta[m] * c[m], a[m], b[m], k, done)
    m = ~plain & ~endless
    worth[m] = _until(R[m], a[m], b[m], t[m] / c[m], delta[m] * c[m], k, done)
    return worth.reshape(shape)


def _endless(R: Array, delta: Array, a: Array, b: Array, k: int, done: int) -> Array:
    """Without end, in units of c: given rate v and p, theta^(k - done) / (1 - (1 - p) theta^k).

    theta = v / (v + delta) is what the next event is worth: the transform of an exponential wait.
    """

    def given_rate(v: Array, a: Array, b: Array, delta: Array) -> Array:
        log_theta = -np.log1p(delta[:, None] / v)
        one, less = np.exp(k * log_theta), -np.expm1(k * log_theta)
        return beta_mean(
            _endless_given_p, a, b, (one / less).max(axis=1), np.exp((k - done) * log_theta), one, less
        )

    return gamma_mean(given_rate, R, (k + 1) / delta, a, b, delta)


def _endless_given_p(p: Array, q: Array, first: Array, one: Array, less: Array) -> Array:
    worth: Array = first / (less + p[..., None] * one)
    return worth


def _until(R: Array, a: Array, b: Array, t: Array, delta: Array, k: int, done: int) -> Array:
    """Until t, in units of c, by panels in log time: E[N(u)] is close to a power of u up to 1 / R, and analytic."""
    start = np.minimum(0.25 / (delta + R + 1), t)
    span = np.log(np.divide(t, start, out=np.ones(t.shape), where=start > 0))
    panels = np.maximum(np.ceil(span / (_LONG * min(1.0, 3 / k))), 1).astype(np.intp)
    worth = np.empty(t.shape)
    for count in np.unique(panels):
        members = np.flatnonzero(panels == count)
        # Those who order about as often as one another go together.
        members = members[np.argsort(R[members] * t[members])]
        for first in range(0, len(members), _ROWS):
            m = members[first : first + _ROWS]
            u, weight = _times(int(count), start[m, None], t[m, None], span[m, None])
            weight *= np.exp(-delta[m, None] * u)
            if k == 1:
                worth[m] = _by_parts(R[m], a[m], b[m], t[m], delta[m], u, weight, k, done)
                continue
            worth[m], sure = _by_order(R[m], a[m], b[m], u, weight, k, done)
            if not sure.all():
                n = m[~sure]
                worth[n] = _by_parts(R[n], a[n], b[n], t[n], delta[n], u[~sure], weight[~sure], k, done)
    return worth


def _by_parts(
    R: Array, a: Array, b: Array, t: Array, delta: Array, u: Array, weight: Array, k: int, done: int
) -> Array:
    """exp(-delta t) E[N(t)] + delta times the integral of exp(-delta u) E[N(u)]: positive throughout."""
    until = expected_at(R, np.concatenate([u, t[:, None]], axis=1), a, b, k, done)
    worth: Array = delta * (weight * until[:, :-1]).sum(axis=1) + np.exp(-delta * t) * until[:, -1]
    return worth


def _by_order(
    R: Array, a: Array, b: Array, u: Array, weight: Array, k: int, done: int
) -> tuple[Array, NDArray[np.bool_]]:
    """Sum over orders of their discounted chances, and whether it has come to its end.

    The m-th event comes at u with density (R + m - 1) / (1 + u) P(m - 1 events until u); those chances follow one
    another by a factor, unless the first underflows.
    """
    share = u / (1 + u)
    safe = R * np.log1p(u[:, -1]) < _UNDERFLOW
    R = np.where(safe, R, 1.0)
    with np.errstate(under="ignore"):
        chance = weight / (1 + u) * np.exp(-R[:, None] * np.log1p(u))
        worth, stays = np.zeros(R.shape), np.ones(R.shape)
        going = safe.copy()
        for event in range(_ORDERS * k - done):
            order, rest = divmod(event + 1 + done, k)
            if rest == 0:
                term = stays * (R + event) * chance.sum(axis=1)
                # Who has come to the end adds nothing more, so that nobody's last digit hangs on the company.
                worth += np.where(going, term, 0.0)
                going &= term > _NEGLIGIBLE * worth
                if not going.any():
                    break
                stays *= (b + order - 1) / (a + b + order - 1)
            chance *= share * ((R + event) / (event + 1))[:, None]
    return worth, safe & ~going


def _times(count: int, start: Array, end: Array, span: Array) -> tuple[Array, Array]:
    """Nodes in (0, end] and their weights: a start, and panels in log time."""
    near, near_weight = gauss_legendre(_START)
    node, weight = gauss_legendre(_PANEL)
    cells = ((np.arange(count)[:, None] + node) / count).reshape(-1)
    later = start * np.exp(span * cells)
    u = np.concatenate([start * near, later], axis=1)
    w = np.concatenate([start * near_weight, later * span * np.tile(weight / count, count)], axis=1)
    return u, w
