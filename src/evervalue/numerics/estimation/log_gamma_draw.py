"""Gamma draws on the log scale, where a small shape is no underflow."""

from __future__ import annotations

import numpy as np

from evervalue.numerics.arrays import Array, Number

_LOG_LARGEST = float(np.log(np.finfo(float).max))


def log_gamma_draw(shape: Number, rng: np.random.Generator, size: tuple[int, ...]) -> Array:
    """Logs of draws from Gamma(shape, 1), of the given size.

    A draw of shape a < 1 is a draw of shape a + 1 times U^(1 / a) with U uniform (Marsaglia and Tsang 2000, "A simple
    method for generating gamma variables", section 6), so that its log is finite where the draw itself would be 0.

    >>> bool(np.isfinite(log_gamma_draw(1e-4, np.random.default_rng(1), (1000,))).all())
    True
    """
    shape = np.asarray(shape, dtype=float)
    small = shape < 1
    if not small.any():
        return np.log(rng.standard_gamma(shape, size))
    drawn = np.log(rng.standard_gamma(np.where(small, shape + 1, shape), size))
    lift = rng.standard_exponential(size)
    return drawn - np.where(small, lift / shape, 0.0)


def exp_within_floats(log: Array) -> Array:
    """Exponentials; those beyond the largest double are the largest double."""
    whole: Array = np.exp(np.minimum(log, _LOG_LARGEST))
    return whole
