"""The predictive law of what each customer goes on to spend: orders, money of an order and parameters averaged out.

Y is zero where no order is placed. Otherwise it is a mixture over the number of orders n of what n purchases bring,
with the probabilities of `predictive_orders` as weights: one matrix product of these with a table of the spend model.
Laws come in blocks, on a grid, in units of each customer's own scale.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from threading import Lock
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from evervalue.numerics.arrays import Array
from evervalue.numerics.functions.row_product import TILE, row_product
from evervalue.numerics.predictive.grid_law import GridLaw
from evervalue.numerics.predictive.orders import Block
from evervalue.numerics.spend.gamma_gamma_law import GammaGammaLaw, counts_to, onto

ENDS = (16, 32, 64, 128, 256, 1_024, 4_096, 16_384, 65_536)
"""Largest numbers of purchases that tables go to: fewer than the ends of laws, since a table costs more than zeros."""
NODES = (0.0, 0.125, 0.25, 0.5, 1.0)
"""Weights of the population at which there are tables where parameters are uncertain; between them laws are blended."""
_CELLS = 1 << 20


@dataclass(frozen=True)
class Spent:
    """What the spend model knows of customers, one element a customer."""

    count: Array
    """Purchases that the spend model was told."""
    mean: Array
    """Their mean money."""
    squares: Array | None = None
    """Sum of squared distances from that mean, where the model uses it."""
    order_value: Array | None = None
    """What the model expects of a purchase of theirs."""

    def take(self, rows: NDArray[np.intp]) -> Spent:
        """These alone."""
        squares = None if self.squares is None else self.squares[rows]
        each = None if self.order_value is None else self.order_value[rows]
        return Spent(self.count[rows], self.mean[rows], squares, each)


@dataclass(frozen=True)
class ValueBlock:
    """Laws of Y / scale of some customers, several of whom may share one."""

    customers: NDArray[np.intp]
    law: GridLaw
    place: NDArray[np.intp]
    """Row of `law` for each of these customers."""
    scale: Array
    """(customers,)."""


class SpendLaw(Protocol):
    """What a spend model has to give."""

    def expected_order_value(self, spent: Spent) -> Array:
        """Expected money a purchase."""

    def laws(
        self, block: Block, customers: NDArray[np.intp], row: NDArray[np.intp], spent: Spent
    ) -> Iterator[ValueBlock]:
        """Laws of customers whose orders follow the rows `row` of a block; `spent` is of these customers."""


@dataclass(frozen=True)
class GammaGammaSpend:
    """Gamma-Gamma spend: money above zero, the spread a fixed share of the mean."""

    law: GammaGammaLaw
    _kept: dict[tuple[float, int, float], tuple[Array, Array, Array]] = field(
        default_factory=dict, repr=False
    )
    _lock: Lock = field(default_factory=Lock, repr=False)

    def expected_order_value(self, spent: Spent) -> Array:
        """Expected money a purchase."""
        return self.law.expected_order_value(spent.count, spent.mean)

    def laws(
        self, block: Block, customers: NDArray[np.intp], row: NDArray[np.intp], spent: Spent
    ) -> Iterator[ValueBlock]:
        """Laws of customers whose orders follow the rows `row` of a block; `spent` is of these customers."""
        end = next(end for end in ENDS if end >= block.pmf.shape[1] - 1)
        for k in np.unique(spent.count):
            some = np.flatnonzero(spent.count == k)
            if self.law.certain or k == 0:
                used, place = np.unique(row[some], return_inverse=True)
                yield from self._alike(block, end, float(k), customers[some], used, place, spent.take(some))
                continue
            share = self.law.prior_share(spent.count[some], spent.mean[some])
            cell = np.clip(np.searchsorted(NODES, share, side="right") - 1, 0, len(NODES) - 2)
            for left in np.unique(cell):
                within = np.flatnonzero(cell == left)
                for start in range(0, len(within), TILE * 32):
                    part = within[start : start + TILE * 32]
                    yield self._blended(
                        block, end, float(k), int(left), customers[some[part]], row[some[part]], share[part],
                        spent.take(some[part]),
                    )  # fmt: skip

    def _alike(
        self, block: Block, end: int, k: float, customers: NDArray[np.intp],
        used: NDArray[np.intp], place: NDArray[np.intp], spent: Spent,
    ) -> Iterator[ValueBlock]:  # fmt: skip
        """Laws that the customers of a history share."""
        counts, grid, table = self._table(k, end, 1.0)
        size = TILE * max(1, _CELLS // (TILE * len(grid)))
        scale = self.law.scale(spent.count, spent.mean)
        order = np.argsort(place, kind="stable")
        for start in range(0, len(used), size):
            pmf = block.pmf[used[start : start + size]]
            cdf = row_product(onto(pmf, counts), table)
            law = GridLaw(grid, cdf, pmf[:, 0], np.zeros(len(pmf)))
            first, last = np.searchsorted(place[order], [start, start + size])
            own = order[first:last]
            yield ValueBlock(customers[own], law, place[own] - start, scale[own])

    def _blended(
        self, block: Block, end: int, k: float, left: int, customers: NDArray[np.intp],
        row: NDArray[np.intp], share: Array, spent: Spent,
    ) -> ValueBlock:  # fmt: skip
        """Laws between the tables at two nodes: how much the population weighs differs from customer to customer."""
        pmf = block.pmf[row]
        weight = (share - NODES[left]) / (NODES[left + 1] - NODES[left])
        counts, grid, near = self._table(k, end, NODES[left])
        far = self._table(k, end, NODES[left + 1])[2]
        own = onto(pmf, counts)
        cdf = (1 - weight)[:, None] * row_product(own, near) + weight[:, None] * row_product(own, far)
        law = GridLaw(grid, cdf, pmf[:, 0], np.zeros(len(pmf)))
        return ValueBlock(customers, law, np.arange(len(row)), self.law.scale(spent.count, spent.mean))

    def _table(self, k: float, end: int, prior_share: float) -> tuple[Array, Array, Array]:
        """Counts, grid and table, computed once."""
        key = (k, end, prior_share)
        with self._lock:
            found = self._kept.get(key)
        if found is None:
            counts, grid = counts_to(end), self.law.grid(k, end)
            found = counts, grid, self.law.table(k, counts, grid, prior_share)
            with self._lock:
                self._kept[key] = found
        return found
