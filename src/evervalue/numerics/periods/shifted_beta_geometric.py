"""Shifted beta-geometric: contracts renewed period by period, each customer with a chance to leave of their own.

Fader and Hardie (2007), "How to project customer retention". At the end of every period a customer leaves with
probability theta, the same at each renewal; over customers theta is Beta(alpha, beta). So the share that renews rises
with tenure although nobody changes: those prone to leave go first. A contract that ended at the end of its t-th
period has T = t (t = 1, 2, ...); one renewed n times so far has T > n.

`periods` is t where `churned`, else n. Who was first seen after some renewals (`entered`) is told by what came after
them: those who left before are not in the data. Everything rests on the ratios in `beta_geometric`.
"""

from __future__ import annotations

import numpy as np

from evervalue.numerics.arrays import Array, Number, Params
from evervalue.numerics.periods.beta_geometric import (
    digamma_step,
    hazard_until_leaving,
    log_remaining,
    periods_kept,
    periods_to_come,
)
from evervalue.numerics.periods.simulated_contracts import SimulatedContracts

NAMES = ("alpha", "beta")


def log_likelihood(params: Params, periods: Number, churned: Number, entered: Number = 0.0) -> Array:
    """Log of P(T = periods | T > entered) where `churned`, else of P(T > periods | T > entered).

    Source: Fader and Hardie (2007), equations 5 and 6; of who has renewed, theta is Beta(alpha, beta + entered).
    Domain: positive parameters; whole numbers, periods - churned >= entered >= 0 (periods = entered tells nothing).

    Examples
    --------
    >>> np.exp(log_likelihood((1.0, 1.0), np.array([1, 2, 2]), np.array([True, True, False]))).round(6)
    array([0.5     , 0.166667, 0.333333])
    """
    a, b, periods, churned, entered = _arrays(*params, periods, churned, entered)
    renewed = periods - churned
    leaves = np.log(a / (a + b + renewed))
    return log_remaining(a, b + entered, renewed - entered) + np.where(churned > 0, leaves, 0.0)


def log_likelihood_gradient(
    params: Params, periods: Number, churned: Number, entered: Number = 0.0
) -> tuple[Array, Array]:
    """Log-likelihoods (n,), and their derivatives with respect to the LOG of each parameter (2, n)."""
    a, b, periods, churned, entered = _arrays(*params, periods, churned, entered)
    renewed = periods - churned
    both = digamma_step(a + b + entered, renewed - entered)
    at_risk = a + b + renewed
    by_a = churned * ((b + renewed) / at_risk) - a * both
    by_b = b * (digamma_step(b + entered, renewed - entered) - both) - churned * (b / at_risk)
    return log_likelihood(params, periods, churned, entered), np.stack([by_a, by_b])


def churn_probability(params: Params, t: Number) -> Array:
    """P(T = t) of a new customer, t = 1, 2, ...

    Source: Fader and Hardie (2007), equation 5.
    """
    return np.asarray(np.exp(log_likelihood(params, t, 1.0)))


def survival(params: Params, t: Number, renewed: Number = 0.0) -> Array:
    """P(T > renewed + t | T > renewed): that a customer who renewed so often will renew t times more.

    Source: Fader and Hardie (2007), equation 6; conditional on renewals, theta is Beta(alpha, beta + renewed).

    Examples
    --------
    >>> survival((0.668, 3.806), np.array([1, 7, 12])).round(3)
    array([0.851, 0.489, 0.378])
    """
    a, b = params
    return np.asarray(np.exp(log_remaining(a, np.add(b, renewed), t)))


def retention_rate(params: Params, t: Number) -> Array:
    """Share of those in their t-th period who renew at its end, t = 1, 2, ...

    Source: Fader and Hardie (2007), equation 8.
    """
    a, b, t = _arrays(*params, t)
    return np.asarray((b + t - 1) / (a + b + t - 1))


def expected_lifetime(params: Params, t: Number = np.inf, delta: Number = 0.0) -> Array:
    """Expected periods of a new customer among the first t, the first one counted; period i weighted by e^(-delta i).

    i runs from 0. Without discount and horizon it is the mean of T: (alpha + beta - 1) / (alpha - 1), and infinite
    where alpha <= 1.

    Examples
    --------
    >>> float(expected_lifetime((2.0, 3.0))), float(expected_lifetime((0.7, 1.2)))
    (4.0, inf)
    """
    a, b = params
    later = periods_to_come(a, b, np.maximum(np.subtract(t, 1), 0), delta)
    return np.where(np.asarray(t) > 0, 1 + later, 0.0)


def residual_lifetime(params: Params, renewed: Number, t: Number = np.inf, delta: Number = 0.0) -> Array:
    """Expected periods among the next t, of a customer just before the next renewal; period i weighted by e^(-delta i).

    The first of them, i = 0, begins now if the customer renews. Discounted and without end it is the discounted
    expected residual lifetime, DERL.
    Source: Fader and Hardie (2010), "Customer-base valuation in a contractual setting: the perils of ignoring
    heterogeneity", equation 6, there for n - 1 = `renewed` renewals and delta = log(1 + d).

    Examples
    --------
    >>> residual_lifetime((3.80, 15.20), np.arange(5), delta=np.log(1.1)).round(2)
    array([3.31, 3.45, 3.59, 3.72, 3.84])
    """
    a, b = params
    return np.asarray(np.exp(delta) * periods_to_come(a, np.add(b, renewed), t, delta))


def simulate(params: Params, periods: Number, rng: np.random.Generator) -> SimulatedContracts:
    """Contracts of new customers, watched for some periods each, one an element of `periods`."""
    a, b, periods = _arrays(*params, periods)
    lifetime = np.floor(hazard_until_leaving(rng.beta(a, b), rng)) + 1
    return SimulatedContracts(np.minimum(lifetime, periods), lifetime <= periods, lifetime)


def sample_periods(params: Params, renewed: Number, t: Number, rng: np.random.Generator) -> Array:
    """One draw a customer of the renewals among the next t."""
    a, b, renewed, t = _arrays(*params, renewed, t)
    return periods_kept(rng.beta(a, b + renewed), t, rng)


def _arrays(*values: Number) -> tuple[Array, ...]:
    return tuple(np.broadcast_arrays(*(np.asarray(v, dtype=float) for v in values)))
