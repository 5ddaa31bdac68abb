"""What a customer who is active now does next, where leaving is a coin toss after each order.

Shared by the BG/NBD and its relatives. Given that the customer is active, the order rate is Gamma(R, c), the chance
p of leaving after each order is Beta(a, b), and the two are independent. The number of orders within t is the
smaller of M, the orders of somebody who never leaves (negative binomial), and G, the order after which this customer
leaves (geometric): so P(N >= n) = E[(1 - p)^(n - 1)] P(M >= n).
"""

from __future__ import annotations

import numpy as np
from scipy.special import betainc, gammaln

from evervalue.numerics.arrays import Array, Number
from evervalue.numerics.beta_mean import beta_mean
from evervalue.numerics.gauss_legendre import gauss_legendre
from evervalue.numerics.rising import log_rising

_PANEL = 24
_LONG = 4.0
_FALL = 42.0


def expected(R: Number, c: Number, a: Number, b: Number, t: Number) -> Array:
    """E[N(t)].

    Given p, the rate of orders at u is E[rate exp(-rate p u)], whose integral is (1 - (1 + p t / c)^-R) / p; its mean
    over p is taken by `beta_mean`. Neither a = 1 nor a large t needs a case of its own, as the 2F1 of the papers does.
    """
    R, z, a, b = np.broadcast_arrays(R, np.divide(t, c), a, b)
    shape, (R, z, a, b) = R.shape, (np.ravel(array).astype(float) for array in (R, z, a, b))
    gone = R * np.log1p(z)
    near_one = np.where(gone < _FALL, R * z / (1 + z), 1.0)
    return beta_mean(_orders_given_p, a, b, (R + 1) * z, near_one, R, z).reshape(shape)


def _orders_given_p(p: Array, q: Array, R: Array, z: Array) -> Array:
    orders: Array = -np.expm1(-R * np.log1p(p * z)) / p
    return orders


def counts(R: Number, c: Number, a: Number, b: Number, t: Number, n_max: int) -> Array:
    """P(N(t) = n), n = 0..n_max on the last axis; sums of positive terms only."""
    R, c, a, b, t = np.broadcast_arrays(R, c, a, b, t)
    R, c, a, b, t = (np.asarray(array, dtype=float)[..., None] for array in (R, c, a, b, t))
    n = np.arange(n_max + 1.0)
    log_z = np.log(t / (c + t), out=np.full(t.shape, -np.inf), where=t > 0)
    grown = np.multiply(n, log_z, out=np.zeros(np.broadcast_shapes(n.shape, t.shape)), where=n > 0)
    unlimited = np.exp(log_rising(R, n) - gammaln(n + 1) - R * np.log1p(t / c) + grown)
    beyond = betainc(n_max + 1.0, R[..., 0], (t / (c + t))[..., 0])
    at_least = np.cumsum(unlimited[..., ::-1], axis=-1)[..., ::-1] + beyond[..., None]
    stays = np.exp(log_rising(b, n) - log_rising(a + b, n))
    number: Array = stays * unlimited
    # After order n the customer is gone: E[p (1 - p)^(n - 1)] = E[(1 - p)^(n - 1)] a / (a + b + n - 1).
    number[..., 1:] += stays[..., :-1] * (a / (a + b + n[:-1])) * at_least[..., 1:]
    return number


def discounted(R: Number, c: Number, a: Number, b: Number, t: Number, delta: Number) -> Array:
    """Integral of exp(-delta u) dE[N(u)] over (0, t]; t may be infinite where delta > 0.

    By parts: exp(-delta t) E[N(t)] + delta times the integral of exp(-delta u) E[N(u)], positive throughout. E[N(u)]
    is linear up to about c / R and has no feature in log u beyond, so panels in log u do.
    """
    R, c, a, b, t, delta = np.broadcast_arrays(R, c, a, b, t, delta)
    shape = R.shape
    R, c, a, b, t, delta = (np.ravel(array).astype(float) for array in (R, c, a, b, t, delta))
    if np.any(np.isinf(t) & (delta <= 0)):
        raise ValueError("an infinite horizon needs a discount rate above 0")
    end = np.minimum(t, np.divide(_FALL, delta, out=np.full(t.shape, np.inf), where=delta > 0))
    start = np.minimum(0.25 / (delta + (R + 1) / c), end)
    span = np.log(end / start, out=np.zeros(t.shape), where=start > 0)
    panels = max(1, int(np.ceil(span.max(initial=0) / _LONG)))
    node, weight = gauss_legendre(_PANEL)
    cells = ((np.arange(panels)[:, None] + node) / panels).reshape(-1)
    grown = start[:, None] * np.exp(span[:, None] * cells)
    u = np.concatenate([start[:, None] * node, grown], axis=1)
    w = np.concatenate(
        [start[:, None] * weight, grown * span[:, None] * np.tile(weight / panels, panels)], axis=1
    )
    until = expected(R[:, None], c[:, None], a[:, None], b[:, None], u)
    total = delta * (w * np.exp(-delta[:, None] * u) * until).sum(axis=1)
    last = np.exp(-delta * end) * expected(R, c, a, b, end)
    worth: Array = total + np.where(np.isinf(t), 0.0, last)
    return worth.reshape(shape)


def orders_before_leaving(p: Array, rng: np.random.Generator) -> Array:
    """Draws of G = 1, 2, ...: the order after which a customer leaves; infinite where p is 0."""
    with np.errstate(divide="ignore"):
        return 1 + np.floor(rng.standard_exponential(p.shape) / -np.log1p(-p))


def draw(R: Number, c: Number, a: Number, b: Number, t: Number, rng: np.random.Generator) -> Array:
    """One draw of N(t) an element."""
    R, c, a, b, t = np.broadcast_arrays(R, c, a, b, t)
    unlimited = rng.poisson(rng.standard_gamma(R) / c * t)
    return np.minimum(unlimited, orders_before_leaving(rng.beta(a, b), rng))
