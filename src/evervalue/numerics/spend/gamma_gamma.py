"""Gamma-Gamma: what a customer spends a purchase varies around a mean of the customer's own, and the means vary.

Colombo and Jiang (1999), "A stochastic RFM model"; Fader and Hardie (2013), "The Gamma-Gamma model of monetary value".
The amounts of a customer are Gamma(p, nu): shape p for all, rate nu of the customer's own, so that the mean is p / nu
and the spread is the same share of the mean, 1 / sqrt(p), for everyone. Over customers nu is Gamma(q, v). x is the
number of purchases with an amount and m their mean; v is in the unit of money, p and q are pure numbers. Amounts are
above zero, and how much a customer spends is taken to say nothing about how often (see `independence`).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import betainc, betainccinv, betaincinv

from evervalue.numerics.arrays import Array, Number, Params
from evervalue.numerics.estimation.log_gamma_draw import exp_within_floats, log_gamma_draw
from evervalue.numerics.functions.counts import by_count
from evervalue.numerics.functions.stirling import digamma_rest, log_gamma_rest
from evervalue.numerics.spend.simulated_spend import SimulatedSpend

NAMES = ("p", "q", "v")
LOG_NAMES = NAMES
"""Those above zero, which are estimated by their logs: all."""
MONEY_POWERS = {"v": 1}
"""Those in the unit of money, and in which power of it."""

_HALF_LOG_TWO_PI = 0.5 * np.log(2 * np.pi)
_LARGEST = np.finfo(float).max
_LEAST = 1e-290
_WIDEST = 30.0  # of log p


def log_likelihood(params: Params, x: Number, m: Number) -> Array:
    """Log of the density of each customer's mean spend m, given the number x of purchases; 0 where x = 0.

    Source: Fader and Hardie (2013), equation 1a. With a = p x, b = q and w = x m / (v + x m) it is the beta density of
    w, written as Loader (2000) writes the binomial: the large parts of log-gammas and logs cancel on paper, so that
    p x of 1e9 keeps its digits.
    Domain: p, q, v > 0; x >= 0; m > 0 wherever x > 0.

    Examples
    --------
    >>> float(log_likelihood((6.25, 3.74, 15.44), 2, 22.35).round(6))
    -3.551317
    """
    some = _Shares(params, x, m)
    (of_counts,) = by_count(lambda x: np.stack([_normaliser(params, x)]), some.x, params[:2])
    return some.where(of_counts + some.a * some.log_a + some.b * some.log_b - np.log(some.m))


def log_likelihood_gradient(params: Params, x: Number, m: Number) -> tuple[Array, Array]:
    """Log-likelihoods, and their derivatives with respect to the LOG of each parameter, one row a parameter.

    By log v the derivative is e = (q x m - p x v) / (v + x m).
    """
    some = _Shares(params, x, m)
    normaliser, by_p, by_q = by_count(lambda x: _normaliser_gradient(params, x), some.x, params[:2])
    of_a, of_b = some.a * some.log_a, some.b * some.log_b
    value = some.where(normaliser + of_a + of_b - np.log(some.m))
    gradient = np.stack([some.where(d) for d in (by_p + of_a, by_q + of_b, some.e)])
    return value, gradient


class _Shares:
    """What likelihood and gradient share; customers without a purchase are given one of amount 1 and masked."""

    def __init__(self, params: Params, x: Number, m: Number) -> None:
        p, q, v = (np.asarray(value, dtype=float) for value in params)
        x, m = np.asarray(x, dtype=float), np.asarray(m, dtype=float)
        self.none = x <= 0
        self.x: Array = np.where(self.none, 1.0, x)
        self.m: Array = np.where(self.none, 1.0, m)
        self.a, self.b = p * self.x, q
        total = self.x * self.m
        whole = total + v
        self.e = (self.b * total - self.a * v) / whole
        """(a + b) w - a: what the observed share w adds to a, and takes from b."""
        self.log_a = _log_ratio(self.e / self.a, lambda: (1 + self.b / self.a) * (total / whole))
        self.log_b = _log_ratio(-self.e / self.b, lambda: (1 + self.a / self.b) * (v / whole))

    def where(self, values: Array) -> Array:
        """The values, and 0 for customers without a purchase."""
        whole: Array = np.where(self.none, 0.0, values)
        return whole


def _log_ratio(change: Array, ratio: Callable[[], Array]) -> Array:
    """log(1 + change), from the ratio itself where 1 + change is small and has lost its digits."""
    low = change < -0.5
    if not low.any():
        return np.log1p(change)
    whole: Array = np.where(low, np.log(ratio()), np.log1p(np.where(low, 0.0, change)))
    return whole


def _normaliser(params: Params, x: Array) -> Array:
    """Log of what the density has besides its deviance: it depends on the count alone."""
    p, q, _ = params
    a, b = p * x, np.asarray(q, dtype=float)
    whole = a + b
    rests: Array = log_gamma_rest(a) + log_gamma_rest(b) - log_gamma_rest(whole)
    normaliser: Array = 0.5 * (np.log(a / whole) + np.log(b)) - _HALF_LOG_TWO_PI - rests
    return normaliser


def _normaliser_gradient(params: Params, x: Array) -> Array:
    p, q, _ = params
    a, b = p * x, np.asarray(q, dtype=float)
    whole = a + b
    rest = digamma_rest(whole)
    by_p = 0.5 * b / whole + a * (digamma_rest(a) - rest)
    by_q = 0.5 * a / whole + b * (digamma_rest(b) - rest)
    return np.stack([_normaliser(params, x), by_p, by_q])


def shape_within(x: Array, m: Array, squares: Array, weight: Array) -> tuple[float, float]:
    """P from how amounts vary within customers, with the standard error of its log; infinite where they do not vary.

    The likelihood above sees means alone and tells p from how their spread falls with x. Where the sums of squared
    distances from the mean are known, they tell it themselves: given nu the shares of a customer's amounts in their sum
    follow a Dirichlet law whose parameters are all p, whatever nu, so that squares / m^2 is x (x - 1) / (p x + 1) on
    average. p is where the sum over customers agrees. No customer counts for more than x (x - 1), all in one purchase,
    so that a few large amounts do not decide it; amounts below zero, with which one could, are held to that as well.

    Parameters
    ----------
    x, m, squares, weight
        (n,) each; customers with fewer than two purchases, or a mean at or below zero, have no part.

    Examples
    --------
    >>> x, m = np.array([2.0, 2.0]), np.array([15.0, 30.0])
    >>> round(shape_within(x, m, np.array([50.0, 200.0]), np.ones(2))[0], 6)
    4.0
    """
    several = (x > 1) & (m > 0) & (weight > 0)
    x, weight = x[several], weight[several]
    seen = np.minimum(squares[several] / m[several] ** 2, x * (x - 1))
    total = float(seen @ weight)
    if not total > 0:
        return np.inf, np.inf

    def expected(log_p: float) -> Array:
        share: Array = x * (x - 1) / (np.exp(log_p) * x + 1)
        return share

    low, high = -_WIDEST, _WIDEST
    for _ in range(64):
        middle = (low + high) / 2
        low, high = (middle, high) if float(expected(middle) @ weight) > total else (low, middle)
    log_p = (low + high) / 2
    at = expected(log_p)
    slope = float((at * np.exp(log_p) * x / (np.exp(log_p) * x + 1)) @ weight)
    return float(np.exp(log_p)), float(np.sqrt((seen - at) ** 2 @ weight) / slope)


def expected_order_value(params: Params) -> Array:
    """Mean spend a purchase over all customers: p v / (q - 1), and infinite where q <= 1.

    Source: Fader and Hardie (2013). With q <= 1 so many customers spend so much that no mean exists.

    Examples
    --------
    >>> float(expected_order_value((6.24957, 3.74422, 15.44353)).round(2))
    35.17
    """
    return conditional_expected_order_value(params, 0.0, 0.0)


def conditional_expected_order_value(params: Params, x: Number, m: Number) -> Array:
    """Expected mean spend of a customer given x purchases of mean m: p (v + x m) / (p x + q - 1).

    Source: Fader and Hardie (2013), equation 5: between the customer's own mean and the population's.
    Limits: the population mean at x = 0; infinite where p x + q <= 1.

    Examples
    --------
    >>> conditional_expected_order_value((6.25, 3.74, 15.44), np.array([2, 0]), np.array([22.35, 0])).round(2)
    array([24.66, 35.22])
    """
    p, q, v = (np.asarray(value, dtype=float) for value in params)
    below = np.asarray((q - 1) + p * np.asarray(x, dtype=float))
    with np.errstate(divide="ignore"):
        mean: Array = np.where(below > 0, p * (v + np.multiply(x, m)) / np.abs(below), np.inf)
    return mean


def posterior(params: Params, x: Number, m: Number) -> tuple[Array, Array]:
    """Shape and rate of the customer's own nu, a Gamma(q + p x, v + x m) given x purchases of mean m.

    Source: Fader and Hardie (2013), by Bayes' rule. p / nu is what the customer spends a purchase in the long run.
    """
    p, q, v = params
    return np.asarray(q + np.multiply(p, x)), np.asarray(v + np.multiply(x, m))


def sum_cdf(params: Params, n: Number, x: Number, m: Number, y: Number) -> Array:
    """P(the next n purchases together bring at most y), given x purchases of mean m.

    Given nu the sum is Gamma(p n, nu), so over the posterior it is rate * BetaPrime(p n, shape). With x = 0 it is the
    law of a new customer. n = 0 brings exactly 0.
    """
    shape, rate = posterior(params, x, m)
    ahead, y = np.asarray(np.multiply(params[0], n)), np.asarray(y, dtype=float)
    known = np.where(ahead > 0, ahead, 1.0)
    above = np.clip(y, 0.0, _LARGEST / 2)
    share = above / (rate + above)
    # The smaller of the share and what is left of 1 carries the digits.
    turn = share > 0.5
    part = np.where(turn, rate / (rate + above), share)
    inside = betainc(np.where(turn, shape, known), np.where(turn, known, shape), part)
    cdf: Array = np.where(y < 0, 0.0, np.where(ahead > 0, np.where(turn, 1 - inside, inside), 1.0))
    return cdf


def sum_quantile(params: Params, n: Number, x: Number, m: Number, probability: Number) -> Array:
    """The sum that the next n purchases stay below with the given probability, given x purchases of mean m.

    Inverse of `sum_cdf`. Limits: a quantile beyond the largest double is the largest double, one too small for any
    double is 0.
    """
    shape, rate = posterior(params, x, m)
    asked = np.asarray(probability, dtype=float)
    ahead = np.asarray(np.multiply(params[0], n))
    known = np.where(ahead > 0, ahead, 1.0)
    known, shape, rate, asked = np.broadcast_arrays(known, shape, rate, asked)
    turn = betainc(known, shape, 0.5) < asked
    y = np.empty(asked.shape)
    share = betaincinv(known[~turn], shape[~turn], asked[~turn])
    left = betainccinv(shape[turn], known[turn], asked[turn])
    # Below _LEAST the inverse of the incomplete beta function is no inverse any more.
    y[~turn] = np.where(share > _LEAST, rate[~turn] * (share / (1 - share)), 0.0)
    with np.errstate(over="ignore"):
        y[turn] = np.where(left > _LEAST, rate[turn] * ((1 - left) / np.maximum(left, _LEAST)), _LARGEST)
    quantile: Array = np.where(ahead > 0, np.minimum(y, _LARGEST), 0.0)
    return quantile


def sum_mean(params: Params, n: Number, x: Number, m: Number) -> Array:
    """Mean of the sum of the next n purchases: n times `conditional_expected_order_value`; 0 where n = 0."""
    n = np.asarray(n, dtype=float)
    each = conditional_expected_order_value(params, x, m)
    mean: Array = np.where(n > 0, np.where(n > 0, n, 1.0) * each, 0.0)
    return mean


def sum_variance(params: Params, n: Number, x: Number, m: Number) -> Array:
    """Variance of the sum of the next n purchases; infinite where p x + q <= 2, 0 where n = 0.

    Variance of a beta prime law: rate^2 p n (p n + shape - 1) / ((shape - 2) (shape - 1)^2).
    """
    shape, rate = posterior(params, x, m)
    ahead = np.multiply(params[0], n)
    known = shape > 2
    safe = np.where(known, shape, 3.0)
    spread = rate / (safe - 1)
    variance = spread * spread * ahead * ((ahead + (safe - 1)) / (safe - 2))
    whole: Array = np.where(ahead > 0, np.where(known, variance, np.inf), 0.0)
    return whole


def sample_sum(params: Params, n: Number, x: Number, m: Number, rng: np.random.Generator) -> Array:
    """One draw of the sum of the next n purchases for each element, given x purchases of mean m.

    The customer's nu is drawn from its posterior, then the sum given nu: process and customer vary, parameters are as
    given. Drawn in logs: a small p or q is no reason for 0 / 0. A draw beyond the largest double is the largest double.
    """
    shape, rate = posterior(params, x, m)
    ahead = np.asarray(np.multiply(params[0], n))
    size = np.broadcast_shapes(shape.shape, rate.shape, ahead.shape)
    some = ahead > 0
    log_sum = (
        np.log(rate)
        + log_gamma_draw(np.where(some, ahead, 1.0), rng, size)
        - log_gamma_draw(shape, rng, size)
    )
    drawn: Array = np.where(some, exp_within_floats(log_sum), 0.0)
    return drawn


def simulate(params: Params, x: Number, rng: np.random.Generator, n: Number = 0.0) -> SimulatedSpend:
    """Customers with x purchases each, drawn from the model, and the sum of n further purchases of theirs."""
    p, q, v = params
    counts, ahead = np.broadcast_arrays(np.asarray(x, dtype=float), np.asarray(n, dtype=float))
    size = np.broadcast_shapes(counts.shape, np.shape(p), np.shape(q), np.shape(v))
    log_nu = log_gamma_draw(q, rng, size) - np.log(v)

    def total(count: Array) -> Array:
        some = count > 0
        drawn = exp_within_floats(
            log_gamma_draw(np.where(some, np.multiply(p, count), 1.0), rng, size) - log_nu
        )
        return np.where(some, drawn, 0.0)

    return SimulatedSpend(
        x=np.broadcast_to(counts, size),
        mean=total(counts) / np.maximum(counts, 1.0),
        squares=None,
        true_mean=exp_within_floats(np.log(p) - log_nu),
        future=total(ahead),
    )
