"""Points far apart at which spend models are held against mpmath, and the same formulas there, as they are printed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import mpmath as mp
import numpy as np
from numpy.typing import NDArray

from evervalue.numerics.spend import gamma_gamma, normal_spend

Array = NDArray[np.float64]
SIZE = 10_000
DIGITS = 60


@dataclass(frozen=True)
class Grid:
    """Parameters and data, (SIZE,) each."""

    params: tuple[Array, ...]
    x: Array
    m: Array
    squares: Array

    def at(self, i: int) -> tuple[Any, ...]:
        """Point i in high precision: parameters, x, m, squares."""
        return tuple(mp.mpf(float(v[i])) for v in (*self.params, self.x, self.m, self.squares))


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> Array:
    return 10 ** rng.uniform(low, high, SIZE)


def gamma_gamma_grid() -> Grid:
    """Parameters 1e-4 to 1e5, x to 5,000, amounts 1e-4 to 1e8; every other point drawn from the model itself."""
    rng = np.random.default_rng(1)
    params = tuple(_log_uniform(rng, -4, 5) for _ in range(3))
    x = np.round(_log_uniform(rng, 0, np.log10(5_000)))
    m = _log_uniform(rng, -4, 8)
    own = gamma_gamma.simulate(params, x, rng).mean
    likely = (rng.random(SIZE) < 0.5) & (own > 1e-4) & (own < 1e8)
    return Grid(params, x, np.where(likely, own, m), np.zeros(SIZE))


def normal_grid() -> Grid:
    """The same with amounts of either sign, and squares that may be 0."""
    rng = np.random.default_rng(2)
    sign = rng.choice([-1.0, 1.0], SIZE)
    params = (sign * _log_uniform(rng, -4, 8), *(_log_uniform(rng, -4, 5) for _ in range(3)))
    x = np.round(_log_uniform(rng, 0, np.log10(5_000)))
    m = rng.choice([-1.0, 1.0], SIZE) * _log_uniform(rng, -4, 8)
    squares = (x - 1) * _log_uniform(rng, -8, 16) * (rng.random(SIZE) < 0.8)
    own = normal_spend.simulate(params, x, rng)
    assert own.squares is not None
    likely = (rng.random(SIZE) < 0.5) & (np.abs(own.mean) < 1e8) & (own.squares < 1e16 * x)
    return Grid(params, x, np.where(likely, own.mean, m), np.where(likely, own.squares, squares))


def gamma_gamma_exactly(p: Any, q: Any, v: Any, x: Any, m: Any, _: Any) -> tuple[Any, ...]:
    """Equation 1a of Fader and Hardie (2013) and its derivatives by log p, log q and log v."""
    a, w = p * x, x * m / (v + x * m)
    value = (
        mp.loggamma(a + q) - mp.loggamma(a) - mp.loggamma(q) + q * mp.log(v)
        + (a - 1) * mp.log(m) + a * mp.log(x) - (a + q) * mp.log(v + x * m)
    )  # fmt: skip
    by_p = a * (mp.digamma(a + q) - mp.digamma(a) + mp.log(w))
    by_q = q * (mp.digamma(a + q) - mp.digamma(q) + mp.log(1 - w))
    return value, by_p, by_q, q - (a + q) * (1 - w)


def normal_exactly(
    m0: Any, kappa: Any, shape: Any, scale: Any, x: Any, m: Any, squares: Any, *, alone: bool
) -> tuple[Any, ...]:
    """The marginal density of a normal-inverse-gamma law, and its derivatives by m0 and the logs of the others."""
    h = mp.mpf(1) / 2 if alone else x / 2
    a = shape + h
    b = scale + (0 if alone else squares / 2) + kappa * x * (m - m0) ** 2 / (kappa + x) / 2
    value = (
        mp.loggamma(a) - mp.loggamma(shape) + shape * mp.log(scale) - a * mp.log(b)
        + mp.log(kappa / (kappa + x)) / 2 - h * mp.log(2 * mp.pi) + (mp.log(x) / 2 if alone else 0)
    )  # fmt: skip
    by_m0 = a / b * kappa * x * (m - m0) / (kappa + x)
    by_kappa = x / (kappa + x) / 2 - a / b * kappa * (x * (m - m0) / (kappa + x)) ** 2 / 2
    by_shape = shape * (mp.digamma(a) - mp.digamma(shape) + mp.log(scale / b))
    return value, by_m0, by_kappa, by_shape, shape - a * scale / b


def distance(found: float, exact: Any) -> float:
    """Relative error, or the absolute one in units of 1e-4 where that is smaller: 1e-8 of it is the bar of 1e-12."""
    error = float(abs(found - exact))
    return min(error * 1e4, error / float(abs(exact))) if exact else error * 1e4
