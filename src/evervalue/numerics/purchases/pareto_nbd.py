"""Pareto/NBD: customers order at random at rates of their own, and leave for good at an unseen, random time.

Schmittlein, Morrison and Colombo (1987), "Counting your customers: who are they and what will they do next?". While
active, a customer orders as a Poisson process of rate lambda and leaves at rate mu; over customers lambda is
Gamma(r, alpha) and mu is Gamma(s, beta), independent. x repeat orders, t_x time of the last, T age, all from the
first order; alpha and beta are in the same unit of time.
"""

from __future__ import annotations

import numpy as np

from evervalue.numerics.arrays import Array, Number, Params
from evervalue.numerics.functions.chunks import ROWS, in_chunks
from evervalue.numerics.functions.rising import log_rising, log_rising_with_slope
from evervalue.numerics.purchases.discounted_life import discounted_life, expected_life
from evervalue.numerics.purchases.dropout_integral import silence
from evervalue.numerics.purchases.order_counts import order_counts
from evervalue.numerics.purchases.simulated import Simulated

NAMES = ("r", "alpha", "s", "beta")
TIME_NAMES = ("alpha", "beta")
COVARIATES = {"transaction": {"alpha": -1}, "dropout": {"beta": -1}}

_LONGEST = 350.0  # exp of it squared is finite
_COUNTS = 2_000_000  # probabilities held at once


def log_likelihood(params: Params, x: Number, t_x: Number, T: Number) -> Array:
    """Log of the density of each history.

    Source: Fader and Hardie (2005), "A note on deriving the Pareto/NBD model and related expressions", the
    likelihood of section 3 before its integral over the time of dropout is written as a 2F1; see
    `dropout_integral`.
    Domain: positive parameters, 0 <= t_x <= T, t_x = 0 exactly where x = 0.

    Examples
    --------
    >>> float(log_likelihood((0.55, 10.56, 0.61, 11.64), 2, 30.43, 38.86).round(6))
    -9.563092
    """
    return in_chunks(_log_likelihood, *params, x, t_x, T)


def log_likelihood_gradient(params: Params, x: Number, t_x: Number, T: Number) -> tuple[Array, Array]:
    """Log-likelihoods, and their derivatives with respect to the LOG of each parameter, one row a parameter.

    The derivatives are means of the derivatives of the log-integrand, weighted by the integrand: by Fisher's
    identity with the time of dropout as the missing datum.
    """
    whole = in_chunks(_log_likelihood_gradient, *params, x, t_x, T)
    return whole[0], whole[1:]


def p_alive(params: Params, x: Number, t_x: Number, T: Number) -> Array:
    """Probability that the customer is still active at T.

    Source: Schmittlein, Morrison and Colombo (1987), equations 11-13.
    """

    def rows(r: Array, alpha: Array, s: Array, beta: Array, x: Array, t_x: Array, T: Array) -> Array:
        silent = silence(r + x, alpha + t_x, s, beta + t_x, T - t_x)
        chance: Array = silent.alive / (silent.alive + silent.dropped)
        return chance

    return in_chunks(rows, *params, x, t_x, T)


def expected_orders(params: Params, t: Number) -> Array:
    """Expected repeat orders of a new customer within t of the first order.

    Source: Schmittlein, Morrison and Colombo (1987), equation 17. s = 1 needs no case of its own.

    Examples
    --------
    >>> expected_orders((0.55, 10.56, 0.61, 11.64), np.array([1, 2, 3])).round(8)
    array([0.05077821, 0.09916088, 0.14542507])
    """
    r, alpha, s, beta = params
    return np.divide(r, alpha) * expected_life(s, beta, t)


def conditional_expected_orders(params: Params, x: Number, t_x: Number, T: Number, t: Number) -> Array:
    """Expected orders in (T, T + t] given the history.

    Source: Schmittlein, Morrison and Colombo (1987), equation 22; Fader and Hardie (2005), equation 41.
    """
    r, alpha, s, beta = params
    rate = np.add(r, x) / np.add(alpha, T)
    return p_alive(params, x, t_x, T) * rate * expected_life(s, np.add(beta, T), t)


def discounted_expected_orders(
    params: Params, x: Number, t_x: Number, T: Number, t: Number, delta: Number
) -> Array:
    """Expected orders in (T, T + t] given the history, an order at T + u counted as exp(-delta u).

    Source: Fader, Hardie and Lee (2005), "RFM and CLV: using iso-value curves for customer base analysis", discounted
    expected residual transactions; a finite t too. t = inf is allowed where delta > 0.
    Units: delta is per unit of time, continuous.

    Examples
    --------
    >>> point = (0.5629966, 12.559037, 0.4081095, 10.5148048)
    >>> float(discounted_expected_orders(point, 7, 35, 77.86, np.inf, 0.0027).round(6))
    1.864183
    """
    r, alpha, s, beta = params
    rate = np.add(r, x) / np.add(alpha, T)
    return p_alive(params, x, t_x, T) * rate * discounted_life(s, np.add(beta, T), t, delta)


def new_discounted_expected_orders(params: Params, t: Number, delta: Number) -> Array:
    """The same for a new customer within t of the first order, which is not counted.

    Examples
    --------
    >>> float(new_discounted_expected_orders((0.55, 10.56, 0.61, 11.64), 52, 0).round(6))
    1.460741
    """
    r, alpha, s, beta = params
    return np.divide(r, alpha) * discounted_life(s, beta, t, delta)


def pmf(params: Params, t: Number, n_max: int) -> Array:
    """P(X(t) = n) of a new customer, n = 0..n_max on the last axis.

    Source: Fader and Hardie (2006), "Deriving an expression for P(X(t) = x) under the Pareto/NBD model".
    """
    r, alpha, s, beta = params
    return np.moveaxis(_counts(r, alpha, s, beta, t, n_max), 0, -1)


def conditional_pmf(params: Params, x: Number, t_x: Number, T: Number, t: Number, n_max: int) -> Array:
    """P(X(T, T + t) = n) given the history, n = 0..n_max on the last axis.

    An active customer's rates are Gamma(r + x, alpha + T) and Gamma(s, beta + T), again independent: the formula of
    a new customer at those parameters, times P(alive); one who has left orders nothing.
    """
    r, alpha, s, beta = params
    alive = p_alive(params, x, t_x, T)
    active = _counts(np.add(r, x), np.add(alpha, T), s, np.add(beta, T), t, n_max)
    shape = np.broadcast_shapes(alive.shape, active.shape[1:])
    counts = np.moveaxis(np.broadcast_to(active, (n_max + 1, *shape)) * alive, 0, -1)
    counts[..., 0] += 1 - alive
    return counts


def simulate(params: Params, T: Number, rng: np.random.Generator, horizon: float = 0.0) -> Simulated:
    """Histories of new customers of age T, one an element of T, with their orders in (T, T + horizon]."""
    r, alpha, s, beta = params
    shape = np.broadcast_shapes(*(np.shape(value) for value in (*params, T)))
    age = np.broadcast_to(np.asarray(T, dtype=float), shape).copy()
    rate = rng.standard_gamma(np.broadcast_to(r, shape)) / alpha
    life = _life(s, beta, shape, rng)
    active = np.minimum(life, age)
    x = rng.poisson(rate * active).astype(float)
    # The last of x orders, uniform on the active time.
    last = active * (1 - rng.random(shape)) ** (1 / np.maximum(x, 1))
    future = rng.poisson(rate * np.clip(life - age, 0, horizon)).astype(float)
    return Simulated(x=x, t_x=np.where(x > 0, last, 0.0), T=age, future=future, alive=life > age)


def sample_orders(
    params: Params, x: Number, t_x: Number, T: Number, t: Number, rng: np.random.Generator
) -> Array:
    """One draw of the orders in (T, T + t] of each history: from its distribution given the parameters."""
    r, alpha, s, beta = params
    alive = p_alive(params, x, t_x, T)
    shape = np.broadcast_shapes(alive.shape, np.shape(t))
    stays = rng.random(shape) < alive
    rate = rng.standard_gamma(np.broadcast_to(np.add(r, x), shape)) / np.add(alpha, T)
    active = np.minimum(_life(s, np.add(beta, T), shape, rng), t)
    return np.where(stays, rng.poisson(rate * active), 0).astype(float)


def _log_likelihood(r: Array, alpha: Array, s: Array, beta: Array, x: Array, t_x: Array, T: Array) -> Array:
    silent = silence(r + x, alpha + t_x, s, beta + t_x, T - t_x)
    log_silence = np.log(silent.alive + silent.dropped)
    return _log_density(log_rising(r, x), r, alpha, s, x, *_eased(alpha, beta, t_x)) + log_silence


def _log_likelihood_gradient(
    r: Array, alpha: Array, s: Array, beta: Array, x: Array, t_x: Array, T: Array
) -> Array:
    W, c, d = T - t_x, alpha + t_x, beta + t_x
    silent = silence(r + x, c, s, d, W, means=True)
    total = silent.alive + silent.dropped
    stayed, left = silent.alive / total, silent.dropped / total
    # Means over both kinds of customers, active (until T) and gone (since w).
    log_c = stayed * silent.log_c + left * silent.means[0]
    log_d = stayed * silent.log_d + left * silent.means[1]
    gone_share = left * silent.means[2]
    share = stayed * (W / (c + W)) + gone_share
    rise, slope = log_rising_with_slope(r, x)
    eased = _eased(alpha, beta, t_x)
    return np.stack(
        np.broadcast_arrays(
            _log_density(rise, r, alpha, s, x, *eased) + np.log(total),
            r * (slope - eased[0] - log_c),
            r - (r + x) * (alpha / c) * (1 - share),
            left - s * (eased[1] + log_d),
            # The mean of (s + 1) / (d + w) follows from that of w / (c + w), integrating D by parts.
            (s * t_x - beta * (r + x) * gone_share) / d,
        )
    )


def _eased(alpha: Array, beta: Array, t_x: Array) -> tuple[Array, Array]:
    return np.log1p(t_x / alpha), np.log1p(t_x / beta)


def _log_density(rise: Array, r: Array, alpha: Array, s: Array, x: Array, by_c: Array, by_d: Array) -> Array:
    """Log-density of the orders up to t_x, of a customer who was active until then."""
    density: Array = rise - (r + x) * by_c - x * np.log(alpha) - s * by_d
    return density


def _life(s: Number, beta: Number, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """Draws of the time until dropout: Lomax(s, beta), by inversion, which cannot divide by a rate of zero."""
    return np.asarray(beta * np.expm1(np.minimum(rng.standard_exponential(shape) / s, _LONGEST)))


def _counts(a: Number, c: Number, s: Number, d: Number, t: Number, n_max: int) -> Array:
    """Distribution of the orders of active customers within t, counts on the first axis."""

    def rows(a: Array, c: Array, s: Array, d: Array, t: Array) -> Array:
        return order_counts(a, c, s, d, t, n_max)

    return in_chunks(rows, a, c, s, d, t, rows=max(64, min(ROWS, _COUNTS // (n_max + 1))))
