"""Cohorts: whether we keep them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from evervalue.api.queries import cohorts, overview
from evervalue.api.queries.cohorts import By, Cohort, Measure
from evervalue.api.snapshots import Reading, Row
from evervalue.dashboard import cohort_words, prospect, words
from evervalue.dashboard.charts.cohorts import curves
from evervalue.dashboard.formats import Formats
from evervalue.dashboard.links import url
from evervalue.dashboard.listing import asked_for
from evervalue.dashboard.view import formats_of, reader_of, render

ROWS, AGES = 24, 24
"""Cohorts and ages that the heat map shows; the rest is in the files."""
LINES = 6
STEPS = 8


class PageRequest(BaseModel):
    """Which cohorts the page shows, and by which measure. Empty values mean the default."""

    model_config = ConfigDict(frozen=True)

    by: By | Literal[""] = ""
    measure: Measure | Literal[""] = ""


@dataclass(frozen=True)
class Line:
    """One row of the heat map."""

    cohort: Cohort
    name: str
    customers: int
    cells: tuple[Row | None, ...]
    """By age; None where nobody, or not everybody, has lived it yet."""


def page(request: Request) -> Response:
    """The page at /cohorts; `?by=` and `?measure=` choose the cohorts and what is told of them."""
    asked = asked_for(PageRequest, request)
    with reader_of(request).lease() as reading:
        if not reading.has(cohorts.TABLE):
            return render(request, "cohorts_earlier.html", reading, page="cohorts")
        formats = formats_of(request, reading)
        headline = reading.rows(overview.headline())[0]
        by = asked.by or cohorts.usual_by(reading)
        has_margin = headline["margin"] is not None
        measure: Measure = asked.measure or "retention"
        if measure == "margin" and not has_margin:
            measure = "revenue"
        every = reading.rows(cohorts.sizes(by))
        cells = reading.rows(cohorts.cells(by))
        lines = heat(every, cells, by, measure, formats)
        drawn, drawn_by = _drawn(reading, by, formats)
        together = reading.rows(cohorts.curves("all"))
        basis = "margin" if reading.run.monetary_basis == "margin" else "revenue"
        begun = [row for row in every if row["customers"]]
        return render(
            request,
            "cohorts.html",
            reading,
            page="cohorts",
            headline=headline,
            by=by,
            measure=measure,
            measures=[m for m in cohort_words.MEASURES if m != "margin" or has_margin],
            measure_names=cohort_words.MEASURES,
            unit=by,
            units=cohort_words.PLURAL[by],
            title=_title(reading, together, basis, formats),
            lines=lines[:ROWS],
            ages=range(max((len(line.cells) for line in lines[:ROWS]), default=0)),
            cohorts_left_out=len(lines) - ROWS,
            ages_left_out=max((c["age"] for c in cells if c["is_complete"]), default=0) - AGES,
            oldest=min((row["cohort"] for row in begun), default=None),
            silent=_silent(every, by, formats),
            sizes=begun[:ROWS],
            cohort_of=lambda first: Cohort(by, first),
            name_of=lambda first: cohort_words.name(by, first, formats),
            together=together,
            drawn=drawn,
            drawn_units=cohort_words.PLURAL[drawn_by],
            curve_title=cohort_words.curve_title(drawn, measure, formats),
            curve_ages=range(max((len(rows) for _, rows in drawn), default=0)),
            curve_chart=curves(drawn, _common(drawn, together), measure, formats),
            few_drawn=cohort_words.FEW_DRAWN,
            statement=cohorts.cells(by, measure),
            prospect=prospect,
            is_predicted=any(row["expected_clv"] is not None for row in begun),
            address=lambda **more: url(
                "/cohorts", {"by": asked.by, "measure": asked.measure, **more}.items()
            ),
        )


def heat(
    every: Sequence[Row], cells: Sequence[Row], by: By, measure: Measure, formats: Formats
) -> list[Line]:
    """The heat map, the newest cohort first, each cell with its step on the one-colour ramp.

    Cohorts without a customer between others are rows without cells; those after the newest one that has any are left
    out, and said in words.
    """
    column = cohorts.VALUES[measure]
    found: dict[Any, dict[int, Row]] = {}
    for cell in cells:
        if cell["is_complete"] and cell["age"] <= AGES and cell[column] is not None:
            found.setdefault(cell["cohort"], {})[cell["age"]] = cell
    shown = [
        c[column]
        for by_age in found.values()
        for age, c in by_age.items()
        if age > 0 or measure != "retention"
    ]
    least, most = min(shown, default=0), max(shown, default=0)
    lines: list[Line] = []
    for row in every:
        if not row["customers"] and not lines:
            continue
        known = found.get(row["cohort"], {})
        ages = range(max(known, default=-1) + 1)
        line = tuple(_cell(known.get(age), column, least, most) for age in ages)
        name = cohort_words.name(by, row["cohort"], formats)
        lines.append(Line(Cohort(by, row["cohort"]), name, row["customers"], line))
    return lines


def _cell(cell: Row | None, column: str, least: Decimal | float, most: Decimal | float) -> Row | None:
    return cell and {**cell, "value": cell[column], "step": step(cell[column], least, most)}


def step(value: Decimal | float, least: Decimal | float, most: Decimal | float) -> int:
    """The place of a value on the ramp of eight, between the least and the most that is shown; 0 for nothing and below.

    >>> step(0.25, 0.25, 0.65), step(0.46, 0.25, 0.65), step(1, 0.25, 0.65), step(0, 0, 0)
    (1, 5, 8, 0)
    """
    if value <= 0:
        return 0
    low, high = max(float(least), 0.0), float(most)
    if high <= low:
        return STEPS if float(value) > high else STEPS // 2
    return min(STEPS, 1 + int(STEPS * (float(value) - low) / (high - low)))


def _drawn(reading: Reading, by: By, formats: Formats) -> tuple[list[tuple[str, list[Row]]], By]:
    """The newest cohorts as curves: the longest unit of which two have three months of age; else the page's own."""
    units: tuple[By, ...] = ("year", "quarter", "month")
    for unit in (*units, by):
        grouped: dict[Any, list[Row]] = {}
        for row in reading.rows(cohorts.curves(unit)):
            grouped.setdefault(row["cohort"], []).append(row)
        if sum(len(rows) >= 3 for rows in grouped.values()) >= 2 or (unit == by and units.index(by) == 2):
            break
    lines = [(cohort_words.name(unit, first, formats), rows) for first, rows in grouped.items()]
    large = [
        line for line in lines if len(line[1]) >= 3 and line[1][0]["customers"] >= cohort_words.FEW_DRAWN
    ]
    return (large or lines)[-LINES:], unit


def _common(drawn: Sequence[tuple[str, Sequence[Row]]], together: list[Row]) -> list[Row]:
    """The curve of all, as far as two of the drawn ones go: beyond, it would be that of the oldest alone."""
    longest = sorted((len(rows) for _, rows in drawn), reverse=True)
    return together[: longest[1]] if len(longest) > 1 else []


def _title(reading: Reading, together: list[Row], basis: str, formats: Formats) -> str:
    if not together:
        return (
            "No customer has lived a whole month yet"
            if reading.rows(cohorts.sizes("year"))
            else "No sale yet"
        )
    units: tuple[By, ...] = ("year", "quarter", "month")
    known: dict[str, Sequence[Row]] = {unit: reading.rows(cohorts.curves(unit)) for unit in units}
    return cohort_words.finding(
        {**known, "all": together}, f"mean_{basis}", words.value_word(reading.run), formats
    )


def _silent(every: Sequence[Row], by: By, formats: Formats) -> str:
    """Since when nobody new came, where whole units passed without anybody."""
    begun = next((place for place, row in enumerate(every) if row["customers"]), None)
    if not begun:
        return ""
    since = cohort_words.name(by, every[begun]["cohort"], formats)
    return f"No new customer since {since}."


ROUTES = [Route("/cohorts", page)]
