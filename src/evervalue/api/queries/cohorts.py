"""Whether customers stay: what each cohort did at each age, what it is worth, and the rows behind a cell."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from evervalue.api.answers import Format
from evervalue.api.queries.base import Condition
from evervalue.api.snapshots import Reading, Statement

TABLE = "insight.cohorts"
By = Literal["month", "quarter", "year"]
Measure = Literal["retention", "revenue", "margin"]
Part = Literal["cells", "sizes", "curves", "orders"]
MONTHS: dict[str, int] = {"month": 1, "quarter": 3, "year": 12}
SHORT, LONG = 24, 72
"""Months of history up to which cohorts are months, then quarters, then years: tables that a person can take in."""
MOST_AGE = 240
ROWS_SHOWN = 1000
"""Orders that JSON gives; csv and xlsx give all."""
WRITTEN = re.compile(r"(?P<year>[0-9]{4})(?:-(?P<month>0[1-9]|1[0-2])|-Q(?P<quarter>[1-4]))?")
VALUES = {"retention": "retention", "revenue": "mean_revenue", "margin": "mean_margin"}


@dataclass(frozen=True)
class Cohort:
    """Customers whose first sale lies in one month, quarter or year."""

    by: By
    first: date

    @property
    def until(self) -> date:
        """The first day after it."""
        return _moved(self.first, MONTHS[self.by])

    def __str__(self) -> str:
        if self.by == "year":
            return f"{self.first.year:04}"
        if self.by == "quarter":
            return f"{self.first.year:04}-Q{(self.first.month + 2) // 3}"
        return f"{self.first.year:04}-{self.first.month:02}"


def cohort_of(text: str) -> Cohort:
    """The cohort that is written '2021', '2021-Q1' or '2021-03'.

    >>> str(cohort_of("2021-Q3")), cohort_of("2021-Q3").until
    ('2021-Q3', datetime.date(2021, 10, 1))

    Raises
    ------
    ValueError
        It is written otherwise.
    """
    found = WRITTEN.fullmatch(text)
    if found is None or not 1 <= int(found["year"]) <= 9998:
        raise ValueError("a cohort is written 2021, 2021-Q1 or 2021-03")
    year = int(found["year"])
    if found["quarter"]:
        return Cohort("quarter", date(year, 3 * int(found["quarter"]) - 2, 1))
    if found["month"]:
        return Cohort("month", date(year, int(found["month"]), 1))
    return Cohort("year", date(year, 1, 1))


def _moved(day: date, months: int) -> date:
    """The first of the month so many months later; the last day that there is where it would be beyond."""
    number = 12 * day.year + day.month - 1 + months
    return date(number // 12, number % 12 + 1, 1) if number // 12 <= date.max.year else date.max


def _none_if_empty(value: Any) -> Any:
    return None if value == "" else value


Age = Annotated[Annotated[int, Field(ge=0, le=MOST_AGE)] | None, BeforeValidator(_none_if_empty)]


class CohortFilter(BaseModel):
    """A cohort, and an age of it. Empty values mean 'all', so that a plain HTML form can send them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cohort: str = Field("", max_length=10)
    """First sale in this year, quarter or month: 2021, 2021-Q1 or 2021-03."""

    age: Age = None
    """With a cohort: those who bought in this month, quarter or year (as the cohort) after their first month; 0 is the
    first."""

    @field_validator("cohort")
    @classmethod
    def _written(cls, text: str) -> str:
        return str(cohort_of(text)) if text else text

    @model_validator(mode="after")
    def _age_of_a_cohort(self) -> CohortFilter:
        if self.age is not None and not self.cohort:
            raise ValueError("an age needs a cohort")
        return self


class CohortsRequest(CohortFilter):
    """Which cohorts, what of them, and how. Empty values mean the default."""

    by: By | Literal[""] = ""
    """How long a cohort is; by default months, quarters or years, by the length of the history."""

    part: Part = "cells"
    measure: Measure | Literal[""] = ""
    """With cells: one measure as `value`, null where a cell is not complete."""

    format: Format | Literal[""] = "json"

    @model_validator(mode="after")
    def _orders_of_a_cohort(self) -> CohortsRequest:
        if self.part == "orders" and not self.cohort:
            raise ValueError("part=orders needs a cohort")
        if self.part != "orders" and self.cohort:
            raise ValueError("a cohort and an age belong to part=orders")
        if self.measure and self.part != "cells":
            raise ValueError("a measure belongs to part=cells")
        return self

    def statement(self, by: By) -> Statement:
        """What is asked for."""
        if self.part == "orders":
            return orders(cohort_of(self.cohort), self.age)
        if self.part == "cells":
            return cells(by, self.measure or None)
        return {"sizes": sizes, "curves": curves}[self.part](by)


def says(cohort: Cohort, age: int | None) -> str:
    """A cohort and an age, behind 'customers'.

    >>> says(cohort_of("2021-03"), None), says(cohort_of("2021"), 0), says(cohort_of("2021-Q2"), 4)
    ('of 2021-03', 'of 2021 who ordered in their first year', 'of 2021-Q2 who ordered 4 quarters after their first')
    """
    if age is None:
        return f"of {cohort}"
    if age == 0:
        return f"of {cohort} who ordered in their first {cohort.by}"
    return f"of {cohort} who ordered {age} {cohort.by}{'' if age == 1 else 's'} after their first"


def usual_by(reading: Reading) -> By:
    """Months, quarters or years: what shows the run's history in a table that a person can take in."""
    sql = "select count(*) as months\nfrom insight.cohort_sizes\nwhere cohort_by = 'month'"
    months = int(reading.rows(Statement(sql, {}))[0]["months"])
    return "month" if months <= SHORT else "quarter" if months <= LONG else "year"


def cells(by: By, measure: Measure | None = None) -> Statement:
    """One row a cohort and age; with a measure its value alone, null where the cell is not complete."""
    rows = f"from {TABLE}\nwhere cohort_by = $by\norder by cohort, age"
    if measure is None:
        columns = (
            "cohort, age, customers, active_customers, retention, orders, revenue, margin,"
            " cumulative_revenue, cumulative_margin, mean_revenue, mean_margin, is_complete"
        )
        return Statement(f"select {columns}\n{rows}", {"by": by})
    value = f"case when is_complete then {VALUES[measure]} end as value"
    return Statement(f"select cohort, age, customers, {value}, is_complete\n{rows}", {"by": by})


def sizes(by: By) -> Statement:
    """One row a cohort, the newest first: customers, what they brought, what they are expected to bring."""
    sql = """select cohort, customers, recent_customers, orders, revenue, margin, monetary, mean_monetary,
  predicted_customers, expected_alive, expected_clv, mean_expected_clv
from insight.cohort_sizes
where cohort_by = $by
order by cohort desc"""
    return Statement(sql, {"by": by})


def curves(by: By | Literal["all"]) -> Statement:
    """One row a cohort and month of age, only ages that all of its customers have lived; `all` is one curve of all."""
    sql = """select cohort, age_months, customers, retention, mean_revenue, mean_margin
from insight.cohort_curves
where cohort_by = $by
order by cohort, age_months"""
    return Statement(sql, {"by": by})


def condition(cohort: Cohort, age: int | None, *, customer: str = "customer_id") -> Condition:
    """The customers of a cohort; with an age those who bought at it. `customer` is the column of the key."""
    bounds: dict[str, Any] = {"cohort_from": cohort.first, "cohort_until": cohort.until}
    where = "first_order_date >= $cohort_from and first_order_date < $cohort_until"
    if age is None:
        return Condition(f"({where})", bounds)
    source, more = _at_age(cohort, age)
    if cohort.by == "month":  # everybody's age is the same calendar month, so no order has to be joined
        source = """from curated.orders as o
where o.order_date < (select as_of from customers.cutoff)
  and o.order_date >= $ordered_from and o.order_date < $ordered_until"""
        more = {k: v for k, v in more.items() if k not in ("age", "unit_months")}
        more["ordered_until"] = _moved(cohort.until, age)
    else:
        where = ""
    inside = f"{customer} in (select o.customer_id {source} and o.kind = 'sale')"
    return Condition(f"({where} and {inside})" if where else inside, more)


def orders(cohort: Cohort, age: int | None) -> Statement:
    """The orders and returns of a cohort, or those at one age: the rows behind a cell."""
    source, parameters = _at_age(cohort, age)
    sql = f"""select h.customer, o.customer_id, h.first_order_date, o.order_id, o.order_date, o.kind,
  o.revenue, o.margin
{source}
order by o.order_date, o.order_key"""
    return Statement(sql, parameters)


def _at_age(cohort: Cohort, age: int | None) -> tuple[str, dict[str, Any]]:
    """Orders `o` and customers `h` of a cohort; what came before the first sale counts at age 0."""
    parameters: dict[str, Any] = {"cohort_from": cohort.first, "cohort_until": cohort.until}
    source = """from curated.orders as o
join customers.history as h on h.customer_id = o.customer_id
where h.first_order_date >= $cohort_from and h.first_order_date < $cohort_until
  and o.order_date < (select as_of from customers.cutoff)"""
    if age is not None:
        months = MONTHS[cohort.by]
        parameters |= {
            "age": age,
            "unit_months": months,
            "ordered_from": date.min if age == 0 else _moved(cohort.first, age * months),
            "ordered_until": _moved(cohort.until, (age + 1) * months),
        }
        source += """
  and o.order_date >= $ordered_from and o.order_date < $ordered_until
  and greatest(12 * year(o.order_date) + month(o.order_date)
    - 12 * year(h.first_order_date) - month(h.first_order_date), 0) // $unit_months = $age"""
    return source, parameters
