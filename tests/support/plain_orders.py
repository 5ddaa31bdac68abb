"""Customers followed order by order, as BG/NBD and its relatives say that histories come about: no formula."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from evervalue.numerics.arrays import Array


class Followed(NamedTuple):
    x: Array
    t_x: Array
    future: Array
    """Orders in (T, T + horizon]."""
    alive: Array
    log_intervals: Array
    """Sum of the logs of the intervals between the orders up to T."""


def follow(
    params: tuple[float, ...],
    T: float,
    horizon: float,
    customers: int,
    *,
    first_may_end: bool,
    k: int = 1,
    seed: int,
) -> Followed:
    """One order of every customer who is still there at a time, until nobody is within T + horizon."""
    r, alpha, a, b = params
    rng = np.random.default_rng(seed)
    rate, leave = rng.gamma(r, 1 / alpha, customers), rng.beta(a, b, customers)
    x, t_x, future, logs = (np.zeros(customers) for _ in range(4))
    alive = np.ones(customers)
    at = np.zeros(customers)
    there = np.arange(customers)
    if first_may_end:
        left = rng.random(customers) < leave
        alive[left] = 0
        there = there[~left]
    while len(there):
        with np.errstate(divide="ignore", over="ignore"):
            wait = rng.gamma(k, 1 / rate[there])
        at[there] += wait
        within = at[there] <= T + horizon
        there, wait = there[within], wait[within]
        early = at[there] <= T
        known, later = there[early], there[~early]
        x[known] += 1
        t_x[known] = at[known]
        logs[known] += np.log(wait[early])
        future[later] += 1
        left = rng.random(len(there)) < leave[there]
        alive[there[left & early]] = 0
        there = there[~left]
    return Followed(x, t_x, future, alive, logs)


def groups(followed: Followed) -> list[NDArray[np.bool_]]:
    """Parts of the customers told apart by what is known at T: none may be predicted off the mark."""
    x, t_x = followed.x, followed.t_x
    late = t_x > np.median(t_x[x > 0])
    return [
        np.ones(len(x), dtype=bool),
        x == 0,
        *((x == n) & part for n in (1, 2) for part in (late, ~late)),
        (x > 2) & (x < 6) & late,
        (x > 2) & (x < 6) & ~late,
        x >= 6,
    ]
