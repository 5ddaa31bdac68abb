"""Revenue: where money comes from."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from evervalue.api.errors import NotFound
from evervalue.api.queries import overview, revenue
from evervalue.api.requests import RevenueRequest
from evervalue.api.snapshots import Reading, Row
from evervalue.dashboard import revenue_words
from evervalue.dashboard.charts.months import months
from evervalue.dashboard.charts.revenue import concentration, top_values
from evervalue.dashboard.links import to
from evervalue.dashboard.listing import View, asked_for
from evervalue.dashboard.view import formats_of, is_fragment, reader_of, render

GRID = "div#grid"
TOP = 12


def page(request: Request) -> Response:
    """The page at /revenue; `?by=` chooses the dimension, and `&value=` opens one value of it."""
    asked = asked_for(RevenueRequest, request)
    if asked.format in ("csv", "xlsx"):  # a form without script sends the page's address
        return RedirectResponse(to(f"/v1/revenue?{request.url.query}"), status_code=303)
    with reader_of(request).lease() as reading:
        if not reading.has(revenue.TABLE):
            return render(request, "revenue_none.html", reading, page="revenue", is_earlier=True)
        found = revenue.known(reading)
        if not found:
            return render(request, "revenue_none.html", reading, page="revenue", is_earlier=False)
        dimension = revenue.dimension_of(reading, asked.by) if asked.by else found[0]
        if asked.by and "value" in request.query_params:
            return _one(request, reading, dimension, asked.value)
        return _all(request, reading, found, dimension, asked)


def value_url(by: str, value: str) -> str:
    """The page of a value; an empty one is what the source says nothing of."""
    return to("/revenue?" + urlencode({"by": by, "value": value}))


def _all(
    request: Request, reading: Reading, found: list[Row], dimension: Row, asked: RevenueRequest
) -> Response:
    formats, by = formats_of(request, reading), str(dimension["dimension"])
    query = revenue.values(by, asked.q)
    shown = query.page(reading, asked.page(revenue.DEFAULT_SORT))
    view = View("/revenue", (("by", by), ("q", asked.q)), asked.sort, revenue.DEFAULT_SORT)
    totals = reading.rows(revenue.totals(by))[0]
    periods = reading.row(revenue.periods())
    context: dict[str, Any] = {
        "by": by,
        "asked": asked,
        "view": view,
        "rows": shown.rows,
        "found": shown,
        "total": query.total(reading),
        "totals": totals,
        "statement": shown.statement,
        "has_margin": totals["margin"] is not None,
        "has_returns": totals["returned"] != 0,
        "periods": periods,
        "compared": revenue_words.compared(periods),
        "plural": revenue_words.plural(by),
        "name_of": lambda row: revenue_words.shown(row, by),
        "value_url": value_url,
    }
    if is_fragment(request, GRID):
        push = {"HX-Push-Url": view.here(asked)}
        return render(
            request, "revenue_grid.html", reading, page="revenue", headers=push, fragment=True, **context
        )
    best = reading.rows(revenue.top(by, TOP))
    names = [_name(row, by, formats.number(row["value_count"])) for row in best]
    curve = reading.rows(revenue.concentration(by)) if totals["value_count"] >= revenue_words.FEW else []
    return render(
        request,
        "revenue.html",
        reading,
        page="revenue",
        fragment=False,
        dimensions=found,
        dimension=dimension,
        best=list(zip(best, names, strict=True)),
        title=revenue_words.finding(best, totals, by, formats),
        best_chart=top_values(*_drawn(best, names), lambda value: value_url(by, value), formats),
        curve=curve,
        curve_title=revenue_words.concentrated(curve, by, formats),
        curve_chart=concentration(curve, revenue_words.plural(by), formats) if curve else {},
        **context,
    )


def _name(row: Row, by: str, number: str) -> str:
    return f"all {number} others" if row["place"] is None else revenue_words.shown(row, by)


def _drawn(best: list[Row], names: list[str]) -> tuple[list[Row], list[str]]:
    """What the chart shows: all others too, unless their bar would dwarf every other one; the table has them."""
    if len(best) > 1 and best[-1]["place"] is None and best[-1]["revenue"] > 2 * best[0]["revenue"]:
        return best[:-1], names[:-1]
    return best, names


def _one(request: Request, reading: Reading, dimension: Row, value: str) -> Response:
    formats, by = formats_of(request, reading), str(dimension["dimension"])
    row = reading.row(revenue.one(by, value))
    if row is None:
        raise NotFound(f"Nothing was sold with {by} “{value[:100]}” in this run.")
    name = revenue_words.shown(row, by)
    statement = revenue.months(dimension, value)
    by_month = reading.rows(statement)
    periods = reading.row(revenue.periods())
    return render(
        request,
        "revenue_value.html",
        reading,
        page="revenue",
        by=by,
        row=row,
        name=name,
        plural=revenue_words.plural(by),
        headline=reading.rows(overview.headline())[0],
        title=revenue_words.of_value(name, row, formats),
        compared=revenue_words.compared(periods),
        months_title=revenue_words.by_month(row, periods, formats),
        months=by_month,
        months_chart=months(by_month, formats, margin=row["margin"] is not None),
        statement=statement,
        lines_url=lambda kind: to(
            "/v1/revenue?" + urlencode({"by": by, "value": value, "part": "lines", "format": kind})
        ),
    )


ROUTES = [Route("/revenue", page)]
