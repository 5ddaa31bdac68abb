"""MBG/CNBD-k: customers order at intervals of some regularity, and after each order, the first too, may leave.

Reutterer, Platzer and Schroeder (2021), "Leveraging purchase regularity for predicting customer behavior the easy
way". While active, a customer's times between orders are Erlang-k: each the sum of k exponential times of rate
lambda; after each order the customer leaves with probability p. Over customers lambda is Gamma(r, alpha) and p is
Beta(a, b), independent. x repeat orders, t_x time of the last, T age, all from the first order; alpha is in the same
unit of time. k = 1 is the MBG/NBD of Batislam, Denizel and Filiztekin (2007), "Empirical validation and comparison of
models for customer base analysis"; the higher k, the more regular the intervals.

One can picture hidden events of rate lambda, of which every k-th is an order. With u = (T - t_x) / (alpha + T) and
R = r + k x, the number of hidden events in the silence from t_x to T is below k (no order) with probability

    P = (1 - u)^R (1 + R u + R (R + 1) u^2 / 2! + ... up to u^(k - 1)),

and that is all that k changes in the formulas of the MBG/NBD.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import gammaln

from evervalue.numerics.arrays import Array, Number, Params
from evervalue.numerics.functions.counts import over_counts
from evervalue.numerics.functions.distinct_columns import once_each
from evervalue.numerics.functions.rising import digamma_rise, log_rising
from evervalue.numerics.purchases import active
from evervalue.numerics.purchases.discounted_orders import discounted
from evervalue.numerics.purchases.simulated import Simulated

NAMES = ("r", "alpha", "a", "b")
TIME_NAMES = ("alpha",)
COVARIATES = {"transaction": {"alpha": -1}, "dropout": {"a": 1, "b": 1}}

MOST_REGULAR = 50
"""The largest k: beyond it, orders would be nearly as regular as a clock, and sums over k lose their range."""


def log_likelihood(params: Params, x: Number, t_x: Number, T: Number, k: int = 1) -> Array:
    """Log of the density of each history, without what the single intervals between its orders add.

    That part, `interval_log_likelihood`, knows no parameter but k: leave it out to fit with k fixed, add it to choose
    k.

    Source: Batislam, Denizel and Filiztekin (2007), the likelihood of section 3 (k = 1); Reutterer, Platzer and
    Schroeder (2021), the likelihood of the MBG/CNBD-k.
    Domain: positive parameters, 0 <= t_x <= T, t_x = 0 exactly where x = 0, k = 1, 2, ... 50.

    Parameters
    ----------
    params
        (r, alpha, a, b), each a number or an array that broadcasts against the data; alpha in the unit of T.
    x, t_x, T
        Repeat orders, time of the last, age.
    k
        Regularity.

    Examples
    --------
    >>> histories = np.array([0.0, 2.0]), np.array([0.0, 30.43]), 38.86
    >>> log_likelihood((0.525, 6.183, 0.891, 1.614), *histories).round(6)
    array([-0.539837, -9.485551])
    """
    r, alpha, a, b, x, t_x, T = _arrays(params, x, t_x, T)
    log_silence = _silence(r + _regular(k) * x, alpha, t_x, T, k)[0]
    ll: Array = _log_orders(r, alpha, a, b, x, t_x, k) + np.logaddexp(log_silence, np.log(a) - np.log(b + x))
    return ll


def interval_log_likelihood(x: Number, log_intervals: Number, k: int = 1) -> Array:
    """What the intervals between orders add to `log_likelihood`: (k - 1) sum(log interval) - x log (k - 1)!.

    Parameters
    ----------
    x
        Repeat orders.
    log_intervals
        Sum of the logs of the x intervals between consecutive orders, in the unit of T; 0 where x = 0.
    k
        Regularity. The term is zero for k = 1.

    Examples
    --------
    >>> float(interval_log_likelihood(2, np.log(3.0) + np.log(5.0), k=2).round(6))
    2.70805
    """
    return np.asarray((_regular(k) - 1) * np.asarray(log_intervals) - np.asarray(x) * gammaln(k))


def log_likelihood_gradient(
    params: Params, x: Number, t_x: Number, T: Number, k: int = 1
) -> tuple[Array, Array]:
    """Log-likelihoods, and their derivatives with respect to the LOG of each parameter, one row a parameter."""
    r, alpha, a, b, x, t_x, T = _arrays(params, x, t_x, T)
    R = r + _regular(k) * x
    log_silence, by_r, by_alpha = _silence(R, alpha, t_x, T, k)
    log_left = np.log(a) - np.log(b + x)
    odds = log_left - log_silence
    small = np.exp(-np.abs(odds))
    ll = _log_orders(r, alpha, a, b, x, t_x, k) + np.maximum(log_silence, log_left) + np.log1p(small)
    left = np.where(odds > 0, 1.0, small) / (1 + small)
    stayed = np.where(odds > 0, small, 1.0) / (1 + small)
    total = over_counts(_rise_of_stays, x, a + b)
    gradient = np.stack(
        np.broadcast_arrays(
            r * (over_counts(_every(digamma_rise, k), x, r) - np.log1p(t_x / alpha) + stayed * by_r),
            (r * t_x - k * x * alpha) / (alpha + t_x) + stayed * alpha * by_alpha,
            left - a * total,
            b * (over_counts(_rise_of_stays, x, b) - total - left / (b + x)),
        )
    )
    return ll, gradient


def p_alive(params: Params, x: Number, t_x: Number, T: Number, k: int = 1) -> Array:
    """Probability that the customer is still active at T.

    Source: Batislam, Denizel and Filiztekin (2007) for k = 1; Reutterer, Platzer and Schroeder (2021). Computed as the
    logistic of a log-ratio.

    Examples
    --------
    >>> float(p_alive((0.524843, 6.183085, 0.891359, 1.614002), 26, 30.857, 31).round(5))
    0.96548
    """
    r, alpha, a, b, x, t_x, T = _arrays(params, x, t_x, T)
    odds = np.log(a) - np.log(b + x) - _silence(r + _regular(k) * x, alpha, t_x, T, k)[0]
    return np.asarray(1 / (1 + np.exp(np.minimum(odds, 700))))


def expected_orders(params: Params, t: Number, k: int = 1) -> Array:
    """Expected repeat orders of a new customer within t of the first order.

    Examples
    --------
    >>> float(expected_orders((0.524843, 6.183085, 0.891359, 1.614002), 52).round(6))
    1.418885
    """
    r, alpha, a, b = params
    return _stays_first(a, b) * active.expected(r, alpha, a, np.add(b, 1), t, k=_regular(k))


def conditional_expected_orders(
    params: Params, x: Number, t_x: Number, T: Number, t: Number, k: int = 1
) -> Array:
    """Expected orders in (T, T + t] given the history.

    Where k > 1, a mean over the hidden events that have come since the last order: see `active`. Exact; Reutterer,
    Platzer and Schroeder approximate it.
    """

    def of_phases(params: Params, x: Array, T: Array, t: Array) -> Array:
        r, alpha, a, b = params
        return np.stack(
            [
                active.expected(
                    np.add(r, k * x + done), np.add(alpha, T), a, np.add(b, x + 1), t, k=k, done=done
                )
                for done in range(k)
            ]
        )

    return p_alive(params, x, t_x, T, k) * _mixed(
        _phases(params, x, t_x, T, k), once_each(of_phases, params, x, T, t)
    )


def discounted_expected_orders(
    params: Params, x: Number, t_x: Number, T: Number, t: Number, delta: Number, k: int = 1
) -> Array:
    """Expected orders in (T, T + t] given the history, each worth exp(-delta u) at u after T.

    `t` may be infinite where delta > 0 (discounted expected residual transactions). delta is continuous, a unit of T.
    """

    def of_phases(params: Params, x: Array, T: Array, t: Array, delta: Array) -> Array:
        r, alpha, a, b = params
        return np.stack(
            [
                discounted(
                    np.add(r, k * x + done), np.add(alpha, T), a, np.add(b, x + 1), t, delta, k=k, done=done
                )
                for done in range(k)
            ]
        )

    return p_alive(params, x, t_x, T, k) * _mixed(
        _phases(params, x, t_x, T, k), once_each(of_phases, params, x, T, t, delta)
    )


def new_discounted_expected_orders(params: Params, t: Number, delta: Number, k: int = 1) -> Array:
    """The same for a new customer; the first order is not counted."""
    r, alpha, a, b = params
    return _stays_first(a, b) * discounted(r, alpha, a, np.add(b, 1), t, delta, k=_regular(k))


def pmf(params: Params, t: Number, n_max: int, k: int = 1) -> Array:
    """P(X(t) = n) of a new customer, n = 0..n_max on the last axis."""
    r, alpha, a, b = params
    stays = _stays_first(a, b)[..., None]
    counts = stays * active.counts(r, alpha, a, np.add(b, 1), t, n_max, k=_regular(k))
    counts[..., :1] += 1 - stays
    return counts


def conditional_pmf(
    params: Params, x: Number, t_x: Number, T: Number, t: Number, n_max: int, k: int = 1
) -> Array:
    """P(X(T, T + t) = n) given the history, n = 0..n_max on the last axis."""

    def of_phase(done: int) -> Callable[..., Array]:
        def counts(params: Params, x: Array, T: Array, t: Array) -> Array:
            r, alpha, a, b = params
            R, stays = np.add(r, k * x + done), np.add(b, x + 1)
            return np.moveaxis(active.counts(R, np.add(alpha, T), a, stays, t, n_max, k=k, done=done), -1, 0)

        return counts

    alive = p_alive(params, x, t_x, T, k)
    phases = _phases(params, x, t_x, T, k)
    number = sum(
        (alive * phases[done] * once_each(of_phase(done), params, x, T, t) for done in range(k)),
        start=np.zeros(()),
    )
    number = np.moveaxis(number, 0, -1)
    number[..., 0] += 1 - alive
    return number


def simulate(
    params: Params, T: Number, rng: np.random.Generator, horizon: float = 0.0, k: int = 1
) -> Simulated:
    """Histories of new customers of age T, one an element of T, with their orders in (T, T + horizon].

    Without a loop over orders: of n hidden events, the (k x)-th falls at T times Beta(k x, n - k x + 1).
    """
    r, alpha, a, b = params
    shape = np.broadcast_shapes(*(np.shape(value) for value in (*params, T)))
    age = np.broadcast_to(np.asarray(T, dtype=float), shape).copy()
    rate = rng.standard_gamma(np.broadcast_to(r, shape)) / alpha
    # The first order may be the last.
    last = active.orders_before_leaving(rng.beta(np.broadcast_to(a, shape), b), rng) - 1
    events = rng.poisson(rate * age).astype(float)
    unlimited = events // _regular(k)
    x = np.minimum(unlimited, last)
    at = rng.beta(np.maximum(k * x, 1), np.maximum(events - k * x, 0) + 1)
    later = np.minimum((events + rng.poisson(rate * horizon)) // k, last)
    return Simulated(x=x, t_x=np.where(x > 0, age * at, 0.0), T=age, future=later - x, alive=unlimited < last)


def sample_orders(
    params: Params, x: Number, t_x: Number, T: Number, t: Number, rng: np.random.Generator, k: int = 1
) -> Array:
    """One draw of the orders in (T, T + t] of each history: from its distribution given the parameters."""
    r, alpha, a, b = params
    alive = p_alive(params, x, t_x, T, k)
    shape = np.broadcast_shapes(alive.shape, np.shape(t))
    stays = rng.random(shape) < alive
    done: Number = 0.0
    if k > 1:
        u = rng.random(shape)
        done = sum((u > up_to for up_to in np.cumsum(_phases(params, x, t_x, T, k), axis=0)[:-1]), start=done)
    x = np.asarray(x, dtype=float)
    R = np.broadcast_to(np.add(r, k * x + done), shape)
    orders = active.draw(R, np.add(alpha, T), a, np.add(b, x + 1), t, rng, k=k, done=done)
    return np.where(stays, orders, 0.0)


def _regular(k: int) -> int:
    if k != int(k) or not 1 <= k <= MOST_REGULAR:
        raise ValueError(f"k is a whole number from 1 to {MOST_REGULAR}, not {k}")
    return int(k)


def _arrays(params: Params, x: Number, t_x: Number, T: Number) -> list[Array]:
    return [np.asarray(value, dtype=float) for value in (*params, x, t_x, T)]


def _log_orders(r: Array, alpha: Array, a: Array, b: Array, x: Array, t_x: Array, k: int) -> Array:
    """Log-density of the orders up to t_x, of a customer who was active until then and stays after the last."""
    log_orders: Array = (
        over_counts(_every(log_rising, k), x, r)
        + over_counts(_log_stays, x, a, b)
        - r * np.log1p(t_x / alpha)
        - k * x * np.log(alpha + t_x)
    )
    return log_orders


def _silence(R: Array, alpha: Array, t_x: Array, T: Array, k: int) -> tuple[Array, Array, Array]:
    """Log of P, fewer than k hidden events in (t_x, T], and its derivatives by r and by alpha."""
    u = (T - t_x) / (alpha + T)
    length = np.log1p((T - t_x) / (alpha + t_x))
    total, by_R, by_u = np.ones(np.broadcast_shapes(R.shape, u.shape)), 0.0 * u, 0.0 * u
    for j in range(k - 2, -1, -1):
        step = (R + j) / (j + 1)
        by_R = u * (step * by_R + total / (j + 1))
        by_u = step * (u * by_u + total)
        total = 1 + step * u * total
    by_alpha = R * u / (alpha + t_x) - by_u / total * u / (alpha + T)
    return np.log(total) - R * length, by_R / total - length, by_alpha


def _phases(params: Params, x: Number, t_x: Number, T: Number, k: int) -> Array:
    """Probabilities of 0..k-1 hidden events since t_x, given that the customer is active; on the first axis."""
    r, alpha, _, _, x, t_x, T = _arrays(params, x, t_x, T)
    R, u = r + _regular(k) * x, (T - t_x) / (alpha + T)
    shares = [np.ones(np.broadcast_shapes(R.shape, u.shape))]
    for j in range(k - 1):
        shares.append(shares[-1] * u * (R + j) / (j + 1))
    phases = np.stack(shares)
    return np.asarray(phases / phases.sum(axis=0))


def _mixed(phases: Array, values: Array) -> Array:
    """Mean over the phases, which lie on the first axis of both; the others broadcast."""
    return sum((phase * value for phase, value in zip(phases, values, strict=True)), start=np.zeros(()))


def _stays_first(a: Number, b: Number) -> Array:
    """Probability of not leaving after the very first order."""
    return np.asarray(np.divide(b, np.add(a, b)))


def _every(f: Callable[..., Array], k: int) -> Callable[..., Array]:
    return lambda r, x: f(r, k * x)


def _log_stays(a: Array, b: Array, x: Array) -> Array:
    """Log of E[(1 - p)^(x + 1)]."""
    return log_rising(b, x + 1) - log_rising(a + b, x + 1)


def _rise_of_stays(r: Array, x: Array) -> Array:
    return digamma_rise(r, x + 1)
