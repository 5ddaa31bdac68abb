"""Overview: what our customer base is worth."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from evervalue.api.queries import gems, overview, segments
from evervalue.api.queries import run as of_run
from evervalue.api.queries import value as of_value
from evervalue.core.errors import NothingPublished
from evervalue.dashboard import prospect, words
from evervalue.dashboard.charts.months import months
from evervalue.dashboard.charts.top_customers import top_customers
from evervalue.dashboard.listing import asked_for
from evervalue.dashboard.pages import welcome
from evervalue.dashboard.pages.changes import PairRequest
from evervalue.dashboard.view import formats_of, reader_of, render

TOP = 10


def page(request: Request) -> Response:
    """The page at /; before the first run, the page that leads to it."""
    try:
        return _page(request)
    except NothingPublished:
        return welcome.first(request)


def _page(request: Request) -> Response:
    with reader_of(request).lease() as reading:
        formats = formats_of(request, reading)
        headline = reading.rows(overview.headline())[0]
        tiers = reading.rows(segments.tiers())
        by_month = reading.rows(overview.revenue())
        best = reading.rows(gems.top_customers(TOP))
        has_margin = any(m["margin"] for m in by_month)
        return render(
            request,
            "overview.html",
            reading,
            asked=asked_for(PairRequest, request),
            page="overview",
            headline=headline,
            value=reading.row(of_value.headline()),
            prospect=prospect,
            tiers=tiers,
            months=by_month,
            has_margin=has_margin,
            best=best,
            sources=reading.rows(of_run.sources()),
            best_title=words.gem_headline(headline, reading.run, TOP),
            tiers_title=words.tier_finding(tiers, reading.run, formats),
            months_title=words.money_by_month(by_month, formats),
            months_chart=months(by_month, formats, margin=has_margin),
            best_chart=top_customers(best, formats),
        )


ROUTES = [Route("/", page)]
