"""Cohorts a second way: plain Python over rows, by the definition and nothing else."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

MONTHS = {"month": 1, "quarter": 3, "year": 12}


@dataclass
class Cell:
    """What a cohort did at one age."""

    active: set[str] = field(default_factory=set)
    orders: set[tuple[str, str]] = field(default_factory=set)
    revenue: Decimal = Decimal(0)
    margin: Decimal = Decimal(0)


@dataclass(frozen=True)
class Line:
    """One line of an order."""

    customer: str
    order: str
    day: dt.date
    amount: Decimal
    margin: Decimal = Decimal(0)
    is_sale: bool = True


def month_number(day: dt.date) -> int:
    """Months since the year 0."""
    return 12 * day.year + day.month - 1


def plain_cohorts(
    lines: Iterable[Line], by: str
) -> tuple[dict[dt.date, int], dict[tuple[dt.date, int], Cell]]:
    """The number of customers of each cohort, and its cells by age."""
    every = list(lines)
    first: dict[str, dt.date] = {}
    for line in every:
        if line.is_sale and (line.customer not in first or line.day < first[line.customer]):
            first[line.customer] = line.day
    unit = MONTHS[by]

    def cohort_of(customer: str) -> dt.date:
        begin = month_number(first[customer]) // unit * unit
        return dt.date(begin // 12, begin % 12 + 1, 1)

    sizes: dict[dt.date, int] = defaultdict(int)
    for customer in first:
        sizes[cohort_of(customer)] += 1
    cells: dict[tuple[dt.date, int], Cell] = defaultdict(Cell)
    for line in every:
        if line.customer not in first:
            continue
        age = max(month_number(line.day) - month_number(first[line.customer]), 0) // unit
        cell = cells[cohort_of(line.customer), age]
        cell.revenue += line.amount
        cell.margin += line.margin
        if line.is_sale:
            cell.active.add(line.customer)
            cell.orders.add((line.customer, line.order))
    return dict(sizes), dict(cells)
