"""The predictive law of the orders that each history goes on to place: parameters and process averaged out.

The law of N, the orders in a horizon, is the mean over posterior points of the model's own law given the parameters:
sums of exact probabilities, no simulation, hence no noise and the same bits every time. It is computed once a
distinct history, in blocks of bounded size that hold histories of similar reach.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from evervalue.numerics.arrays import Array, Params
from evervalue.numerics.predictive.posterior_points import Points
from evervalue.numerics.purchases.kernel import Kernel

TAIL = 1e-6
"""Mass that the end of a law may leave out; it is told by 1 - sum, and counted to the last number."""
CELLS = 1 << 18
"""Largest number of probabilities in a block."""
MOST_ROWS = 4_096
_TOGETHER = 1 << 14
"""Points times histories (times counts) that are computed in one call."""
RUNGS = tuple(int(n) for rung in range(3, 16) for n in (2**rung, 1.5 * 2**rung))
"""Ends that laws may have: 8, 12, 16, 24, ... 49,152."""


@dataclass(frozen=True)
class DistinctHistories:
    """Histories, each once."""

    x: Array
    t_x: Array
    T: Array
    extra: Mapping[str, Array] = field(default_factory=dict)
    """Covariates, where the model has some."""

    def __len__(self) -> int:
        return len(self.x)

    def take(self, rows: NDArray[np.intp]) -> DistinctHistories:
        """These alone."""
        extra = {name: column[rows] for name, column in self.extra.items()}
        return DistinctHistories(self.x[rows], self.t_x[rows], self.T[rows], extra)


@dataclass(frozen=True)
class Block:
    """Laws of some histories."""

    rows: NDArray[np.intp]
    """Which."""
    pmf: Array
    """(rows, n_max + 1): P(N = n)."""


@dataclass(frozen=True)
class OrdersLaw:
    """The law of orders in (T, T + horizon], for any history."""

    kernel: Kernel
    points: Points
    horizon: float
    """In the unit of the histories."""
    params: Callable[[Array, Mapping[str, Array]], Params]
    """From a point and covariates to parameters in the unit of the histories."""

    def mean_over(
        self,
        value: Callable[[Params, DistinctHistories], Array],
        histories: DistinctHistories,
        wide: int = 1,
    ) -> Array:
        """Mean over the posterior of a function of parameters and histories; the same bits with any neighbours."""
        together = _TOGETHER // max(1, len(histories) * wide)
        params = (self.params(point, histories.extra) for point in self.points.values)
        values: Iterator[Array] = (value(of_point, histories) for of_point in params)
        if len(self.points) > 1 and together > 1:  # a call a point would cost more than what it computes
            values = self._together(value, histories, together)
        total: Array = np.zeros(1)
        for weight, of_point in zip(self.points.weights, values, strict=True):
            total = total + weight * of_point
        return total

    def _together(
        self, value: Callable[[Params, DistinctHistories], Array], histories: DistinctHistories, size: int
    ) -> Iterator[Array]:
        """What each point gives, computed for `size` points at a time."""
        params = [self.params(point, histories.extra) for point in self.points.values]
        if any(np.ndim(one) for one in params[0]):  # covariates tell histories apart
            yield from (value(of_point, histories) for of_point in params)
            return
        table = np.array(params, dtype=float)
        for start in range(0, len(table), size):
            yield from value(tuple(column[:, None] for column in table[start : start + size].T), histories)

    def p_alive(self, histories: DistinctHistories) -> Array:
        """P(active at the end of the window)."""
        return self.mean_over(lambda p, h: self.kernel.p_alive(p, h.x, h.t_x, h.T), histories)

    def expected(self, histories: DistinctHistories) -> Array:
        """Expected orders within the horizon."""
        return self.mean_over(
            lambda p, h: self.kernel.conditional_expected_orders(p, h.x, h.t_x, h.T, self.horizon), histories
        )

    def discounted(self, histories: DistinctHistories, delta: float) -> Array:
        """Expected orders within the horizon, each discounted by exp(-delta u) at u after T."""
        return self.mean_over(
            lambda p, h: self.kernel.discounted_expected_orders(p, h.x, h.t_x, h.T, self.horizon, delta),
            histories,
        )

    def pmf(self, histories: DistinctHistories, n_max: int) -> Array:
        """P(N = n) for n = 0..n_max, (rows, n_max + 1)."""
        return self.mean_over(
            lambda p, h: self.kernel.conditional_pmf(p, h.x, h.t_x, h.T, self.horizon, n_max),
            histories,
            n_max + 1,
        )

    def blocks(
        self, histories: DistinctHistories, expected: Array, alive: Array
    ) -> list[tuple[NDArray[np.intp], int]]:
        """Rows to work on together, with the end that their laws are first tried with.

        A law's end does not depend on its neighbours, so that neither do its bits.
        """
        first = _first_end(histories.x, expected, alive)
        made = []
        for end in np.unique(first):
            rows = np.flatnonzero(first == end)
            size = _rows_at(int(end))
            made += [(rows[start : start + size], int(end)) for start in range(0, len(rows), size)]
        return made

    def laws(self, histories: DistinctHistories, rows: NDArray[np.intp], end: int) -> Iterator[Block]:
        """Laws of some rows, each with an end that leaves out at most `TAIL`, or with the last end there is."""
        while rows.size:
            rest = []
            for start in range(0, len(rows), _rows_at(end)):
                some = rows[start : start + _rows_at(end)]
                pmf = np.clip(self.pmf(histories.take(some), end), 0.0, 1.0)
                done = (1 - pmf.sum(axis=1) <= TAIL) | (end == RUNGS[-1])
                if done.any():
                    yield Block(some[done], pmf[done])
                rest.append(some[~done])
            rows = np.concatenate(rest)
            end = RUNGS[min(RUNGS.index(end) + 2, len(RUNGS) - 1)]


def _rows_at(end: int) -> int:
    return max(1, min(MOST_ROWS, CELLS // (end + 1)))


def _first_end(x: Array, expected: Array, alive: Array) -> NDArray[np.intp]:
    """An end that nearly always suffices: six standard deviations above the mean of an active customer.

    The spread is guessed from a gamma rate that x + 1/2 orders have told.
    """
    mean = expected / np.maximum(alive, 1e-12)
    mean = np.where(alive > 1e-9, mean, expected)
    reach = mean + 6 * np.sqrt(mean + mean * mean / (x + 0.5)) + 3
    rungs = np.array(RUNGS, dtype=np.intp)
    place: NDArray[np.intp] = np.minimum(np.searchsorted(rungs, reach), len(rungs) - 1)
    return np.asarray(rungs[place])
