"""How good a predicted law is: continuous ranked probability score, log score, Brier score. One value a customer.

All are proper (Gneiting and Raftery 2007): who believes a law does best to state it. The mean over customers is
taken by `measures.weighted_mean`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from evervalue.numerics.arrays import Array


def crps_discrete(values: ArrayLike, mass: ArrayLike, actual: ArrayLike) -> Array:
    """Continuous ranked probability score of discrete laws, in the unit of the values; 0 is perfect, lower better.

    Source: Gneiting and Raftery (2007), equation 20: the integral of (F(z) - 1{z >= y})^2 over z, which is
    E|X - y| - E|X - X'| / 2. For a law on one point it is the absolute error, so points and laws compare.

    Parameters
    ----------
    values
        Points of the law, ascending on the last axis: (k,) for all customers, or (n, k).
    mass
        Their probabilities, (n, k), summing to one but for a tail that may be neglected.
    actual
        What happened, (n,); any number.

    Examples
    --------
    >>> crps_discrete([0.0, 1.0], [[0.5, 0.5], [0.0, 1.0]], [1.0, 0.0]).tolist()
    [0.25, 1.0]
    """
    x, p, y = _floats(values, mass, actual)
    upto = np.cumsum(p, axis=-1)[..., :-1]
    far = (p * np.abs(x - y[:, None])).sum(axis=-1)
    found: Array = far - (upto * (1 - upto) * np.diff(x, axis=-1)).sum(axis=-1)
    return found


def crps_draws(draws: ArrayLike, actual: ArrayLike) -> Array:
    """Continuous ranked probability score of laws known by their draws, without bias from their number.

    Source: as `crps_discrete`; the mean distance of two draws is taken over pairs of different draws, as Ferro (2014,
    "fair" scores) proposes, so that fewer draws do not look worse.

    Parameters
    ----------
    draws
        Independent draws, (n, draws), at least two each.
    actual
        What happened, (n,).

    Examples
    --------
    >>> crps_draws([[0.0, 2.0], [1.0, 1.0]], [1.0, 3.0]).tolist()
    [0.0, 2.0]
    """
    x, _, y = _floats(draws, 0.0, actual)
    k = x.shape[-1]
    if k < 2:
        raise ValueError("A law needs two draws at least.")
    far = np.abs(x - y[:, None]).mean(axis=-1)
    place = (2 * np.arange(1, k + 1) - k - 1) / (k * (k - 1))
    found: Array = far - np.sort(x, axis=-1) @ place
    return found


def log_score(mass: ArrayLike, actual: ArrayLike) -> Array:
    """Log of the probability that was given to what happened; 0 is perfect, higher better.

    Source: Good (1952). Limits: -inf where it was held to be impossible, also beyond the end of the law.

    Parameters
    ----------
    mass
        Probabilities of 0, 1, 2 ... on the last axis, (n, k).
    actual
        Counts, (n,).

    Examples
    --------
    >>> log_score([[0.25, 0.75], [1.0, 0.0]], [0, 1]).round(4).tolist()
    [-1.3863, -inf]
    """
    p, y = np.asarray(mass, dtype=np.float64), np.asarray(actual).astype(np.intp)
    inside = y < p.shape[-1]
    given = np.where(inside, p[np.arange(len(y)), np.minimum(y, p.shape[-1] - 1)], 0.0)
    found: Array = np.log(given, out=np.full(given.shape, -np.inf), where=given > 0)
    return found


def brier(probability: ArrayLike, happened: ArrayLike) -> Array:
    """Squared distance between a probability and what happened (1 or 0); lower better, 0.25 for "who knows".

    Source: Brier (1950).

    Parameters
    ----------
    probability
        That it happens, (n,).
    happened
        Whether it did, (n,).

    Examples
    --------
    >>> brier([0.5, 1.0], [True, True]).tolist()
    [0.25, 0.0]
    """
    found: Array = (np.asarray(probability, dtype=np.float64) - np.asarray(happened, dtype=np.float64)) ** 2
    return found


def _floats(*arrays: ArrayLike) -> tuple[Array, ...]:
    return tuple(np.asarray(a, dtype=np.float64) for a in arrays)
