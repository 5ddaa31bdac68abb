"""Every customer's future, scored in one pass over blocks: orders, money, and the shortest interval of each.

Memory holds one block a thread, and the answers. Blocks do not depend on one another and each writes its own rows, so
that neither threads nor the order of rows change a bit.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from evervalue.numerics.arrays import Array
from evervalue.numerics.predictive.intervals import Intervals, shortest, shortest_counts
from evervalue.numerics.predictive.orders import Block, DistinctHistories, OrdersLaw
from evervalue.numerics.predictive.recalibration import CorrectionMap, no_correction
from evervalue.numerics.predictive.value import SpendLaw, Spent, ValueBlock

MOST_THREADS = 8
PACES = (0.25, 4.0)
"""Least and largest pace."""
_HALVINGS = 14
_LEAST = 1e-300


@dataclass(frozen=True)
class Customers:
    """Customers by their history."""

    histories: DistinctHistories
    """Each distinct history once."""
    place: NDArray[np.intp]
    """History of each customer."""
    spent: Spent | None = None
    """What each customer spent, where money is asked for."""


@dataclass(frozen=True)
class Expectations:
    """Means of each distinct history."""

    p_alive: Array
    orders: Array
    discounted_orders: Array
    """Each order weighted by exp(-delta u)."""


@dataclass(frozen=True)
class Corrections:
    """What laws are corrected by."""

    pace: float = 1.0
    """How much faster everybody turned out to order than a law says: it is asked for a horizon this much longer."""
    orders: CorrectionMap = field(default_factory=no_correction)
    value: CorrectionMap = field(default_factory=no_correction)


@dataclass(frozen=True)
class Realised:
    """What may be realised: of each distinct history (orders) or of each customer (money)."""

    lift: Array
    """Mean of the corrected law over that of the model's; 1 where nothing is corrected."""
    p_none: Array
    """Probability of zero."""
    interval: Intervals


@dataclass(frozen=True)
class Outcome:
    """How laws fared against what happened, one element a customer."""

    below: Array
    """P(Y < y)."""
    upto: Array
    """P(Y <= y)."""
    crps: Array
    """Continuous ranked probability score, in the unit of y."""


def pace_of(law: OrdersLaw, customers: Customers, found: Expectations, orders: Array) -> float:
    """The pace at which the expected orders of all customers add up to those that came; 1 where luck explains them.

    A season or a trend moves everyone's rate alike, so that a horizon t holds what the law says of pace times t. It is
    taken for luck, and the pace for 1, where the total is within two standard deviations of the expected one.
    """
    histories, weight = customers.histories, np.bincount(customers.place, minlength=len(customers.histories))
    came, told = float(orders.sum()), float(found.orders @ weight)
    variance = second_moments(law, histories, found) - found.orders**2
    if abs(came - told) <= 2 * np.sqrt(float(variance @ weight)) or told == 0:
        return 1.0
    low, high = PACES
    for _ in range(_HALVINGS):
        pace = float(np.sqrt(low * high))
        faster = replace(law, horizon=law.horizon * pace)
        if float(np.broadcast_to(faster.expected(histories), len(histories)) @ weight) < came:
            low = pace
        else:
            high = pace
    return float(np.sqrt(low * high))


def expectations(law: OrdersLaw, histories: DistinctHistories, delta: float) -> Expectations:
    """Means over parameters and process, of each distinct history."""
    size = len(histories)

    def whole(values: Array) -> Array:
        return np.broadcast_to(values, (size,)).astype(float)

    alive = whole(law.p_alive(histories))
    if law.horizon == 0:
        return Expectations(alive, np.zeros(size), np.zeros(size))
    orders = np.full(size, np.inf) if np.isinf(law.horizon) else whole(law.expected(histories))
    discounted = orders if delta == 0 else whole(law.discounted(histories, delta))
    return Expectations(alive, orders, discounted)


def score(
    law: OrdersLaw,
    customers: Customers,
    found: Expectations,
    mass: float,
    *,
    spend: SpendLaw | None = None,
    worth: Array | None = None,
    corrections: Corrections | None = None,
    threads: int | None = None,
) -> tuple[Realised, Realised | None]:
    """What may be realised: orders of each distinct history, and money of each customer where `spend` is given.

    Parameters
    ----------
    law, customers, found
        The law of orders, who it is for, and `expectations` of their histories. The horizon is finite.
    mass
        What intervals are to hold, up to 0.999.
    spend
        The law of money, for `customers.spent`.
    worth
        (customers,) factors on money: margin, discount.
    corrections
        Maps from a recalibration.
    threads
        By default one a processor, up to eight. They change no bit.
    """
    maps = corrections or Corrections()
    histories, spent = customers.histories, customers.spent
    orders = _empty(len(histories))
    money = _empty(len(customers.place) if spend is not None else 0)
    expected_money = _expected_money(customers, found, None if maps.value.identity else spend)

    def count(block: Block) -> None:
        pmf = _corrected(block.pmf, maps.orders, found.orders[block.rows])
        if not maps.orders.identity:
            n = np.arange(pmf.shape[1])
            orders.lift[block.rows] = (pmf * n).sum(axis=1) / np.maximum((block.pmf * n).sum(axis=1), _LEAST)
        _keep(orders, block.rows, pmf[:, 0], shortest_counts(pmf, mass))

    def value(block: ValueBlock) -> None:
        own = block.customers
        before, at = block.law, block.place
        if maps.value.identity:
            after = before
        else:
            # Customers of one history differ in what they are expected to spend, hence in their map.
            before, at = before.take(block.place), np.arange(len(own))
            after = before.through(maps.value.of(expected_money[own]))
            money.lift[own] = after.mean() / np.maximum(before.mean(), _LEAST)
        scale = block.scale if worth is None else block.scale * worth[own]
        shape = shortest(after, mass)
        _keep(
            money,
            own,
            after.atom[at],
            Intervals(shape.low[at] * scale, shape.high[at] * scale, shape.mass[at]),
        )

    _visit(law, customers, found, count, value, spend, spent, threads)
    return orders, money if spend is not None else None


def second_moments(
    law: OrdersLaw, histories: DistinctHistories, found: Expectations, threads: int | None = None
) -> Array:
    """E[N^2] of each distinct history."""
    moments = np.zeros(len(histories))

    def count(block: Block) -> None:
        n = np.arange(block.pmf.shape[1], dtype=float)
        moments[block.rows] = (block.pmf * n * n).sum(axis=1)

    nobody = Customers(histories, np.empty(0, dtype=np.intp))
    _visit(law, nobody, found, count, lambda block: None, None, None, threads)
    return moments


def outcomes(
    law: OrdersLaw,
    customers: Customers,
    found: Expectations,
    orders: Array,
    value: Array | None = None,
    *,
    spend: SpendLaw | None = None,
    corrections: Corrections | None = None,
    threads: int | None = None,
) -> tuple[Outcome, Outcome | None]:
    """How the laws of customers fared against the orders and the money that came, (customers,) each.

    Money is not discounted here: it is what came in the horizon.
    """
    maps = corrections or Corrections()
    of_orders, of_money = _unknown(len(orders)), _unknown(0 if value is None else len(value))
    expected_money = _expected_money(
        customers, found, None if value is None or maps.value.identity else spend
    )
    order, bounds = _by_history(customers)

    def count(block: Block) -> None:
        pmf = _corrected(block.pmf, maps.orders, found.orders[block.rows])
        own, row = _members(order, bounds, block)
        cdf = np.minimum(np.cumsum(pmf, axis=1), 1.0)
        upto, n = _at(cdf, row, orders[own]), orders[own]
        below = _at(cdf, row, n - 1)
        steps = np.arange(cdf.shape[1])
        # The integral of (F - 1{n <= z})^2: squared mass to the left of n, squared rest from it on.
        left = np.concatenate([np.zeros((len(cdf), 1)), np.cumsum(cdf**2, axis=1)], axis=1)
        right = np.concatenate([np.zeros((len(cdf), 1)), np.cumsum((1 - cdf) ** 2, axis=1)], axis=1)
        cut = np.minimum(n, len(steps)).astype(np.intp)
        _tell(
            of_orders, own, below, upto,
            left[row, cut] + np.maximum(n - len(steps), 0.0) + right[row, -1] - right[row, cut],
        )  # fmt: skip

    def money(block: ValueBlock) -> None:
        assert value is not None
        own = block.customers
        shape = block.law.take(block.place)
        if not maps.value.identity:
            shape = shape.through(maps.value.of(expected_money[own]))
        asked = value[own] / block.scale
        below, upto = shape.below(asked)
        _tell(of_money, own, below, upto, shape.crps(asked) * block.scale)

    _visit(
        law, customers, found, count, money, spend if value is not None else None, customers.spent, threads
    )
    return of_orders, of_money if value is not None else None


def _visit(
    law: OrdersLaw,
    customers: Customers,
    found: Expectations,
    count: Callable[[Block], None],
    value: Callable[[ValueBlock], None],
    spend: SpendLaw | None,
    spent: Spent | None,
    threads: int | None,
) -> None:
    """Calls `count` once for every block of histories and `value` for every block of customers, in any order."""
    jobs = law.blocks(customers.histories, found.orders, found.p_alive)
    order, bounds = _by_history(customers)

    def run(job: tuple[NDArray[np.intp], int]) -> None:
        for block in law.laws(customers.histories, *job):
            count(block)
            if spend is not None and spent is not None:
                own, row = _members(order, bounds, block)
                for part in spend.laws(block, own, row, spent.take(own)):
                    value(part)

    workers = threads or min(MOST_THREADS, os.cpu_count() or 1)
    if workers == 1 or len(jobs) == 1:
        for job in jobs:
            run(job)
        return
    with ThreadPoolExecutor(workers) as pool:
        # The longest laws first, so that no thread is left with the heaviest block at the end.
        for _ in pool.map(run, jobs[::-1]):
            pass


def _by_history(customers: Customers) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Customers in the order of their histories, and where each history's begin."""
    order = np.argsort(customers.place, kind="stable")
    return order, np.searchsorted(customers.place[order], np.arange(len(customers.histories) + 1))


def _members(
    order: NDArray[np.intp], bounds: NDArray[np.intp], block: Block
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Customers who have the histories of a block, and the row of each one's law."""
    sizes = bounds[block.rows + 1] - bounds[block.rows]
    row = np.repeat(np.arange(len(sizes)), sizes)
    first = np.cumsum(sizes) - sizes
    return order[np.arange(len(row)) + np.repeat(bounds[block.rows] - first, sizes)], row


def _corrected(pmf: Array, correction: CorrectionMap, expected: Array) -> Array:
    if correction.identity:
        return pmf
    upto = np.concatenate([np.zeros((len(pmf), 1)), np.minimum(np.cumsum(pmf, axis=1), 1.0)], axis=1)
    upto[:, -1] = 1.0  # what lies beyond the end is counted to it
    return np.asarray(np.diff(correction.of(expected)(upto), axis=1))


def _expected_money(customers: Customers, found: Expectations, spend: SpendLaw | None) -> Array:
    """Expected money within the horizon, by which maps are chosen."""
    if spend is None or customers.spent is None:
        return np.empty(0)
    each = customers.spent.order_value
    if each is None:
        each = spend.expected_order_value(customers.spent)
    return found.orders[customers.place] * np.nan_to_num(each, posinf=1e300)


def _at(cdf: Array, row: NDArray[np.intp], n: Array) -> Array:
    inside = np.clip(n, 0, cdf.shape[1] - 1).astype(np.intp)
    return np.where(n < 0, 0.0, np.where(n < cdf.shape[1], cdf[row, inside], 1.0))


def _empty(size: int) -> Realised:
    return Realised(np.ones(size), np.zeros(size), Intervals(np.zeros(size), np.zeros(size), np.zeros(size)))


def _keep(into: Realised, rows: NDArray[np.intp], p_none: Array, interval: Intervals) -> None:
    into.p_none[rows] = p_none
    into.interval.low[rows] = interval.low
    into.interval.high[rows] = interval.high
    into.interval.mass[rows] = interval.mass


def _unknown(size: int) -> Outcome:
    return Outcome(np.zeros(size), np.zeros(size), np.zeros(size))


def _tell(into: Outcome, rows: NDArray[np.intp], below: Array, upto: Array, crps: Array) -> None:
    into.below[rows] = below
    into.upto[rows] = upto
    into.crps[rows] = crps
