"""Hidden gems: who earns us much and is not yet loyal, and what do we do."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from evervalue.api.queries import gems, overview
from evervalue.api.requests import GemsRequest
from evervalue.dashboard import words
from evervalue.dashboard.charts.behaviour import behaviour
from evervalue.dashboard.charts.top_customers import top_customers
from evervalue.dashboard.listing import View, asked_for
from evervalue.dashboard.view import formats_of, is_fragment, reader_of, render

TOP = 20
DRAWN = 400
GRID = "div#grid"


def page(request: Request) -> Response:
    """The page at /gems, or its table alone where htmx asks for it."""
    asked = asked_for(GemsRequest, request)
    with reader_of(request).lease() as reading:
        formats = formats_of(request, reading)
        query = asked.query()
        shown = query.page(reading, asked.page(gems.DEFAULT_SORT))
        total = query.total(reading)
        view = View("/gems", (("q", asked.q), ("action", asked.action)), asked.sort, gems.DEFAULT_SORT)
        actions = reading.rows(gems.action_summary())
        titles = {row["action"]: row["action_title"] for row in actions}
        context: dict[str, Any] = {
            "view": view,
            "asked": asked,
            "rows": shown.rows,
            "found": shown,
            "total": total,
            "says": asked.says(total, formats.number(total), titles.get(asked.action)),
            "statement": shown.statement,
            "actions": actions,
        }
        if is_fragment(request, GRID):
            push = {"HX-Push-Url": view.here(asked)}
            return render(
                request, "gems_grid.html", reading, page="gems", headers=push, fragment=True, **context
            )
        headline = reading.rows(overview.headline())[0]
        best = reading.rows(gems.top_customers(TOP))
        points = reading.rows(gems.behaviour_points(int(headline["scored_customers"]), DRAWN))
        return render(
            request,
            "gems.html",
            reading,
            page="gems",
            fragment=False,
            headline=headline,
            title=words.gem_headline(headline, reading.run, TOP),
            rule=words.gem_rule(reading.run, formats),
            best=best,
            points=points,
            drawn_all=len(points) >= int(headline["scored_customers"]),
            best_chart=top_customers(best, formats),
            points_chart=behaviour(points, reading.run.bins, words.value_word(reading.run), formats),
            **context,
        )


ROUTES = [Route("/gems", page)]
