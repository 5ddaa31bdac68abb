"""Laws of money on one grid: many cumulative distributions, each with a density and an atom at zero.

The atom is the customer who orders nothing. Between grid points a distribution is the monotone cubic through its
neighbours (Fritsch and Butland, 1984, "A method for constructing local monotone piecewise cubic interpolants"), in
the grid's own coordinate: the logarithm of money, or, where it may be negative, the inverse hyperbolic sine of money
about each row's own centre in each row's own unit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evervalue.numerics.arrays import Array

_NEWTON = 4


@dataclass(frozen=True)
class GridLaw:
    """Rows of laws on a common grid. The scale of each row's money is the caller's."""

    grid: Array
    """(G,) evenly spaced coordinates."""
    cdf: Array
    """(rows, G): mass at or below each grid point, without the atom."""
    atom: Array
    """(rows,): mass at exactly zero."""
    at_zero: Array
    """(rows,): mass below zero."""
    about: tuple[Array, Array] | None = None
    """None: money is exp(grid). Else centre and unit, (rows,) each: money is centre + unit sinh(grid)."""

    @property
    def rows(self) -> int:
        """Number of laws."""
        return len(self.cdf)

    @property
    def one_sided(self) -> bool:
        """Whether no money is below zero."""
        return self.about is None

    @property
    def total(self) -> Array:
        """Mass up to the end of the grid: 1 but for what lies beyond it."""
        return self.cdf[:, -1] + self.atom

    def take(self, rows: NDArray[np.intp]) -> GridLaw:
        """These rows alone."""
        if len(rows) == self.rows and np.array_equal(rows, np.arange(self.rows)):
            return self
        about = None if self.about is None else (self.about[0][rows], self.about[1][rows])
        return GridLaw(self.grid, self.cdf[rows], self.atom[rows], self.at_zero[rows], about)

    def money(self, coordinate: Array) -> Array:
        """Money at a coordinate of each row."""
        if self.about is None:
            return np.exp(coordinate)
        centre, unit = self.about
        found: Array = centre + unit * np.sinh(coordinate)
        return found

    def coordinate(self, money: Array) -> Array:
        """The coordinate of an amount of money of each row."""
        if self.about is None:
            return np.log(np.maximum(money, 1e-300))
        centre, unit = self.about
        return np.arcsinh((money - centre) / unit)

    def _points(self) -> Array:
        """Money at the grid points: (1, G), or (rows, G)."""
        if self.about is None:
            return np.exp(self.grid)[None, :]
        centre, unit = self.about
        return np.asarray(centre[:, None] + unit[:, None] * np.sinh(self.grid))

    def quantile(self, level: Array, *, fine: bool = True) -> Array:
        """Money that each row stays at or below with the probability `level` (rows,); linear cells where not `fine`."""
        above = level > self.at_zero
        within = above & (level <= self.at_zero + self.atom)
        found = self._inverse(np.where(above, np.maximum(level - self.atom, self.at_zero), level), fine)
        found[within] = 0.0
        return found

    def below(self, money: Array) -> tuple[Array, Array]:
        """P(Y < money) and P(Y <= money) of each row."""
        step = self.grid[1] - self.grid[0]
        place = (self.coordinate(money) - self.grid[0]) / step
        cell = np.clip(np.floor(place), 0, len(self.grid) - 2).astype(np.intp)
        share = np.clip(place - cell, 0.0, 1.0)
        smooth = _cubic(*self._cell(cell), share)
        if self.one_sided:
            falling = self.cdf[:, 0] * np.exp(self._fall() * np.minimum(place * step, 0.0))
            smooth = np.where(place < 0, falling, smooth)
            smooth = np.where(money > 0, smooth, 0.0)
        strictly = smooth + np.where(money > 0, self.atom, 0.0)
        return strictly, smooth + np.where(money >= 0, self.atom, 0.0)

    def mean(self) -> Array:
        """Mean money of each row, of what lies on the grid."""
        at = self._points()
        middle = (at[:, 1:] + at[:, :-1]) / 2
        first = at[:, 0] / 2 if self.one_sided else at[:, 0]
        mean: Array = (np.diff(self.cdf, axis=1) * middle).sum(axis=1) + self.cdf[:, 0] * first
        return mean

    def crps(self, money: Array) -> Array:
        """Continuous ranked probability score of each row against what came, in the unit of the grid's money.

        The integral of (F(z) - 1{z >= y})^2, by trapezia between grid points; what lies beyond the grid on the other
        side of y counts in full.
        """
        at = self._points()
        whole = self.cdf + np.where(at >= 0, self.atom[:, None], 0.0)
        if self.one_sided:
            at = np.concatenate([[[0.0]], at], axis=1)
            whole = np.concatenate([self.atom[:, None], whole], axis=1)
        at = np.broadcast_to(at, whole.shape)
        width = np.diff(at, axis=1)
        left = _running(whole**2, width)
        right = _running((1 - whole) ** 2, width)
        cell = np.clip((at <= money[:, None]).sum(axis=1) - 1, 0, width.shape[1] - 1)
        row = np.arange(self.rows)
        share = np.clip((money - at[row, cell]) / width[row, cell], 0.0, 1.0)
        until = left[row, cell] + share * (left[row, cell + 1] - left[row, cell])
        passed = right[row, cell] + share * (right[row, cell + 1] - right[row, cell])
        beyond = np.maximum(money - at[:, -1], 0.0) + np.maximum(at[:, 0] - money, 0.0)
        found: Array = until + right[:, -1] - passed + beyond
        return found

    def through(self, corrected: Callable[[Array], Array]) -> GridLaw:
        """The laws whose cumulative distribution is `corrected`, an increasing map of [0, 1], of these.

        `corrected` is given (rows, k) arrays, so that it may differ from row to row.
        """
        left = corrected(self.at_zero[:, None])[:, 0]
        atom = corrected((self.at_zero + self.atom)[:, None])[:, 0] - left
        if self.one_sided:
            cdf = corrected(self.cdf + self.atom[:, None]) - (left + atom)[:, None]
            return GridLaw(self.grid, np.maximum(cdf, 0.0), left + atom, np.zeros_like(left))
        above = self._points() >= 0
        cdf = corrected(self.cdf + np.where(above, self.atom[:, None], 0.0)) - np.where(
            above, atom[:, None], 0.0
        )
        return GridLaw(self.grid, cdf, atom, left, self.about)

    def _inverse(self, level: Array, fine: bool) -> Array:
        cdf = self.cdf
        count = (cdf < level[:, None]).sum(axis=1)
        cell = np.clip(count - 1, 0, len(self.grid) - 2)
        before, start, stop, after = self._cell(cell)
        gain = np.maximum(stop - start, 1e-300)
        share = np.clip((level - start) / gain, 0.0, 1.0)
        if fine:
            left, right = _slopes(before, start, stop, after)
            for _ in range(_NEWTON):
                value, slope = _hermite(start, stop, left, right, share)
                share = np.clip(share - (value - level) / np.maximum(slope, 1e-3 * gain), 0.0, 1.0)
        step = self.grid[1] - self.grid[0]
        found = self.money(self.grid[0] + step * (cell + share))
        if self.one_sided:
            share = np.clip(level / np.maximum(cdf[:, 0], 1e-300), 1e-300, 1.0)
            found = np.where(count == 0, np.exp(self.grid[0] + np.log(share) / self._fall()), found)
            found = np.where(level <= 0, 0.0, found)
        return found

    def _fall(self) -> Array:
        """Power of money with which a one-sided law falls to zero below its grid, as it does in the first cell."""
        step = self.grid[1] - self.grid[0]
        grown = np.log(np.maximum(self.cdf[:, 1], 1e-300)) - np.log(np.maximum(self.cdf[:, 0], 1e-300))
        power: Array = np.maximum(grown / step, 1e-3)
        return power

    def _cell(self, cell: NDArray[np.intp]) -> tuple[Array, Array, Array, Array]:
        """The distribution at the four grid points round a cell; at the grid's ends the outer one is repeated."""
        row = np.arange(self.rows)
        last = len(self.grid) - 1
        return (
            self.cdf[row, np.maximum(cell - 1, 0)],
            self.cdf[row, cell],
            self.cdf[row, cell + 1],
            self.cdf[row, np.minimum(cell + 2, last)],
        )


def _running(values: Array, width: Array) -> Array:
    """Integrals up to each grid point."""
    steps = (values[:, 1:] + values[:, :-1]) / 2 * width
    return np.concatenate([np.zeros((len(values), 1)), np.cumsum(steps, axis=1)], axis=1)


def _slopes(before: Array, start: Array, stop: Array, after: Array) -> tuple[Array, Array]:
    """Slopes at both ends of a cell of width 1: harmonic means of the neighbouring gains."""
    gain, earlier, later = stop - start, start - before, after - stop
    with np.errstate(divide="ignore", invalid="ignore"):
        left = np.where((gain > 0) & (earlier > 0), 2 * gain * earlier / (gain + earlier), 0.0)
        right = np.where((gain > 0) & (later > 0), 2 * gain * later / (gain + later), 0.0)
    return left, right


def _hermite(start: Array, stop: Array, left: Array, right: Array, share: Array) -> tuple[Array, Array]:
    gain = stop - start
    two = 3 * gain - 2 * left - right
    three = left + right - 2 * gain
    value = start + share * (left + share * (two + share * three))
    slope = left + share * (2 * two + 3 * share * three)
    return value, slope


def _cubic(before: Array, start: Array, stop: Array, after: Array, share: Array) -> Array:
    left, right = _slopes(before, start, stop, after)
    return _hermite(start, stop, left, right, share)[0]
