"""The CDNOW sample of 2,357 customers, as the development environment's copy of lifetimes carries it."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

FIRST_DAY_AFTER = dt.date(1997, 10, 1)
LAST_DAY = dt.date(1998, 6, 30)


def path() -> Path:
    """The raw file: id in the master, id in the sample, date, CDs, amount, parted by spaces."""
    spec = find_spec("lifetimes")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "datasets" / "CDNOW_sample.txt"


@cache
def orders() -> list[tuple[str, dt.date, float]]:
    """(customer, date, amount) of every transaction."""
    rows = [line.split() for line in path().read_text().splitlines() if line.strip()]
    return [(row[1], dt.datetime.strptime(row[2], "%Y%m%d").date(), float(row[4])) for row in rows]


@cache
def calibration() -> dict[str, NDArray[np.float64]]:
    """Histories to 1997-09-30 in weeks with the 39 weeks that follow, one element a customer, in the order of ids."""
    by_customer: dict[str, dict[dt.date, float]] = defaultdict(lambda: defaultdict(float))
    for customer, day, amount in orders():
        by_customer[customer][day] += amount
    names = ("frequency", "recency", "T", "monetary_value", "holdout_orders", "holdout_value")
    rows = []
    for customer in sorted(by_customer):
        days = by_customer[customer]
        before = sorted(day for day in days if day < FIRST_DAY_AFTER)
        after = [day for day in days if day >= FIRST_DAY_AFTER]
        repeats = before[1:]
        rows.append(
            (
                len(repeats),
                (before[-1] - before[0]).days / 7,
                ((FIRST_DAY_AFTER - before[0]).days - 1) / 7,
                sum(days[day] for day in repeats) / len(repeats) if repeats else 0.0,
                len(after),
                sum(days[day] for day in after),
            )
        )
    table = np.array(rows, dtype=np.float64)
    return {name: table[:, n] for n, name in enumerate(names)}
