"""Hierarchical normal spend as laws on a grid: what a customer goes on to spend, of either sign.

Given the amounts so far, the next n bring n mu + unit_n t, with t a Student's t of 2 a degrees of freedom and
unit_n^2 = b / a (n + n^2 / kappa) (`normal_spend.sum_cdf`). mu, kappa, a and b are the customer's own, so that hardly
two customers share a law; each is a mixture over n, computed for many customers at once from one table of t.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from evervalue.numerics.arrays import Array
from evervalue.numerics.predictive.grid_law import GridLaw
from evervalue.numerics.predictive.orders import Block
from evervalue.numerics.predictive.posterior_points import Points
from evervalue.numerics.predictive.value import Spent, ValueBlock
from evervalue.numerics.spend.gamma_gamma_law import counts_to, onto
from evervalue.numerics.spend.normal_spend import NAMES, conditional_expected_order_value, posterior
from evervalue.numerics.spend.student_t import t_cdf, t_quantile

STEPS = (0.2, 0.1, 0.05, 0.025, 0.0125)
"""Distances between grid points, on the scale of the inverse hyperbolic sine."""
_FAR = 1e-4
_FARTHEST = 300.0
_NEVER = 1e-5
_HALF = 2_000
_LENGTH = 2 * _HALF + 2
_CELLS = 1 << 15
_ROWS = 1 << 20
_NOTHING = 1e-12
"""A probability of n purchases below this is counted as none: the grid does not tell it."""


@dataclass(frozen=True)
class NormalSpendLaw:
    """The spend model averaged over points (m0, log kappa, log shape, log scale)."""

    points: Points
    _kept: dict[float, Array] = field(default_factory=dict, repr=False)

    names = NAMES

    def expected_order_value(self, spent: Spent) -> Array:
        """Expected money a purchase."""
        total: Array = np.zeros(len(spent.count))
        for params, weight in self._params():
            total = total + weight * conditional_expected_order_value(params, spent.count, spent.mean)
        return total

    def laws(
        self, block: Block, customers: NDArray[np.intp], row: NDArray[np.intp], spent: Spent
    ) -> Iterator[ValueBlock]:
        """Laws of customers whose orders follow the rows `row` of a block; `spent` is of these customers."""
        some = np.flatnonzero(spent.count == 0)
        if some.size:  # nothing of their own: the history alone decides
            used, first, place = np.unique(row[some], return_index=True, return_inverse=True)
            for where, law in self._of(block.pmf[used], spent.take(some[first])):
                at = np.full(len(used), -1)
                at[where] = np.arange(len(where))
                own = np.flatnonzero(at[place] >= 0)
                yield ValueBlock(customers[some[own]], law, at[place[own]], np.ones(len(own)))
        known = np.flatnonzero(spent.count > 0)
        size = max(1, _ROWS // block.pmf.shape[1])
        for start in range(0, len(known), size):
            some = known[start : start + size]
            for where, law in self._of(block.pmf[row[some]], spent.take(some)):
                yield ValueBlock(customers[some[where]], law, np.arange(len(where)), np.ones(len(where)))

    def _params(self) -> Iterator[tuple[tuple[float, float, float, float], float]]:
        for (m0, *logs), weight in zip(self.points.values, self.points.weights, strict=True):
            kappa, shape, scale = (float(value) for value in np.exp(logs))
            yield (float(m0), kappa, shape, scale), float(weight)

    def _of(self, pmf: Array, spent: Spent) -> Iterator[tuple[NDArray[np.intp], GridLaw]]:
        """Laws of customers, those with a like grid together."""
        centre = self.points.weights @ self.points.values
        params = (centre[0], *np.exp(centre[1:]))
        squares = spent.squares
        mu, kappa, a, b = posterior(params, spent.count, spent.mean, squares)
        spread = np.sqrt(b / a)
        counts = counts_to(pmf.shape[1] - 1)
        weights = onto(pmf, counts)
        weights[weights < _NOTHING] = 0.0
        grid = _grids(pmf, mu, spread, kappa, a)
        for low, high, step in np.unique(grid, axis=0):
            alike = np.flatnonzero((grid == (low, high, step)).all(axis=1))
            at = np.arange(round((low + high) / step) + 1) * step - low
            size = max(1, _CELLS // len(at))
            for start in range(0, len(alike), size):
                rows = alike[start : start + size]
                unit = 0.5 * spread[rows] * np.sqrt(1 + 1 / kappa[rows])
                cdf = self._cdf(weights[rows], counts, spent.take(rows), unit[:, None] * np.sinh(at))
                none = self._cdf(weights[rows], counts, spent.take(rows), np.zeros((len(rows), 1)))
                yield rows, GridLaw(at, cdf, pmf[rows, 0], none[:, 0], (np.zeros(len(rows)), unit))

    def _cdf(self, weights: Array, counts: Array, spent: Spent, money: Array) -> Array:
        """Mass at or below each amount, (rows, amounts), without the atom, averaged over the points."""
        total = np.zeros(money.shape)
        used = np.flatnonzero(weights.any(axis=0))
        for params, weight in self._params():
            mu, kappa, a, b = posterior(params, spent.count, spent.mean, spent.squares)
            spread = np.sqrt(b / a)
            tables, begins = self._tables(2 * a)
            for place in used:
                n = counts[place]
                unit = spread * np.sqrt(n + n * (n / kappa))
                total += (weight * weights[:, place])[:, None] * _read(
                    tables, begins[:, None], (money - n * mu[:, None]) / unit[:, None]
                )
        return total

    def _tables(self, df: Array) -> tuple[Array, NDArray[np.intp]]:
        """Tables of all degrees of freedom one after the other, and where that of each row begins."""
        each, place = np.unique(df, return_inverse=True)
        return np.concatenate([self._table(float(one)) for one in each]), place * _LENGTH

    def _table(self, df: float) -> Array:
        """P(t <= z) at evenly spaced z / (2 + |z|) from -1 to 1."""
        found = self._kept.get(df)
        if found is None:
            v = np.linspace(-1, 0, _HALF + 1)[1:-1]
            below = t_cdf(2 * v / (1 + v), df)
            found = np.concatenate([[0.0], below, [0.5], 1 - below[::-1], [1.0, 1.0]])
            self._kept[df] = found
        return found


def _read(tables: Array, begins: NDArray[np.intp], z: Array) -> Array:
    """The tables at z, linear between their points: within 1e-6."""
    place = z / (2 + np.abs(z))
    place += 1
    place *= _HALF
    cell = place.astype(np.intp)
    place -= cell
    cell += begins
    left = tables[cell]
    cell += 1
    found: Array = tables[cell]
    found -= left
    found *= place
    found += left
    return found


def _grids(pmf: Array, mu: Array, spread: Array, kappa: Array, a: Array) -> Array:
    """How far each row's grid reaches below and above zero, and its step, on a ladder: (rows, 3)."""
    n = np.arange(pmf.shape[1])
    some = np.maximum(pmf[:, 1:].sum(axis=1), 1e-12)
    mean = (pmf * n).sum(axis=1) / some
    deviation = np.sqrt(np.maximum((pmf * n * n).sum(axis=1) / some - mean**2, 0.0))
    beyond = 1 - np.cumsum(pmf, axis=1)
    most = np.maximum((beyond > _NEVER).sum(axis=1), 1)
    each, own = np.unique(2 * a, return_inverse=True)
    far = np.minimum(t_quantile(1 - _FAR, each), _FARTHEST)[own]

    def unit(count: Array) -> Array:
        return np.asarray(spread * np.sqrt(count + count * count / kappa))

    one, ends = np.ones(len(mu)), (np.ones(len(mu)), most.astype(float))
    low = np.minimum(*(count * mu - far * unit(count) for count in ends))
    high = np.maximum(*(count * mu + far * unit(count) for count in ends))
    small = 0.5 * unit(one)
    reach = [2 * np.ceil(np.arcsinh(np.maximum(end, small) / small) / 2) for end in (-low, high)]

    def width(count: Array, more: Array) -> Array:
        """Width of what `count` purchases bring, on the grid's scale."""
        return np.asarray(np.hypot(unit(count), more * mu) / np.hypot(small, count * mu))

    narrow = np.minimum(width(np.minimum(most, 4.0), 0 * one), width(np.maximum(mean, 1.0), deviation))
    steps = np.array(STEPS)
    place = np.minimum(np.searchsorted(-steps, -0.7 * narrow), len(steps) - 1)
    return np.stack([*reach, steps[place]], axis=1)
