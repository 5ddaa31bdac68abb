"""What a customer who is active now does next, where leaving is a coin toss after each order.

Shared by the BG/NBD and its relatives. Events come at a constant rate, and every k-th is an order (k = 1: each);
`done` of them have come since the last order. Given that the customer is active, the rate is Gamma(R, c), the chance
p of leaving after each order is Beta(a, b), and the two are independent. Within t, M events come: negative binomial.
The customer makes the smaller of floor((done + M) / k) and G orders, G the order that is the last (geometric), so

    P(N >= n) = E[(1 - p)^(n - 1)] P(M >= n k - done),  n = 1, 2, ...
"""

from __future__ import annotations

import numpy as np
from scipy.special import betainc, gammaln

from evervalue.numerics.arrays import Array, Number
from evervalue.numerics.functions.beta_mean import beta_mean
from evervalue.numerics.functions.rising import log_rising

_FEW = 32  # orders that are summed one by one
_NEGLIGIBLE = 1e-16
_RARE = 0.02  # chance of staying below which ten terms of a power series are exact
_ROWS = 65_536


def expected(R: Number, c: Number, a: Number, b: Number, t: Number, *, k: int = 1, done: int = 0) -> Array:
    """E[N(t)]."""
    R, z, a, b = np.broadcast_arrays(R, np.divide(t, c), a, b)
    shape, (R, z, a, b) = R.shape, (np.ravel(array).astype(float) for array in (R, z, a, b))
    return expected_at(R, z[:, None], a, b, k, done)[:, 0].reshape(shape)


def counts(
    R: Number, c: Number, a: Number, b: Number, t: Number, n_max: int, *, k: int = 1, done: int = 0
) -> Array:
    """P(N(t) = n), n = 0..n_max on the last axis; sums of positive terms only."""
    R, z, a, b = np.broadcast_arrays(R, np.divide(t, c), a, b)
    R, z, a, b = (np.asarray(array, dtype=float)[..., None] for array in (R, z, a, b))
    unlimited, at_least = _unlimited(R, z, n_max, k, done)
    n = np.arange(n_max + 1.0)
    stays = np.exp(log_rising(b, n) - log_rising(a + b, n))
    number: Array = stays * unlimited
    # The customer leaves after order n: E[p (1 - p)^(n - 1)] = E[(1 - p)^(n - 1)] a / (a + b + n - 1).
    number[..., 1:] += stays[..., :-1] * (a / (a + b + n[:-1])) * at_least[..., 1:-1]
    return number


def orders_before_leaving(p: Array, rng: np.random.Generator) -> Array:
    """Draws of G = 1, 2, ...: the order after which a customer leaves; infinite where p is 0."""
    with np.errstate(divide="ignore", over="ignore"):
        last: Array = 1 + np.floor(rng.standard_exponential(p.shape) / -np.log1p(-p))
    return last


def draw(
    R: Array,
    c: Number,
    a: Number,
    b: Number,
    t: Number,
    rng: np.random.Generator,
    *,
    k: int = 1,
    done: Number = 0,
) -> Array:
    """One draw of N(t) an element of R."""
    events = rng.poisson(rng.standard_gamma(R) / c * t)
    last = orders_before_leaving(rng.beta(np.broadcast_to(a, R.shape), b), rng)
    orders: Array = np.minimum((events + done) // k, last)
    return orders


def expected_at(R: Array, z: Array, a: Array, b: Array, k: int, done: int) -> Array:
    """E[N] of rows R, a, b at times z, (n, times), in units of c."""
    if not len(R):
        return np.empty(z.shape)
    if k == 1:
        return beta_mean(_orders_given_p, a, b, (R + 1) * z.max(axis=1), R, z)
    until = np.empty(z.shape)
    few = np.empty(len(R), dtype=bool)
    rows = max(1, _ROWS // (z.shape[1] * _FEW * k))
    for first in range(0, len(R), rows):
        some = slice(first, first + rows)
        at_least = _unlimited(R[some, None, None], z[some, :, None], _FEW, k, done)[1]
        few[some] = np.all(at_least[..., -1] <= _NEGLIGIBLE * at_least[..., 1], axis=1)
        n = np.arange(float(_FEW))
        stays = np.exp(log_rising(b[some, None], n) - log_rising((a + b)[some, None], n))
        until[some] = (at_least[..., 1:-1] * stays[:, None]).sum(axis=-1)
    if not few.all():
        m = ~few
        first_ten = betainc(np.arange(1, 11) * k - done, R[m, None, None], (z / (1 + z))[m, :, None])
        until[m] = beta_mean(
            _Regular(k, done), a[m], b[m], (R[m] + 1) * z[m].max(axis=1) / k, R[m], z[m], first_ten
        )
    return until


def _orders_given_p(p: Array, q: Array, R: Array, z: Array) -> Array:
    """Integral of E[rate exp(-rate p u)] over time: (1 - (1 + p z)^-R) / p. p goes along axis 1, z along axis 2."""
    p = p[..., None]
    orders: Array = -np.expm1(-R[..., None] * np.log1p(p * z)) / p
    return orders


class _Regular:
    """E[N | p] where every k-th event is an order.

    The number of events until the next order is one of k phases, passed through in turn; the rate of orders is
    a sum over the k-th roots of unity, each an exponential in time, and its mean over Gamma rates is a power. Near
    p = 1 the roots cancel, and the power series in 1 - p, whose coefficients are P(M >= n k - done), is short.
    """

    def __init__(self, k: int, done: int) -> None:
        self.k, self.to_go = k, k - 1 - done

    def __call__(self, p: Array, q: Array, R: Array, z: Array, first_ten: Array) -> Array:
        k = self.k
        log_q = np.where(p < 0.5, np.log1p(-np.minimum(p, 0.5)), np.log(q))[..., None]
        R = R[..., None]
        stay = np.exp(log_q / k)
        leave = -np.expm1(log_q / k)
        orders = -np.expm1(-R * np.log1p(z * leave)) / leave
        for root in range(1, k // 2 + 1):
            angle = 2 * np.pi * root / k
            away = 1 - stay * np.exp(1j * angle)
            term = (1 - np.exp(-R * np.log1p(z * away))) / away * np.exp(-1j * angle * self.to_go)
            orders += term.real if 2 * root == k else 2 * term.real
        orders *= np.exp(-log_q * self.to_go / k) / k
        series = np.zeros(orders.shape)
        for n in range(first_ten.shape[-1] - 1, -1, -1):
            series = first_ten[..., n] + q[..., None] * series
        return np.where(q[..., None] < _RARE, series, orders)


def _unlimited(R: Array, z: Array, n_max: int, k: int, done: int) -> tuple[Array, Array]:
    """Of somebody who never leaves: P(N = n), n = 0..n_max, and P(N >= n), n = 0..n_max + 1; n on the last axis."""
    events = np.arange((n_max + 1) * k - done, dtype=float)
    share = z / (1 + z)
    log_share = np.log(share, out=np.full(share.shape, -np.inf), where=share > 0)
    shape = np.broadcast_shapes(share.shape, events.shape)
    grown = np.multiply(log_share, events, out=np.zeros(shape), where=events > 0)
    number = np.exp(log_rising(R, events) - gammaln(events + 1) - R * np.log1p(z) + grown)
    if k > 1:
        whole = np.concatenate([np.zeros((*number.shape[:-1], done)), number], axis=-1)
        number = whole.reshape(*whole.shape[:-1], n_max + 1, k).sum(axis=-1)
    beyond = betainc((n_max + 1.0) * k - done, np.broadcast_to(R, share.shape), share)
    downwards = np.concatenate([np.broadcast_to(beyond, (*number.shape[:-1], 1)), number[..., ::-1]], axis=-1)
    return number, np.cumsum(downwards, axis=-1)[..., ::-1]
