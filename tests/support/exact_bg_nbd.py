"""BG/NBD and its relatives in arbitrary precision: slow, sure, and by other routes than those they check.

The mean over the chance of leaving, p ~ Beta(a, b), is taken by the trapezoidal rule in y = log(p / (1 - p)), after the
chord of the integrand from p = 0 to p = 1, whose mean is known, has been taken off: what is left falls at both ends
however small a and b are. `evervalue.numerics.functions.beta_mean` uses Gaussian panels, product rules at the ends
and no chord.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import mpmath as mp
import numpy as np
from scipy.special import log_expit

from evervalue.numerics.arrays import Array


class Exact(NamedTuple):
    log_likelihood: Any
    p_alive: Any
    if_active: Any
    """Expected orders in (T, T + t] of a customer who is active at T."""


def exact(
    params: tuple[float, ...],
    x: float,
    t_x: float,
    T: float,
    t: float,
    *,
    modified: bool = False,
    digits: float = 12,
) -> Exact:
    """BG/NBD, or MBG/NBD, of one history."""
    stays = x + 1 if modified else x
    r, alpha, a, b = params
    if_active = mean_orders(r + x, t / (alpha + T), a, b + stays, digits)
    with mp.workdps(45):
        r, alpha, a, b, t_x, T = (mp.mpf(float(v)) for v in (*params, t_x, T))
        x, stays = int(x), int(stays)
        still = _log_beta(a, b + stays) - (r + x) * mp.log(alpha + T)
        left = _log_beta(a + 1, b + stays - 1) - (r + x) * mp.log(alpha + t_x) if stays else mp.ninf
        top = max(still, left)
        both = top + mp.log(mp.exp(still - top) + mp.exp(left - top))
        begin = mp.loggamma(r + x) - mp.loggamma(r) + r * mp.log(alpha) - _log_beta(a, b)
        return Exact(begin + both, mp.exp(still - both), if_active)


def exact_regular(params: tuple[float, ...], x: float, t_x: float, T: float, k: int) -> tuple[Any, Any]:
    """Log-likelihood (without the single intervals) and P(alive) of the MBG/CNBD-k, term by term."""
    with mp.workdps(60):
        r, alpha, a, b, t_x, T = (mp.mpf(float(v)) for v in (*params, t_x, T))
        x = int(x)
        still = mp.mpf(0)
        for j in range(k):
            still += (T - t_x) ** j / mp.factorial(j) * mp.exp(
                mp.loggamma(r + k * x + j) - mp.loggamma(r + k * x) - (r + k * x + j) * mp.log(alpha + T)
                + (r + k * x) * mp.log(alpha + t_x)
            )  # fmt: skip
        still *= mp.exp(_log_beta(a, b + x + 1) - _log_beta(a, b))
        left = mp.exp(_log_beta(a + 1, b + x) - _log_beta(a, b))
        begin = (
            mp.loggamma(r + k * x) - mp.loggamma(r) + r * mp.log(alpha) - (r + k * x) * mp.log(alpha + t_x)
        )
        return begin + mp.log(still + left), still / (still + left)


def mean_orders(R: float, z: float, a: float, b: float, digits: float = 12) -> Any:
    """Mean of (1 - (1 + p z)^-R) / p over p ~ Beta(a, b), to about so many digits."""
    chord = (R * z * b + (1 - (1 + z) ** -R if R * np.log1p(z) < 700 else 1.0) * a) / (a + b)
    # The chord lies above a convex function, by as many digits as have to be spent in addition. p at its mean bounds
    # the function from below.
    mean = a / (a + b)
    least = -np.expm1(-R * np.log1p(mean * z)) / mean
    spent = digits + max(0.0, np.log10(chord / least))
    logs = np.log(10) * spent
    # The rest falls like p^(a + 1) (1 - p)^(b + 1); trapezoids converge by its width and by the strip |Im y| < pi / 2.
    width = np.sqrt((a + b + 2) / ((a + 1) * (b + 1)))
    step = 0.7 * min(np.pi**2 / logs, width * np.pi * np.sqrt(2 / logs))
    mode = np.log((a + 1) / (b + 1))
    fall = logs + np.log1p((R + 1) * z) + np.log1p(b) + np.log1p(a) + 5

    def height(y: float) -> float:
        return float((a + 1) * log_expit(y) + (b + 1) * log_expit(-y))

    start = stop = mode
    stride = width
    while height(start) > height(mode) - fall:
        start, stride = start - stride, 1.5 * stride
    stride = width
    while height(stop) > height(mode) - fall:
        stop, stride = stop + stride, 1.5 * stride
    count = int(np.ceil((stop - start) / step))
    with mp.workdps(int(spent) + 9):
        R, z, a, b = (mp.mpf(float(v)) for v in (R, z, a, b))
        at_zero, at_one = R * z, -mp.expm1(-R * mp.log1p(z))
        y, step = mp.mpf(start), mp.mpf((stop - start) / count)
        odds, growth, whole, scale = mp.exp(y), mp.exp(step), mp.mpf(0), _log_beta(a, b)
        for _ in range(count + 1):
            p, q = odds / (1 + odds), 1 / (1 + odds)
            rest = -mp.expm1(-R * mp.log1p(p * z)) / p - at_zero * q - at_one * p
            whole += rest * mp.exp(a * y - (a + b) * mp.log1p(odds) - scale)
            odds, y = odds * growth, y + step
        return (at_zero * b + at_one * a) / (a + b) + whole * step


def _log_beta(a: Any, b: Any) -> Any:
    return mp.loggamma(a) + mp.loggamma(b) - mp.loggamma(a + b)


def rates(params: tuple[float, ...]) -> tuple[Array, Array, Array]:
    """Customers' order rates (on axis 1), their chances of leaving (axis 0), and how common both are together.

    Trapezoids in log rate and log odds, exact to rounding for parameters of at least 0.5.
    """
    r, alpha, a, b = params
    y, v = np.linspace(-80, 80, 3_201)[:, None], np.linspace(-80, 6, 1_721)[None, :]
    of_p = np.exp(a * log_expit(y) + b * log_expit(-y))
    of_rate = np.exp(r * v - np.exp(v))
    return np.exp(v) / alpha, np.exp(log_expit(y)), of_p * of_rate / (of_p.sum() * of_rate.sum())


class Points(NamedTuple):
    """Histories anywhere: parameters 1e-4 to 1e5, x to 5,000, silences from none to all of the age."""

    params: tuple[Array, Array, Array, Array]
    x: Array
    t_x: Array
    T: Array
    t: Array


def points(n: int, seed: int) -> Points:
    rng = np.random.default_rng(seed)

    def anywhere(low: float, high: float) -> Array:
        return np.asarray(10 ** rng.uniform(np.log10(low), np.log10(high), n))

    r, alpha, a, b = (anywhere(1e-4, 1e5) for _ in range(4))
    x = np.where(rng.random(n) < 0.2, 0.0, np.floor(anywhere(1, 5_001)))
    T, t = anywhere(1e-1, 5e3), anywhere(1e-2, 5e3)
    t_x = np.where(x > 0, T * rng.random(n) ** (1 / rng.choice([1, 3, 30, 300], n)), 0.0)
    return Points((r, alpha, a, b), x, t_x, T, t)
