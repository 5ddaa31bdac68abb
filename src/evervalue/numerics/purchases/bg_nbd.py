"""BG/NBD: customers order at random at rates of their own, and after each repeat order may leave for good.

Fader, Hardie and Lee (2005), "Counting your customers the easy way: an alternative to the Pareto/NBD model". While
active, a customer orders as a Poisson process of rate lambda; after each repeat order the customer leaves with
probability p. Over customers lambda is Gamma(r, alpha) and p is Beta(a, b), independent. x repeat orders, t_x time of
the last, T age, all from the first order; alpha is in the same unit of time.
"""

from __future__ import annotations

import numpy as np

from evervalue.numerics.arrays import Array, Number, Params
from evervalue.numerics.functions.counts import over_counts
from evervalue.numerics.functions.distinct_columns import once_each
from evervalue.numerics.functions.rising import digamma_rise, log_rising
from evervalue.numerics.purchases import active
from evervalue.numerics.purchases.discounted_orders import discounted
from evervalue.numerics.purchases.simulated import Simulated

NAMES = ("r", "alpha", "a", "b")
TIME_NAMES = ("alpha",)
# As in CLVTools: a covariate of the dropout process scales a and b alike, so it moves how customers differ in p.
COVARIATES = {"transaction": {"alpha": -1}, "dropout": {"a": 1, "b": 1}}


def log_likelihood(params: Params, x: Number, t_x: Number, T: Number) -> Array:
    """Log of the density of each history.

    Source: Fader, Hardie and Lee (2005), equation 6. The customer is active at T, or left at the last order; the
    second case is added to the first on the log scale.
    Domain: positive parameters, 0 <= t_x <= T, t_x = 0 exactly where x = 0.

    Parameters
    ----------
    params
        (r, alpha, a, b), each a number or an array that broadcasts against the data; alpha in the unit of T.
    x, t_x, T
        Repeat orders, time of the last, age.

    Examples
    --------
    >>> float(log_likelihood((0.243, 4.414, 0.793, 2.426), 2, 30.43, 38.86).round(6))
    -9.458606
    """
    r, alpha, a, b, x, t_x, T = _arrays(params, x, t_x, T)
    return _log_active(r, alpha, a, b, x, T) + np.logaddexp(0.0, _log_odds(r, alpha, a, b, x, t_x, T))


def log_likelihood_gradient(params: Params, x: Number, t_x: Number, T: Number) -> tuple[Array, Array]:
    """Log-likelihoods, and their derivatives with respect to the LOG of each parameter, one row a parameter."""
    r, alpha, a, b, x, t_x, T = _arrays(params, x, t_x, T)
    odds = _log_odds(r, alpha, a, b, x, t_x, T)
    small = np.exp(-np.abs(odds))
    ll = _log_active(r, alpha, a, b, x, T) + np.maximum(odds, 0) + np.log1p(small)
    left = np.where(odds > 0, 1.0, small) / (1 + small)
    total = over_counts(_digamma_rise, x, a + b)
    gradient = np.stack(
        np.broadcast_arrays(
            r
            * (
                over_counts(_digamma_rise, x, r)
                - np.log1p(T / alpha)
                + left * np.log1p((T - t_x) / (alpha + t_x))
            ),
            (r * T - x * alpha) / (alpha + T)
            - left * (r + x) * alpha * (T - t_x) / ((alpha + T) * (alpha + t_x)),
            left - a * total,
            b * (over_counts(_digamma_rise, x, b) - total - left / (b + np.maximum(x - 1, 0))),
        )
    )
    return ll, gradient


def p_alive(params: Params, x: Number, t_x: Number, T: Number) -> Array:
    """Probability that the customer is still active at T.

    Source: Fader, Hardie and Lee (2008), "Computing P(alive) using the BG/NBD model", as the logistic of a log-ratio.
    Limits: exactly 1 where x = 0, as in this model nobody leaves before the first repeat order.

    Examples
    --------
    >>> float(p_alive((0.242595, 4.413602, 0.792922, 2.425907), 26, 30.857, 31).round(5))
    0.96885
    """
    odds = _log_odds(*_arrays(params, x, t_x, T))
    return np.asarray(1 / (1 + np.exp(np.minimum(odds, 700))))


def expected_orders(params: Params, t: Number) -> Array:
    """Expected repeat orders of a new customer within t of the first order.

    Source: Fader, Hardie and Lee (2005), equation 9; see `active.expected` for how it is computed.

    Examples
    --------
    >>> float(expected_orders((0.242595, 4.413602, 0.792922, 2.425907), 52).round(6))
    1.444015
    """
    r, alpha, a, b = params
    return active.expected(r, alpha, a, b, t)


def conditional_expected_orders(params: Params, x: Number, t_x: Number, T: Number, t: Number) -> Array:
    """Expected orders in (T, T + t] given the history.

    Source: Fader, Hardie and Lee (2005), equation 10.

    Examples
    --------
    >>> float(conditional_expected_orders((0.243, 4.414, 0.793, 2.426), 2, 30.43, 38.86, 39).round(3))
    1.226
    """
    return p_alive(params, x, t_x, T) * once_each(_expected, params, x, T, t)


def discounted_expected_orders(
    params: Params, x: Number, t_x: Number, T: Number, t: Number, delta: Number
) -> Array:
    """Expected orders in (T, T + t] given the history, each worth exp(-delta u) at u after T.

    `t` may be infinite where delta > 0 (discounted expected residual transactions). delta is continuous, a unit of T.
    """
    return p_alive(params, x, t_x, T) * once_each(_discounted, params, x, T, t, delta)


def new_discounted_expected_orders(params: Params, t: Number, delta: Number) -> Array:
    """The same for a new customer; the first order is not counted."""
    r, alpha, a, b = params
    return discounted(r, alpha, a, b, t, delta)


def pmf(params: Params, t: Number, n_max: int) -> Array:
    """P(X(t) = n) of a new customer, n = 0..n_max on the last axis.

    Source: Fader, Hardie and Lee (2005), equation 8, rearranged so that nothing is subtracted.

    Examples
    --------
    >>> float(pmf((0.243, 4.414, 0.793, 2.426), 39, 0)[0].round(7))
    0.5737864
    """
    r, alpha, a, b = params
    return active.counts(r, alpha, a, b, t, n_max)


def conditional_pmf(params: Params, x: Number, t_x: Number, T: Number, t: Number, n_max: int) -> Array:
    """P(X(T, T + t) = n) given the history, n = 0..n_max on the last axis.

    An active customer has lambda ~ Gamma(r + x, alpha + T) and p ~ Beta(a, b + x), again independent: the formula of
    a new customer at those parameters, times P(alive); one who has left orders nothing.
    """

    def of_active(params: Params, x: Array, T: Array, t: Array) -> Array:
        r, alpha, a, b = params
        return np.moveaxis(active.counts(np.add(r, x), np.add(alpha, T), a, np.add(b, x), t, n_max), -1, 0)

    alive = p_alive(params, x, t_x, T)
    counts = np.moveaxis(alive * once_each(of_active, params, x, T, t), 0, -1)
    counts[..., 0] += 1 - alive
    return counts


def simulate(params: Params, T: Number, rng: np.random.Generator, horizon: float = 0.0) -> Simulated:
    """Histories of new customers of age T, one an element of T, with their orders in (T, T + horizon].

    Without a loop over orders: of n orders of somebody who never leaves, the x-th falls at T times Beta(x, n - x + 1).
    """
    r, alpha, a, b = params
    shape = np.broadcast_shapes(*(np.shape(value) for value in (*params, T)))
    age = np.broadcast_to(np.asarray(T, dtype=float), shape).copy()
    rate = rng.standard_gamma(np.broadcast_to(r, shape)) / alpha
    last = active.orders_before_leaving(rng.beta(np.broadcast_to(a, shape), b), rng)
    unlimited = rng.poisson(rate * age).astype(float)
    x = np.minimum(unlimited, last)
    at = rng.beta(np.maximum(x, 1), np.maximum(unlimited - x, 0) + 1)
    alive = unlimited < last
    later = np.minimum(unlimited + rng.poisson(rate * horizon), last)
    return Simulated(x=x, t_x=np.where(x > 0, age * at, 0.0), T=age, future=later - x, alive=alive)


def sample_orders(
    params: Params, x: Number, t_x: Number, T: Number, t: Number, rng: np.random.Generator
) -> Array:
    """One draw of the orders in (T, T + t] of each history: from its distribution given the parameters."""
    r, alpha, a, b = params
    alive = p_alive(params, x, t_x, T)
    shape = np.broadcast_shapes(alive.shape, np.shape(t))
    stays = rng.random(shape) < alive
    orders = active.draw(np.broadcast_to(np.add(r, x), shape), np.add(alpha, T), a, np.add(b, x), t, rng)
    return np.where(stays, orders, 0.0)


def _arrays(params: Params, x: Number, t_x: Number, T: Number) -> list[Array]:
    return [np.asarray(value, dtype=float) for value in (*params, x, t_x, T)]


def _log_active(r: Array, alpha: Array, a: Array, b: Array, x: Array, T: Array) -> Array:
    """Log-density of the orders together with being active at T."""
    log_active: Array = (
        over_counts(log_rising, x, r)
        + over_counts(_log_stays, x, a, b)
        - r * np.log1p(T / alpha)
        - x * np.log(alpha + T)
    )
    return log_active


def _log_odds(r: Array, alpha: Array, a: Array, b: Array, x: Array, t_x: Array, T: Array) -> Array:
    """Log-odds of having left at the last order against being active at T; -inf where x = 0."""
    odds = np.log(a) - np.log(b + np.maximum(x - 1, 0)) + (r + x) * np.log1p((T - t_x) / (alpha + t_x))
    return np.where(x > 0, odds, -np.inf)


def _log_stays(a: Array, b: Array, x: Array) -> Array:
    """Log of E[(1 - p)^x]."""
    return log_rising(b, x) - log_rising(a + b, x)


def _digamma_rise(r: Array, x: Array) -> Array:
    return digamma_rise(r, x)


def _expected(params: Params, x: Array, T: Array, t: Array) -> Array:
    r, alpha, a, b = params
    return active.expected(np.add(r, x), np.add(alpha, T), a, np.add(b, x), t)


def _discounted(params: Params, x: Array, T: Array, t: Array, delta: Array) -> Array:
    r, alpha, a, b = params
    return discounted(np.add(r, x), np.add(alpha, T), a, np.add(b, x), t, delta)
