"""Pareto/NBD whose rates depend on one another: whoever orders often may also leave sooner, or later.

The gamma densities of order rate lambda and dropout rate mu are joined by a Sarmanov density (Sarmanov 1966), with the
mixing functions that Park and Fader (2004), "Modeling browsing behavior at multiple websites", use:

    g(lambda, mu) = g(lambda) g(mu) (1 + m (exp(-lambda p) - A) (exp(-mu p) - B)),
    A = (alpha / (alpha + p))^r,   B = (beta / (beta + p))^s,

p being a `period`, in the unit of time of the data. exp(-lambda p) times a gamma density is A times the gamma density
of alpha + p, so that the whole is a sum of four plain Pareto/NBD, with weights 1 + w, -w, -w, w and w = m A B; the
likelihood and the predictions are such sums too. Meierer, Bachmann, Näf, Schilter and Algesheimer, "Estimating
individual customer lifetime values with R: the CLVTools package", equations 11 to 13, has p = 1, whatever the unit: the
model then means another thing in days than in weeks. Here p goes with the unit.

Functions and arguments are those of `pareto_nbd`, with m as the fifth parameter and `period` as a keyword.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from evervalue.numerics.arrays import Array, Number, Params
from evervalue.numerics.purchases import pareto_nbd
from evervalue.numerics.purchases.simulated import Simulated

NAMES = (*pareto_nbd.NAMES, "m")
_SIGNS = (1.0, -1.0, -1.0, 1.0)


def bounds(params: Params, *, period: Number = 1.0) -> tuple[Array, Array]:
    """Least and greatest m for which the joint density is nowhere negative, given r, alpha, s and beta.

    Source: Lee (1996), "Properties and applications of the Sarmanov family of bivariate distributions".

    >>> [float(bound.round(3)) for bound in bounds((1.4490, 48.6361, 0.5613, 46.8844))]
    [-1.042, 34.822]
    """
    a, b = _transforms(params, period)
    low = -1 / np.maximum(a * b, (1 - a) * (1 - b))
    high = 1 / np.maximum(a * (1 - b), (1 - a) * b)
    return low, high


def correlation(params: Params, *, period: Number = 1.0) -> Array:
    """Correlation of lambda and mu, which is far below m.

    >>> float(correlation((1.4490, 48.6361, 0.5613, 46.8844, 0.5)).round(6))
    0.000182
    """
    r, alpha, s, beta, m = params
    a, b = _transforms(params, period)
    rates = np.sqrt(r) * period / np.add(alpha, period) * np.sqrt(s) * period / np.add(beta, period)
    product: Array = m * a * b * rates
    return product


def log_likelihood(params: Params, x: Number, t_x: Number, T: Number, *, period: Number = 1.0) -> Array:
    """Log of the density of each history; m must lie within `bounds`.

    With m = 0 it is the plain Pareto/NBD's, exactly.
    """
    first, shares = _shares(params, x, t_x, T, period)
    total: Array = first + np.log(shares.sum(axis=0))
    return total


def log_likelihood_gradient(
    params: Params, x: Number, t_x: Number, T: Number, *, period: Number = 1.0
) -> tuple[Array, Array]:
    """Log-likelihoods, and their derivatives with respect to log r, log alpha, log s, log beta and m (not its log)."""
    r, alpha, s, beta, _ = params
    plain = [pareto_nbd.log_likelihood_gradient(part, x, t_x, T) for part in _parts(params, period)]
    first = plain[0][0]
    ratios = np.exp(np.stack([value - first for value, _ in plain]))
    weights = _weights(params, period)
    total = sum(weight * ratio for weight, ratio in zip(weights, ratios, strict=True))
    slopes = np.zeros((5, *np.shape(total)))
    for (_, gradient), part, weight, ratio in zip(
        plain, _parts(params, period), weights, ratios, strict=True
    ):
        share = weight * ratio / total
        slopes[0] += share * gradient[0]
        slopes[1] += share * gradient[1] * np.divide(alpha, part[1])
        slopes[2] += share * gradient[2]
        slopes[3] += share * gradient[3] * np.divide(beta, part[3])
    # The weights change too: each is 0 or 1 plus or minus w.
    a, b = _transforms(params, period)
    contrast = sum(sign * ratio for sign, ratio in zip(_SIGNS, ratios, strict=True)) / total
    pull = weights[3] * contrast
    slopes[0] += pull * np.multiply(r, -np.log1p(np.divide(period, alpha)))
    slopes[1] += pull * np.multiply(r, period) / np.add(alpha, period)
    slopes[2] += pull * np.multiply(s, -np.log1p(np.divide(period, beta)))
    slopes[3] += pull * np.multiply(s, period) / np.add(beta, period)
    slopes[4] = a * b * contrast
    return first + np.log(total), slopes


def p_alive(params: Params, x: Number, t_x: Number, T: Number, *, period: Number = 1.0) -> Array:
    """Probability that the customer is still active at T."""
    return _given(params, x, t_x, T, period, lambda part: pareto_nbd.p_alive(part, x, t_x, T))


def expected_orders(params: Params, t: Number, *, period: Number = 1.0) -> Array:
    """Expected repeat orders of a new customer within t of the first order."""
    total = np.zeros(())
    for weight, part in zip(_weights(params, period), _parts(params, period), strict=True):
        total = total + weight * pareto_nbd.expected_orders(part, t)
    return total


def conditional_expected_orders(
    params: Params, x: Number, t_x: Number, T: Number, t: Number, *, period: Number = 1.0
) -> Array:
    """Expected orders in (T, T + t] given the history."""
    return _given(
        params, x, t_x, T, period, lambda part: pareto_nbd.conditional_expected_orders(part, x, t_x, T, t)
    )


def simulate(
    params: Params, T: Number, rng: np.random.Generator, horizon: float = 0.0, *, period: float = 1.0
) -> Simulated:
    """Histories of new customers of age T, one an element of T: plain ones, kept with the odds of their rates.

    m must be a number here, and the other parameters numbers too.
    """
    r, alpha, s, beta, m = (float(value) for value in params)
    a, b = (float(value) for value in _transforms(params, period))
    most = 1 + abs(m) * max(a, 1 - a) * max(b, 1 - b)
    age = np.atleast_1d(np.asarray(T, dtype=float))
    rates, ends = np.empty(age.size), np.empty(age.size)
    missing = np.arange(age.size)
    while missing.size:
        rate, end = rng.gamma(r, 1 / alpha, missing.size), rng.gamma(s, 1 / beta, missing.size)
        odds = 1 + m * (np.exp(-rate * period) - a) * (np.exp(-end * period) - b)
        kept = rng.random(missing.size) * most < odds
        rates[missing[kept]], ends[missing[kept]] = rate[kept], end[kept]
        missing = missing[~kept]
    life = rng.standard_exponential(age.size) / np.maximum(ends, np.finfo(float).tiny)
    active = np.minimum(life, age)
    x = rng.poisson(rates * active).astype(float)
    last = active * (1 - rng.random(age.size)) ** (1 / np.maximum(x, 1))
    future = rng.poisson(rates * np.clip(life - age, 0, horizon)).astype(float)
    return Simulated(x=x, t_x=np.where(x > 0, last, 0.0), T=age, future=future, alive=life > age)


def _transforms(params: Params, period: Number) -> tuple[Array, Array]:
    """A and B, the means of exp(-lambda p) and exp(-mu p)."""
    r, alpha, s, beta = params[:4]
    a: Array = np.exp(-np.multiply(r, np.log1p(np.divide(period, alpha))))
    b: Array = np.exp(-np.multiply(s, np.log1p(np.divide(period, beta))))
    return a, b


def _weights(params: Params, period: Number) -> tuple[Array, Array, Array, Array]:
    a, b = _transforms(params, period)
    w: Array = params[4] * a * b
    return 1 + w, -w, -w, w


def _parts(params: Params, period: Number) -> list[tuple[Number, Number, Number, Number]]:
    r, alpha, s, beta = params[:4]
    later, longer = np.add(alpha, period), np.add(beta, period)
    return [(r, alpha, s, beta), (r, later, s, beta), (r, alpha, s, longer), (r, later, s, longer)]


def _shares(params: Params, x: Number, t_x: Number, T: Number, period: Number) -> tuple[Array, Array]:
    """Log-likelihoods of the first part, and (4, ...) what each part adds to the whole, in units of the first."""
    values = [pareto_nbd.log_likelihood(part, x, t_x, T) for part in _parts(params, period)]
    weights = _weights(params, period)
    shares = [weight * np.exp(value - values[0]) for weight, value in zip(weights, values, strict=True)]
    return values[0], np.stack(np.broadcast_arrays(*shares))


def _given(
    params: Params, x: Number, t_x: Number, T: Number, period: Number, value: Callable[[Params], Array]
) -> Array:
    """A prediction given the history: the parts' own, weighted by how likely each makes the history."""
    _, shares = _shares(params, x, t_x, T, period)
    parts = _parts(params, period)
    total: Array = sum(share * value(part) for share, part in zip(shares, parts, strict=True)) / shares.sum(
        axis=0
    )
    return total
