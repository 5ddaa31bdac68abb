"""BG/BB: customers who may buy at countable opportunities, and who leave for good at an unseen one.

Fader, Hardie and Shang (2010), "Customer-base analysis in a discrete-time noncontractual setting". At the beginning
of every opportunity a customer leaves with probability theta; one who is still there buys with probability p. Over
customers p is Beta(alpha, beta) and theta is Beta(gamma, delta), independent. After the first purchase, which is not
counted, a customer had n opportunities, bought at x of them, the last of them being the t_x-th.

Nothing is subtracted: the likelihood and the law of future purchases are sums of positive terms, built up by
recursion over opportunities, and an active customer is a new one with the parameters (alpha + x, beta + n - x, gamma,
delta + n). Time is the opportunity: t is a whole number of them. The argument `delta` of discounted expectations is,
as in every purchase model, the continuous discount rate (log(1 + d) for a discount d an opportunity), no parameter.
"""

from __future__ import annotations

import numpy as np

from evervalue.numerics.arrays import Array, Number, Params
from evervalue.numerics.periods.beta_geometric import (
    digamma_step,
    log_remaining,
    periods_kept,
    periods_to_come,
)
from evervalue.numerics.purchases.simulated import Simulated

NAMES = ("alpha", "beta", "gamma", "delta")
TIME_NAMES: tuple[str, ...] = ()
COVARIATES: dict[str, dict[str, int]] = {}


def log_likelihood(params: Params, x: Number, t_x: Number, n: Number) -> Array:
    """Log of the probability of each history: of one sequence of purchases and silences that has its x and t_x.

    Source: Fader, Hardie and Shang (2010), the likelihood function of their section on the model.
    Domain: positive parameters; whole numbers 0 <= x <= t_x <= n, t_x = 0 exactly where x = 0.

    Examples
    --------
    >>> float(np.exp(log_likelihood((1.2, 0.75, 0.66, 2.78), 3, 4, 6)).round(6))
    0.00634
    """
    a, b, g, d, x, t_x, n = _arrays(params, x, t_x, n)
    still, gone = _silence(a, b, g, d, x, t_x, n)
    return np.asarray(_log_until_last(a, b, g, d, x, t_x) + np.log(still + gone))


def log_likelihood_gradient(params: Params, x: Number, t_x: Number, n: Number) -> tuple[Array, Array]:
    """Log-likelihoods (n,), and their derivatives with respect to the LOG of each parameter (4, n)."""
    a, b, g, d, x, t_x, n = _arrays(params, x, t_x, n)
    ab, gd = a + b + t_x, g + d + t_x
    still = np.ones(a.shape)
    total = np.zeros(a.shape)
    # Slopes of log(still) by alpha + beta, beta, gamma + delta and delta, and their sums weighted by the terms.
    slopes, sums = np.zeros((4, *a.shape)), np.zeros((4, *a.shape))
    for i in range(int(np.max(n - t_x, initial=0))):
        more = i < n - t_x
        leaves = np.where(more, still * (g / (gd + i)), 0.0)
        total += leaves
        sums += leaves * slopes
        sums[2] -= leaves / (gd + i)
        steps = np.stack([-1 / (ab + i), 1 / (b + t_x - x + i), -1 / (gd + i), 1 / (d + t_x + i)])
        slopes = slopes + np.where(more, steps, 0.0)
        still = np.where(
            more, still * (_no_purchase(b, t_x - x + i, a + x) * ((d + t_x + i) / (gd + i))), still
        )
    sums += still * slopes
    inner = total + still
    sums /= inner
    both, last = digamma_step(a + b, t_x), digamma_step(g + d, t_x)
    gradient = np.stack(
        [
            a * (digamma_step(a, x) - both + sums[0]),
            b * (digamma_step(b, t_x - x) - both + sums[0] + sums[1]),
            g * (sums[2] - last) + total / inner,
            d * (digamma_step(d, t_x) - last + sums[2] + sums[3]),
        ]
    )
    return _log_until_last(a, b, g, d, x, t_x) + np.log(inner), gradient


def p_alive(params: Params, x: Number, t_x: Number, n: Number, ahead: Number = 1) -> Array:
    """Probability that the customer is there at opportunity n + `ahead`.

    Source: Fader, Hardie and Shang (2010), equation 11. By default the paper's, and BTYD's, "alive at n + 1": a
    customer who bought at n may still leave before n + 1. With `ahead` 0 it is the probability not to have left
    by n, which is 1 where t_x = n.

    Examples
    --------
    >>> p_alive((1.204, 0.750, 0.657, 2.783), np.array([0, 2, 6]), np.array([0, 4, 6]), 6).round(2)
    array([0.11, 0.59, 0.93])
    """
    *_, g, d, x, t_x, n = _arrays(params, x, t_x, n)
    return np.asarray(_active(params, x, t_x, n) * np.exp(log_remaining(g, d + n, ahead)))


def expected_orders(params: Params, t: Number) -> Array:
    """Expected purchases of a new customer at the first t opportunities; the very first purchase is not counted.

    Source: Fader, Hardie and Shang (2010), their mean of X(n) before its sum is closed: gamma = 1 is no special case,
    and t may be infinite where gamma > 1.

    Examples
    --------
    >>> expected_orders((1.20352, 0.74971, 0.65671, 2.78341), np.array([1, 6])).round(4)
    array([0.4985, 2.2202])
    """
    return new_discounted_expected_orders(params, t, 0.0)


def conditional_expected_orders(params: Params, x: Number, t_x: Number, n: Number, t: Number) -> Array:
    """Expected purchases at the t opportunities after n, given the history.

    Source: Fader, Hardie and Shang (2010), equation 13.
    """
    return discounted_expected_orders(params, x, t_x, n, t, 0.0)


def discounted_expected_orders(
    params: Params, x: Number, t_x: Number, n: Number, t: Number, delta: Number
) -> Array:
    """The same, a purchase at n + i weighted by e^(-delta i); with t infinite, the residual transactions DERT.

    Source: Fader, Hardie and Shang (2010), equation 14.

    Examples
    --------
    >>> float(discounted_expected_orders((1.20, 0.75, 0.66, 2.78), 3, 4, 6, np.inf, np.log(1.1)).round(6))
    1.621379
    """
    return np.asarray(
        _active(params, x, t_x, n) * new_discounted_expected_orders(_later(params, x, n), t, delta)
    )


def new_discounted_expected_orders(params: Params, t: Number, delta: Number) -> Array:
    """The same for a new customer; the very first purchase is not counted."""
    a, b, g, d = params
    return np.asarray(np.divide(a, np.add(a, b)) * periods_to_come(g, d, t, delta))


def pmf(params: Params, t: Number, n_max: int) -> Array:
    """P(X(t) = k) of a new customer, k = 0..n_max on the last axis; 0 where k > t.

    Source: Fader, Hardie and Shang (2010), equation 7, its beta-binomial terms by Pólya's urn: after s opportunities
    with k purchases the next one brings another with probability (alpha + k) / (alpha + beta + s).
    """
    a, b, g, d, t = (v[..., None] for v in np.broadcast_arrays(*(np.asarray(v, float) for v in (*params, t))))
    k = np.arange(n_max + 1.0)
    urn = np.zeros((*a.shape[:-1], n_max + 1))
    urn[..., 0] = 1
    stays, law = np.ones(a.shape), np.zeros(urn.shape)
    last = np.floor(t)
    for s in range(int(last.max(initial=0)) + 1):
        leaves = stays * (g / (g + d + s))
        law += np.where(s < last, leaves, np.where(s == last, stays, 0.0)) * urn
        more = urn * ((a + k) / (a + b + s))
        urn = urn * (np.maximum(b + s - k, 0.0) / (a + b + s))
        urn[..., 1:] += more[..., :-1]
        stays = stays * ((d + s) / (g + d + s))
    return law


def conditional_pmf(params: Params, x: Number, t_x: Number, n: Number, t: Number, n_max: int) -> Array:
    """P(X(n, n + t) = k) given the history, k = 0..n_max on the last axis.

    One who is active is a new customer at later parameters; one who has left buys nothing.
    """
    active = _active(params, x, t_x, n)[..., None]
    law = active * pmf(_later(params, x, n), t, n_max)
    law[..., 0] += (1 - active)[..., 0]
    return np.asarray(law)


def simulate(params: Params, n: Number, rng: np.random.Generator, horizon: float = 0.0) -> Simulated:
    """Histories of new customers over n opportunities, one an element of n, with their purchases at the next `horizon`.

    `alive` is whether the customer is there at n + 1, as `p_alive` has it.
    """
    a, b, g, d, n = (np.array(v) for v in np.broadcast_arrays(*(np.asarray(v, float) for v in (*params, n))))
    p = rng.beta(a, b)
    life = periods_kept(rng.beta(g, d), n + horizon + 1, rng)
    there = np.minimum(life, n)
    # Backwards from the last opportunity there: silent ones until a purchase; before it, purchases at random.
    t_x = there - periods_kept(p, there, rng)
    x = np.where(t_x > 0, 1 + rng.binomial(np.maximum(t_x - 1, 0).astype(int), p), 0)
    future = rng.binomial((np.minimum(life, n + horizon) - there).astype(int), p)
    return Simulated(x=x.astype(float), t_x=t_x, T=n, future=future.astype(float), alive=life > n)


def sample_orders(
    params: Params, x: Number, t_x: Number, n: Number, t: Number, rng: np.random.Generator
) -> Array:
    """One draw of the purchases at the t opportunities after n, of each history: from its law given the parameters."""
    later = np.broadcast_arrays(*(np.asarray(v, float) for v in (*_later(params, x, n), t)))
    a, b, g, d, t = later
    active = rng.random(a.shape) < _active(params, x, t_x, n)
    there = periods_kept(rng.beta(g, d), t, rng)
    return np.where(active, rng.binomial(there.astype(int), rng.beta(a, b)), 0).astype(float)


def _arrays(params: Params, x: Number, t_x: Number, n: Number) -> tuple[Array, ...]:
    return tuple(np.broadcast_arrays(*(np.asarray(v, dtype=float) for v in (*params, x, t_x, n))))


def _log_until_last(a: Array, b: Array, g: Array, d: Array, x: Array, t_x: Array) -> Array:
    """Log of the chance to be there at t_x and to have bought just so until then."""
    bought = log_remaining(b, a, x) + log_remaining(a + x, b, t_x - x)
    return bought + log_remaining(g, d, t_x)


def _silence(a: Array, b: Array, g: Array, d: Array, x: Array, t_x: Array, n: Array) -> tuple[Array, Array]:
    """Chances that a customer who bought at t_x is silent until n being still there, and being gone."""
    still, gone = np.ones(a.shape), np.zeros(a.shape)
    for i in range(int(np.max(n - t_x, initial=0))):
        more = i < n - t_x
        leaving = g + d + t_x + i
        gone += np.where(more, still * (g / leaving), 0.0)
        stays = _no_purchase(b, t_x - x + i, a + x) * ((d + t_x + i) / leaving)
        still = np.where(more, still * stays, still)
    return still, gone


def _no_purchase(b: Array, silent: Array, bought: Array) -> Array:
    """Chance not to buy, of a customer there: `silent` opportunities so far, `bought` = alpha + purchases."""
    return (b + silent) / (bought + b + silent)


def _active(params: Params, x: Number, t_x: Number, n: Number) -> Array:
    """Probability not to have left by n, given the history."""
    still, gone = _silence(*_arrays(params, x, t_x, n))
    return np.asarray(still / (still + gone))


def _later(params: Params, x: Number, n: Number) -> tuple[Number, ...]:
    """Parameters of a customer who is active at n: conjugate to purchases, silences and renewals seen."""
    a, b, g, d = params
    return np.add(a, x), np.add(b, np.subtract(n, x)), g, np.add(d, n)
