"""Beta-discrete-Weibull: contracts as in the shifted beta-geometric model, whose customers also change with tenure.

Fader, Hardie, Liu, Davin and Steenburgh (2018), "How to project customer retention revisited: the role of duration
dependence". A customer is still there after t periods with probability (1 - theta)^(t^c); over customers theta is
Beta(alpha, beta). With c > 1 a customer becomes more likely to leave from one renewal to the next, with c < 1 less
likely; c = 1 is the shifted beta-geometric model, whose functions and conventions these are.

(The paper calls alpha and beta gamma and delta.)
"""

from __future__ import annotations

import numpy as np

from evervalue.numerics.arrays import Array, Number, Params
from evervalue.numerics.periods.beta_geometric import digamma_step, hazard_until_leaving, log_remaining
from evervalue.numerics.periods.simulated_contracts import SimulatedContracts

NAMES = ("alpha", "beta", "c")

_CAP = 300.0  # where t^c passes e^300, its remaining share follows the power law alpha log(t^c) to the last digit
_BLOCK = 64
_NOTHING = 1e-15
_NEVER = -1e9


def log_likelihood(params: Params, periods: Number, churned: Number, entered: Number = 0.0) -> Array:
    """Log of P(T = periods | T > entered) where `churned`, else of P(T > periods | T > entered).

    Source: Fader et al. (2018), their survivor function B(alpha, beta + t^c) / B(alpha, beta); P(T = t) is the share
    there after t - 1 periods times the share of these that leaves.
    Domain: positive parameters; whole numbers, periods - churned >= entered >= 0 (periods = entered tells nothing).

    Examples
    --------
    >>> float(np.exp(log_likelihood((0.259, 1.722, 1.584), 4, False)).round(3))
    0.593
    """
    a, b, c, periods, churned, entered = _arrays(*params, periods, churned, entered)
    renewed = periods - churned
    loss = np.where(churned > 0, -_log_renewal(a, b, c, renewed), 1.0)
    leaves = np.where(churned > 0, np.log(-np.expm1(-loss)), 0.0)
    return _log_ratio(a, b, c, entered, renewed - entered) + leaves


def log_likelihood_gradient(
    params: Params, periods: Number, churned: Number, entered: Number = 0.0
) -> tuple[Array, Array]:
    """Log-likelihoods (n,), and their derivatives with respect to the LOG of each parameter (3, n)."""
    a, b, c, periods, churned, entered = _arrays(*params, periods, churned, entered)
    renewed = periods - churned
    loss = np.where(churned > 0, -_log_renewal(a, b, c, renewed), 1.0)
    slope = _log_ratio_gradient(a, b, c, entered, renewed - entered)
    odds = np.where(churned > 0, np.exp(-loss) / np.expm1(-loss), 0.0)
    slope += odds * _log_ratio_gradient(a, b, c, renewed, np.ones(a.shape))
    return log_likelihood(params, periods, churned, entered), slope


def churn_probability(params: Params, t: Number) -> Array:
    """P(T = t) of a new customer, t = 1, 2, ..."""
    return np.asarray(np.exp(log_likelihood(params, t, 1.0)))


def survival(params: Params, t: Number, renewed: Number = 0.0) -> Array:
    """P(T > renewed + t | T > renewed): that a customer who renewed so often will renew t times more.

    Examples
    --------
    >>> survival((0.2593549, 1.7226948, 1.5842688), np.array([5, 10])).round(4)
    array([0.5466, 0.4182])
    """
    return np.asarray(np.exp(_log_ratio(*_arrays(*params, renewed, t))))


def retention_rate(params: Params, t: Number) -> Array:
    """Share of those in their t-th period who renew at its end, t = 1, 2, ..."""
    a, b, c, t = _arrays(*params, t)
    return np.asarray(np.exp(_log_renewal(a, b, c, t - 1)))


def expected_lifetime(params: Params, t: Number, delta: Number = 0.0) -> Array:
    """Expected periods of a new customer among the first t, the first counted, as in `shifted_beta_geometric`."""
    later = residual_lifetime(params, 0.0, np.maximum(np.subtract(t, 1), 0), delta)
    return np.where(np.asarray(t) > 0, 1 + np.exp(np.negative(delta)) * later, 0.0)


def residual_lifetime(params: Params, renewed: Number, t: Number, delta: Number = 0.0) -> Array:
    """Expected periods among the next t, of a customer just before the next renewal; period i weighted by e^(-delta i).

    As in `shifted_beta_geometric`. An unlimited horizon needs a discount: there is no closed form, and the terms are
    added until what is left cannot count, after some 35 / delta periods.

    Raises
    ------
    ValueError
        The horizon is infinite where nothing is discounted.
    """
    a, b, c, renewed, t, delta = (v[..., None] for v in _arrays(*params, renewed, t, delta))
    if np.any(np.isinf(t) & (delta <= 0)):
        raise ValueError("The beta-discrete-Weibull model needs a finite horizon, or a discount above 0.")
    total, first = np.zeros(a.shape), 0
    while np.any(first < t):
        i = first + np.arange(1, _BLOCK + 1)
        terms = np.exp(_log_ratio(a, b, c, renewed, i.astype(np.float64)) - delta * (i - 1))
        total += np.where(i <= t, terms, 0.0).sum(axis=-1, keepdims=True)
        first += _BLOCK
        if np.all(np.where(np.isinf(t), terms[..., -1:] <= _NOTHING * total * -np.expm1(-delta), first >= t)):
            break
    return np.asarray(total[..., 0])


def simulate(params: Params, periods: Number, rng: np.random.Generator) -> SimulatedContracts:
    """Contracts of new customers, watched for some periods each, one an element of `periods`."""
    a, b, c, periods = _arrays(*params, periods)
    lifetime = _periods(hazard_until_leaving(rng.beta(a, b), rng), c) + 1
    return SimulatedContracts(np.minimum(lifetime, periods), lifetime <= periods, lifetime)


def sample_periods(params: Params, renewed: Number, t: Number, rng: np.random.Generator) -> Array:
    """One draw a customer of the renewals among the next t."""
    a, b, c, renewed, t = _arrays(*params, renewed, t)
    seen = np.exp(np.minimum(_log_power(c, renewed), _CAP))
    until = _periods(seen + hazard_until_leaving(rng.beta(a, b + seen), rng), c)
    return np.clip(until - renewed, 0, t)


def _arrays(*values: Number) -> tuple[Array, ...]:
    return tuple(np.broadcast_arrays(*(np.asarray(v, dtype=float) for v in values)))


def _periods(hazard: Array, c: Array) -> Array:
    """Whole periods survived, t with t^c <= hazard."""
    with np.errstate(divide="ignore"):
        return np.floor(np.exp(np.minimum(np.log(hazard) / c, _CAP)))


def _log_power(c: Array, t: Array) -> Array:
    """log(t^c), at t = 0 as good as minus infinity."""
    return np.where(t > 0, c * np.log(np.maximum(t, 1)), _NEVER)


def _log_renewal(a: Array, b: Array, c: Array, renewed: Array) -> Array:
    """Log of the chance to renew once more."""
    return _log_ratio(a, b, c, renewed, np.ones(renewed.shape))


def _log_ratio(a: Array, b: Array, c: Array, n: Array, t: Array) -> Array:
    """Log P(T > n + t | T > n)."""
    seen, gained, beyond = _powers(c, n, t)
    return np.asarray(log_remaining(a, b + seen, gained) - a * beyond)


def _log_ratio_gradient(a: Array, b: Array, c: Array, n: Array, t: Array) -> Array:
    """Its derivatives with respect to the logs of alpha, beta and c."""
    seen, gained, beyond = _powers(c, n, t)
    both = digamma_step(a + b + seen, gained)
    by_a = -a * (both + beyond)
    by_b = b * (digamma_step(b + seen, gained) - both)
    before = digamma_step(b + seen, a) * seen * _log_power(c, n)
    after = digamma_step(b + seen + gained, a) * (seen + gained) * _log_power(c, n + t)
    return np.stack([by_a, by_b, before - after])


def _powers(c: Array, n: Array, t: Array) -> tuple[Array, Array, Array]:
    """n^c, (n + t)^c - n^c to the last digit, both cut at e^300, and the log of what (n + t)^c grows beyond the cut."""
    before, after = _log_power(c, n), _log_power(c, n + t)
    beyond = np.maximum(after - _CAP, 0) - np.maximum(before - _CAP, 0)
    after = np.minimum(after, _CAP)
    # The difference of the two logs would lose digits where t is small against n.
    close = (n > 0) & (after < _CAP)
    fall = np.where(close, c * np.log1p(-t / np.maximum(n + t, t + 1)), np.minimum(before, _CAP) - after)
    return np.exp(np.minimum(before, _CAP)), np.exp(after) * -np.expm1(fall), beyond
