"""What the page of cohorts says: only cohorts of some size are compared, and only at equal age."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal

from evervalue.api.queries.cohorts import By, Measure
from evervalue.api.snapshots import Row
from evervalue.dashboard.formats import Formats
from evervalue.dashboard.words import count

FEW = 30
"""Customers of a cohort below which it is not compared: one of them would decide."""
FEW_DRAWN = 20
"""Customers of a cohort below which it has no curve: it would jump with each of them."""
COMPARED: tuple[tuple[By, int], ...] = (("year", 12), ("quarter", 6), ("month", 3))
"""Cohorts that are compared, the longest first, each after so many months."""
CAME_BACK = (12, 6, 3, 1)
MEASURES: dict[Measure, str] = {"retention": "Retention", "revenue": "Revenue", "margin": "Profit"}
PLURAL = {"month": "months", "quarter": "quarters", "year": "years"}


def name(by: By, first: date, formats: Formats) -> str:
    """A cohort as people say it: Mar 2021, Q1 2021, 2021."""
    if by == "month":
        return formats.month(first)
    return f"Q{(first.month + 2) // 3} {first.year}" if by == "quarter" else str(first.year)


def ratio(now: Decimal, before: Decimal, noun: str, formats: Formats) -> str:
    """How much more or less: '1.4 times as much profit as', '12% less profit than', 'about as much profit as'."""
    times = float(now) / float(before)
    if times >= 1.95:
        return f"{formats.about(times)} times as much {noun} as"
    if abs(times - 1) < 0.025:
        return f"about as much {noun} as"
    return f"{formats.percent(abs(times - 1))} {'more' if times > 1 else 'less'} {noun} than"


def finding(curves: Mapping[str, Sequence[Row]], column: str, noun: str, formats: Formats) -> str:
    """How the newest cohort that can be compared does beside the one before; else how many come back.

    `curves` are rows of `insight.cohort_curves` by unit, 'all' among them; `column` is the mean to compare.
    """
    for by, months in COMPARED:
        reached = [
            row
            for row in curves.get(by, ())
            if row["age_months"] == months - 1 and row["customers"] >= FEW and row[column] is not None
        ]
        if len(reached) < 2:
            continue
        before, now = reached[-2], reached[-1]
        who, those = name(by, now["cohort"], formats), name(by, before["cohort"], formats)
        within = f"in their first {months} months"
        if before[column] > 0 and now[column] > 0:
            more = ratio(now[column], before[column], noun, formats)
            return f"A customer of {who} brought {more} one of {those} {within}"
        each = f"{formats.whole_money(now[column])} {noun} {within}"
        return f"A customer of {who} brought {each}, one of {those} {formats.whole_money(before[column])}"
    return came_back(curves.get("all", ()), formats)


def came_back(all_together: Sequence[Row], formats: Formats) -> str:
    """Which share of customers ordered in a later month, as far out as enough of them have come."""
    by_age = {row["age_months"]: row for row in all_together}
    for age in CAME_BACK:
        row = by_age.get(age)
        if row is None or row["customers"] < min(FEW, by_age[0]["customers"]):
            continue
        after = "the month" if age == 1 else f"month {formats.number(age)}"
        return f"{formats.percent(row['retention'])} of customers order again in {after} after their first"
    return "It is too early to say who comes back"


def curve_title(lines: Sequence[tuple[str, Sequence[Row]]], measure: Measure, formats: Formats) -> str:
    """The newest cohort beside all together, at the oldest age that it has."""
    if not lines or not lines[-1][1]:
        return "No cohort has lived a whole month yet"
    who, rows = lines[-1]
    last = rows[-1]
    months = count(last["age_months"] + 1, "month", formats)
    if measure == "retention":
        if last["age_months"] == 0:
            return f"Customers of {who} have just begun"
        return f"{formats.percent(last['retention'])} of the customers of {who} ordered in month {last['age_months']}"
    each = formats.whole_money(last[f"mean_{measure}"])
    noun = "profit" if measure == "margin" else "revenue"
    return f"A customer of {who} has brought {each} {noun} in {months}"
