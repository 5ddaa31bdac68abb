"""Continuous ranked probability score of laws of money on a grid: the integral that defines it, cell by cell."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evervalue.numerics.arrays import Array
from evervalue.numerics.grid_law import GridLaw


def crps_grid(law: GridLaw, place: NDArray[np.intp], actual: Array) -> Array:
    """Score of what happened under laws on a grid, in the unit of the grid's money; 0 is perfect, lower better.

    Source: Gneiting and Raftery (2007), equation 20: the integral of F^2 below the outcome and of (1 - F)^2 above it.
    Between grid points F is taken as straight in money, so the error falls with the square of the grid's step.

    Limits: mass beyond the end of the grid counts as lying at its end.

    Parameters
    ----------
    law
        The laws.
    place
        (n,) Row of the law for each outcome.
    actual
        (n,) What happened, in units of the law's scale.

    Examples
    --------
    >>> even = GridLaw(
    ...     np.linspace(-1, 3, 401),
    ...     "linear",
    ...     np.clip(np.linspace(-1, 3, 401) / 2, 0, 1)[None, :] * 0.5,
    ...     np.array([0.5]),
    ...     np.array([0.0]),
    ... )
    >>> crps_grid(even, np.array([0, 0]), np.array([0.0, 1.0])).round(4)
    array([0.1667, 0.4167])
    """
    money, below, above = _points(law)
    width = np.diff(money)
    nothing = np.zeros((law.rows, 1))
    # The left limit at each point but the right limit before it: at zero the atom makes them differ.
    start, stop = below[:, :-1], above[:, 1:]
    gained = np.hstack([nothing, np.cumsum(width * _mean_square(start, stop), axis=1)])
    lacking = width * _mean_square(1 - start, 1 - stop)
    missed = np.hstack([np.cumsum(lacking[:, ::-1], axis=1)[:, ::-1], nothing])

    y = np.clip(actual, money[0], money[-1])
    cell = np.clip(np.searchsorted(money, y, side="right") - 1, 0, len(money) - 2)
    left, right = start[place, cell], stop[place, cell]
    share = (y - money[cell]) / width[cell]
    at = left + share * (right - left)
    here = width[cell] * (share * _mean_square(left, at) + (1 - share) * _mean_square(1 - at, 1 - right))
    outside = np.abs(actual - y)
    found: Array = gained[place, cell] + here + missed[place, cell + 1] + outside
    return found


def _points(law: GridLaw) -> tuple[Array, Array, Array]:
    """Money at the grid points with zero among them; F from there on, and F up to there: (rows, points)."""
    money = law.money(law.grid)
    atom = law.atom[:, None]
    if law.one_sided:
        zero = np.zeros((law.rows, 1))
        upto = np.hstack([zero, law.cdf + atom])
        return np.concatenate([[0.0], money]), np.hstack([atom, law.cdf + atom]), upto
    place = int(np.searchsorted(money, 0.0))
    zero_is_there = place < len(money) and money[place] == 0.0
    cdf = law.cdf
    if not zero_is_there:
        money = np.insert(money, place, 0.0)
        cdf = np.insert(cdf, place, law.at_zero, axis=1)
    from_there, upto_there = money >= 0.0, money > 0.0
    return money, cdf + np.where(from_there, atom, 0.0), cdf + np.where(upto_there, atom, 0.0)


def _mean_square(start: Array, stop: Array) -> Array:
    """Mean of the square of a straight line."""
    found: Array = (start * start + start * stop + stop * stop) / 3
    return found
