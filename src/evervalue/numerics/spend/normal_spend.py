"""Hierarchical normal spend (normal-inverse-gamma): amounts of any sign, a mean and a spread of each customer's own.

The amounts of a customer are Normal(theta, sigma^2); over customers sigma^2 is InverseGamma(shape, scale), and theta
given sigma^2 is Normal(m0, sigma^2 / kappa). It is the conjugate model of DeGroot (1970), "Optimal statistical
decisions", section 9.6, with its four parameters estimated from all customers at once (empirical Bayes). kappa says
how many purchases the population's word is worth; m0 is in the unit of money, scale in its square.

Data of a customer: the number x of purchases, their mean m, and `squares`, the sum of their squared distances from m.
Where only the mean is known `squares` is None: the mean then counts as one normal observation of variance sigma^2 / x,
and every result is exact for what is known.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evervalue.numerics.arrays import Array, Number, Params
from evervalue.numerics.estimation.log_gamma_draw import log_gamma_draw
from evervalue.numerics.functions.counts import by_count
from evervalue.numerics.functions.rising import log_rising
from evervalue.numerics.functions.stirling import digamma_rest
from evervalue.numerics.spend.simulated_spend import SimulatedSpend
from evervalue.numerics.spend.student_t import t_cdf, t_quantile

NAMES = ("m0", "kappa", "shape", "scale")
LOG_NAMES = ("kappa", "shape", "scale")
"""Those above zero, which are estimated by their logs; m0 is free."""
MONEY_POWERS = {"m0": 1, "scale": 2}

_LOG_TWO_PI = np.log(2 * np.pi)
_LARGEST = np.finfo(float).max
_LOG_HUGE = 300.0  # of a standard deviation; with any finite factor it stays a number


def log_likelihood(params: Params, x: Number, m: Number, squares: Number | None = None) -> Array:
    """Log of the density of each customer's amounts, or of their mean where `squares` is None; 0 where x = 0.

    Source: DeGroot (1970), section 9.6, integrated over theta and sigma^2:
    Gamma(a_x) / Gamma(a) * scale^a / b_x^a_x * sqrt(kappa / (kappa + x)) / (2 pi)^h, with a_x = a + h and b_x as in
    `posterior`; h is x / 2 for the amounts, and 1 / 2 for their mean, whose density has a factor sqrt(x) besides.
    Domain: kappa, shape, scale > 0; x >= 0; squares >= 0, and 0 where x = 1.

    Examples
    --------
    >>> float(log_likelihood((10.0, 0.5, 3.0, 80.0), 3, -2.0, 14.0).round(6))
    -10.285731
    """
    data = _Observed(params, x, m, squares)
    (of_count,) = by_count(lambda x: np.stack([_counted(params, x, data.alone)]), data.x, params[1:])
    return data.value(of_count)


def log_likelihood_gradient(
    params: Params, x: Number, m: Number, squares: Number | None = None
) -> tuple[Array, Array]:
    """Log-likelihoods, and their derivatives by m0 itself and by the LOGS of kappa, shape and scale, one row each."""
    data = _Observed(params, x, m, squares)
    _, kappa, shape, scale = params

    def of_counts(x: Array) -> Array:
        rise = _digamma_rise(shape, _half(x, data.alone))
        return np.stack(np.broadcast_arrays(_counted(params, x, data.alone), rise))

    of_count, rise = by_count(of_counts, data.x, params[1:])
    value = data.value(of_count)
    left = 1 / (1 + data.excess)
    by_m0 = (shape + data.half) * left * kappa * data.share * data.distance / scale
    by_kappa = 0.5 * data.share * (1 - by_m0 * data.distance)
    by_shape = shape * (rise - np.log1p(data.excess))
    by_scale = (shape * data.excess - data.half) * left
    return value, np.stack([data.where(d) for d in (by_m0, by_kappa, by_shape, by_scale)])


class _Observed:
    """What likelihood and gradient share; customers without a purchase are given one at m0 and masked."""

    def __init__(self, params: Params, x: Number, m: Number, squares: Number | None) -> None:
        m0, kappa, self.shape, scale = (np.asarray(value, dtype=float) for value in params)
        x, m = np.asarray(x, dtype=float), np.asarray(m, dtype=float)
        self.alone = squares is None
        self.none = x <= 0
        self.x = np.where(self.none, 1.0, x)
        self.distance = np.where(self.none, 0.0, m - m0)
        self.share = self.x / (kappa + self.x)
        """Weight of the customer's own mean against m0."""
        within = np.where(self.none, 0.0, 0.0 if squares is None else squares)
        self.excess = 0.5 * (within + kappa * self.share * self.distance * self.distance) / scale
        """b_x / scale - 1."""
        self.half = _half(self.x, self.alone)

    def value(self, of_count: Array) -> Array:
        return self.where(of_count - (self.shape + self.half) * np.log1p(self.excess))

    def where(self, values: Array) -> Array:
        """The values, and 0 for customers without a purchase."""
        whole: Array = np.where(self.none, 0.0, values)
        return whole


def _half(x: Array, alone: bool) -> Array:
    """What the data add to the shape: half for every number that is observed."""
    return np.full_like(x, 0.5) if alone else 0.5 * x


def _counted(params: Params, x: Array, alone: bool) -> Array:
    """The part of the log-density that depends on the count alone."""
    _, kappa, shape, scale = params
    half = _half(x, alone)
    constant = log_rising(shape, half) - half * (_LOG_TWO_PI + np.log(scale))
    whole: Array = constant + 0.5 * np.log(kappa / (kappa + x)) + (0.5 * np.log(x) if alone else 0.0)
    return whole


def _digamma_rise(shape: Number, half: Array) -> Array:
    """digamma(shape + half) - digamma(shape), its digits kept where shape is large."""
    end = shape + half
    rest = digamma_rest(shape) - digamma_rest(end)
    rise: Array = np.log1p(half / shape) + 0.5 * (1 / np.asarray(shape) - 1 / end) + rest
    return rise


def posterior(
    params: Params, x: Number, m: Number, squares: Number | None = None
) -> tuple[Array, Array, Array, Array]:
    """Parameters of the customer's own normal-inverse-gamma given the data, in the order of NAMES.

    Source: DeGroot (1970), section 9.6. m0 moves to (kappa m0 + x m) / (kappa + x), kappa to kappa + x, the shape by
    half of how many numbers are known, the scale by half of `squares` and half of kappa x (m - m0)^2 / (kappa + x).
    """
    m0, kappa, shape, scale = (np.asarray(value, dtype=float) for value in params)
    data = _Observed(params, x, m, squares)
    x = np.asarray(x, dtype=float)
    share = np.where(data.none, 0.0, data.share)
    return (
        np.asarray(m0 + share * data.distance),
        np.asarray(kappa + np.maximum(x, 0.0)),
        np.asarray(shape + data.where(data.half)),
        np.asarray(scale * (1 + data.excess)),
    )


def expected_order_value(params: Params) -> Array:
    """Mean spend a purchase over all customers: m0 (no mean exists where shape <= 1/2; m0 is the median then)."""
    return np.asarray(params[0], dtype=float)


def conditional_expected_order_value(
    params: Params, x: Number, m: Number, squares: Number | None = None
) -> Array:
    """Expected mean spend of a customer given x purchases of mean m: (kappa m0 + x m) / (kappa + x).

    `squares` moves how sure this is, not the mean itself.

    Examples
    --------
    >>> conditional_expected_order_value((10.0, 0.5, 3.0, 80.0), np.array([0, 2]), np.array([0.0, -5.0]))
    array([10., -2.])
    """
    del squares
    m0, kappa, _, _ = params
    x = np.asarray(x, dtype=float)
    mean: Array = m0 + x / (kappa + x) * np.where(x > 0, np.subtract(m, m0), 0.0)
    return mean


def sum_cdf(
    params: Params, n: Number, x: Number, m: Number, y: Number, squares: Number | None = None
) -> Array:
    """P(the next n purchases together bring at most y), given the data of the customer.

    The sum is Student's t of 2 a_x degrees of freedom about n m_x, in units of `_sum_law`. n = 0 brings exactly 0.
    """
    middle, unit, shape, some = _sum_law(params, n, x, m, squares)
    y = np.asarray(y, dtype=float)
    with np.errstate(over="ignore"):
        inside = t_cdf((y - middle) / unit, 2 * shape)
    cdf: Array = np.where(some, inside, y >= 0)
    return cdf


def sum_quantile(
    params: Params, n: Number, x: Number, m: Number, probability: Number, squares: Number | None = None
) -> Array:
    """The sum that the next n purchases stay below with the given probability; inverse of `sum_cdf`.

    Limits: a quantile beyond the largest double is the largest double, with its sign.
    """
    middle, unit, shape, some = _sum_law(params, n, x, m, squares)
    z = t_quantile(probability, 2 * shape)
    with np.errstate(over="ignore"):
        y = np.where(np.abs(z) < _LARGEST, np.clip(middle + unit * z, -_LARGEST, _LARGEST), z)
    quantile: Array = np.where(some, y, 0.0)
    return quantile


def sum_mean(params: Params, n: Number, x: Number, m: Number, squares: Number | None = None) -> Array:
    """Mean of the sum of the next n purchases: n times `conditional_expected_order_value`."""
    return np.multiply(n, conditional_expected_order_value(params, x, m, squares))


def sum_variance(params: Params, n: Number, x: Number, m: Number, squares: Number | None = None) -> Array:
    """Variance of the sum of the next n purchases: b_x / (a_x - 1) (n + n^2 / kappa_x); infinite where a_x <= 1."""
    _, unit, shape, some = _sum_law(params, n, x, m, squares)
    known = shape > 1
    variance = unit * unit * (shape / np.where(known, shape - 1, 1.0))
    whole: Array = np.where(some, np.where(known, variance, np.inf), 0.0)
    return whole


def _sum_law(
    params: Params, n: Number, x: Number, m: Number, squares: Number | None
) -> tuple[Array, Array, Array, NDArray[np.bool_]]:
    """Middle and unit of the t that the sum of n follows, a_x, and where n is above zero.

    Given theta and sigma^2 the sum is Normal(n theta, n sigma^2); theta adds n^2 sigma^2 / kappa_x, and sigma^2 over
    its inverse gamma makes a t of it, with unit^2 = b_x / a_x (n + n^2 / kappa_x).
    """
    middle, kappa, shape, scale = posterior(params, x, m, squares)
    n = np.asarray(n, dtype=float)
    some = n > 0
    count = np.where(some, n, 1.0)
    unit = np.sqrt(scale / shape) * np.sqrt(count + count * (count / kappa))
    return n * middle, unit, shape, some


def sample_sum(
    params: Params,
    n: Number,
    x: Number,
    m: Number,
    rng: np.random.Generator,
    squares: Number | None = None,
) -> Array:
    """One draw of the sum of the next n purchases for each element, given the data of the customer.

    Process and customer vary, parameters are as given. Limits: a draw beyond the largest double is the largest double.
    """
    middle, unit, shape, some = _sum_law(params, n, x, m, squares)
    size = np.broadcast_shapes(middle.shape, unit.shape, shape.shape)
    stretch = 0.5 * (np.log(shape) - log_gamma_draw(shape, rng, size))
    drawn = middle + rng.standard_normal(size) * unit * np.exp(np.minimum(stretch, _LOG_HUGE))
    return np.where(some, drawn, 0.0)


def simulate(params: Params, x: Number, rng: np.random.Generator, n: Number = 0.0) -> SimulatedSpend:
    """Customers with x purchases each, drawn from the model, and the sum of n further purchases of theirs."""
    m0, kappa, shape, scale = params
    x, n = np.asarray(x, dtype=float), np.asarray(n, dtype=float)
    size = np.broadcast_shapes(x.shape, n.shape, *(np.shape(value) for value in params))
    spread = np.exp(np.minimum(0.5 * (np.log(scale) - log_gamma_draw(shape, rng, size)), _LOG_HUGE))
    theta = m0 + spread * rng.standard_normal(size) / np.sqrt(kappa)
    noise = spread * rng.standard_normal(size) / np.sqrt(np.maximum(x, 1.0))
    several = x > 1
    with np.errstate(over="ignore"):
        squares = spread * spread * 2 * rng.standard_gamma(np.where(several, 0.5 * (x - 1), 1.0), size)
    return SimulatedSpend(
        x=np.broadcast_to(x, size),
        mean=np.where(x > 0, theta + noise, 0.0),
        squares=np.where(several, np.minimum(squares, _LARGEST), 0.0),
        true_mean=theta,
        future=n * theta + np.sqrt(n) * spread * rng.standard_normal(size),
    )
