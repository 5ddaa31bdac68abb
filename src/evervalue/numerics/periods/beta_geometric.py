"""Lifetimes counted in periods, each customer leaving with a probability of their own, beta-distributed over customers.

theta ~ Beta(alpha, beta) is the chance to leave at the end of a period; after s periods E[(1 - theta)^s] =
B(alpha, beta + s) / B(alpha, beta) of the customers remain. BG/BB, the shifted-beta-geometric and the
beta-discrete-Weibull model all rest on this ratio, its sums and its discounted sums. Everything here is a sum of
positive terms, so that no digit is lost however far apart the parameters lie.
"""

from __future__ import annotations

import numpy as np

from evervalue.numerics.arrays import Array, Number

_FAR = 16.0  # from here on the series below are exact to 1e-15
_AGREE = 1e-14  # relative distance at which two enclosing approximants are one
# Powers of 1 / z in Stirling's series, with their coefficients; and in minus the series of digamma.
_LOG_GAMMA = ((1, 1 / 12), (3, -1 / 360), (5, 1 / 1260), (7, -1 / 1680), (9, 1 / 1188))
_DIGAMMA = ((1, 1 / 2), (2, 1 / 12), (4, -1 / 120), (6, 1 / 252), (8, -1 / 240), (10, 1 / 132))


def log_remaining(alpha: Number, beta: Number, s: Number) -> Array:
    """Log of E[(1 - theta)^s] = B(alpha, beta + s) / B(alpha, beta): the share still there after s periods.

    The four log-gammas cancel almost wholly where s or alpha is small against beta; here their second difference is
    taken term by term, after gamma's recurrence has carried beta beyond 16 and Stirling's series (Abramowitz and
    Stegun 1964, equation 6.1.41) holds. Exact in relative terms.
    Domain: alpha, beta > 0; s >= 0, not necessarily whole.

    Examples
    --------
    >>> float(np.exp(log_remaining(1.0, 1.0, 3.0)).round(12)), float(log_remaining(2.0, 5.0, 0.0)) == 0
    (0.25, True)
    """
    alpha, beta, s = np.broadcast_arrays(*(np.asarray(v, dtype=float) for v in (alpha, beta, s)))
    near = np.zeros(beta.shape)
    while np.any(below := beta < _FAR):
        step = alpha / beta * (s / (alpha + beta + s))
        near = near + np.where(below, np.log1p(step), 0.0)
        beta = beta + below
    # Logs of beta / (beta + alpha), of beta / (beta + s), and of what their product lacks to beta / (beta + alpha + s).
    cross = alpha / (beta + alpha) * (s / (beta + s))
    by_alpha, by_s, by_both = -np.log1p(alpha / beta), -np.log1p(s / beta), np.log1p(-cross)
    far = (beta - 0.5) * by_both + alpha * np.log1p(s / (beta + alpha)) + s * np.log1p(alpha / (beta + s))
    for k, c in _LOG_GAMMA:
        joint = np.expm1(k * by_alpha) * np.expm1(k * by_s)
        far = far + c * (joint + np.exp(k * (by_alpha + by_s)) * np.expm1(-k * by_both)) * beta**-k
    return np.asarray(-(near + far))


def digamma_step(z: Number, s: Number) -> Array:
    """psi(z + s) - psi(z), exact in relative terms; z > 0, s >= 0.

    Derivatives of `log_remaining`: by s it is -digamma_step(beta + s, alpha), by alpha
    -digamma_step(alpha + beta, s), by beta digamma_step(beta, s) - digamma_step(alpha + beta, s).

    Examples
    --------
    >>> float(digamma_step(2.0, 2.0).round(12)), float(digamma_step(1e5, 1e-6) * 1e11)
    (0.833333333333, 1.00000500...)
    """
    z, s = np.broadcast_arrays(np.asarray(z, dtype=float), np.asarray(s, dtype=float))
    near = np.zeros(z.shape)
    while np.any(below := z < _FAR):
        near = near + np.where(below, s / (z + s) / z, 0.0)
        z = z + below
    far = np.log1p(s / z)
    closer = far
    for k, c in _DIGAMMA:
        far = far - c * z**-k * np.expm1(-k * closer)
    return near + far


def periods_to_come(alpha: Number, beta: Number, t: Number, delta: Number = 0.0) -> Array:
    """Expected periods that a customer will still complete, sum over i = 1..t of e^(-delta i) E[(1 - theta)^i].

    Parameters
    ----------
    alpha, beta
        Distribution of the chance to leave, over customers like this one.
    t
        Horizon in periods, a whole number or infinity.
    delta
        Discount rate a period, continuous; for a discount d a period, log(1 + d).

    Returns
    -------
    Array
        Infinite where the horizon is, nothing is discounted, and alpha <= 1: a few then stay for ever.
    """
    alpha, beta, t, delta = np.broadcast_arrays(
        *(np.asarray(v, dtype=float) for v in (alpha, beta, t, delta))
    )
    finite = np.isfinite(t)
    last = np.where(finite, np.floor(np.where(finite, t, 0.0)), 0.0)
    total, stays = np.zeros(alpha.shape), np.ones(alpha.shape)
    discount = np.exp(-delta)
    for i in range(int(last.max(initial=0.0))):
        stays = stays * discount * ((beta + i) / (alpha + beta + i))
        total += np.where(i < last, stays, 0.0)
    return total if finite.all() else np.where(finite, total, _for_ever(alpha, beta, delta))


def _for_ever(alpha: Array, beta: Array, delta: Array) -> Array:
    """E[(1 - theta) / (d + theta)], with d the discount a period: the sum above without an end.

    Stieltjes' continued fraction of the mean of 1 / (d + theta) over Beta(alpha, beta + 1), which is Gauss's fraction
    of 2F1(1, alpha; alpha + beta + 1; -1/d) (Wall 1948, equation 89.16). All its coefficients are positive, so that
    consecutive approximants enclose the value; the loop ends when they agree. It takes about 18 / sqrt(d) turns.
    """
    d = np.expm1(delta)
    with np.errstate(divide="ignore"):
        undiscounted = np.where(alpha > 1, beta / np.where(alpha > 1, alpha - 1, 1.0), np.inf)
        x = np.where(d > 0, 1 / np.where(d > 0, d, 1.0), 0.0)
    c = alpha + beta + 1
    # Numerators and denominators of two consecutive approximants, over the newer denominator.
    before, now, scale = np.zeros(c.shape), np.ones(c.shape), np.ones(c.shape)
    k = 0
    while True:
        even = (alpha + k) * (c - 1 + k) / ((c - 1 + 2 * k) * (c + 2 * k))
        odd = (k + 1) * (c - alpha + k) / ((c + 2 * k) * (c + 2 * k + 1))
        for e in (even, odd):
            weight = e * x * scale
            before, now = now, (now + weight * before) / (1 + weight)
            scale = 1 / (1 + weight)
        k += 1
        if np.all(np.abs(now - before) <= _AGREE * now):
            break
    return np.where(d > 0, x * now * (beta / (alpha + beta)), undiscounted)


def periods_kept(theta: Array, most: Number, rng: np.random.Generator) -> Array:
    """Draws of the whole periods until someone leaves who does so with chance theta a period, cut at `most`.

    theta may be 0 or 1, as draws from a beta distribution with small parameters are.
    """
    return np.minimum(np.floor(hazard_until_leaving(theta, rng)), most)


def hazard_until_leaving(theta: Array, rng: np.random.Generator) -> Array:
    """Draws E of the exponent at which (1 - theta)^E has fallen to a uniform draw; infinite where theta is 0."""
    with np.errstate(divide="ignore", over="ignore"):
        return np.asarray(rng.standard_exponential(theta.shape) / -np.log1p(-theta))
