"""Quick search: customers and pages, from anywhere, while somebody types."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from evervalue.api.queries.base import Page
from evervalue.api.queries.customers import DEFAULT_SORT, CustomerFilters, Text
from evervalue.dashboard.links import url
from evervalue.dashboard.listing import asked_for
from evervalue.dashboard.navigation import places
from evervalue.dashboard.view import reader_of, render

SHOWN = 8


class SearchRequest(BaseModel):
    """What is typed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    q: Text = ""


def page(request: Request) -> Response:
    """The results at /search?q=, for the box on every page; without script, the list of customers."""
    asked = asked_for(SearchRequest, request)
    if request.headers.get("hx-request") != "true":
        return RedirectResponse(url("/customers", [("q", asked.q)]), status_code=303)
    with reader_of(request).lease() as reading:
        found = None
        if asked.q:
            found = CustomerFilters(q=asked.q).query().page(reading, Page(DEFAULT_SORT, limit=SHOWN))
        return render(
            request,
            "search.html",
            reading,
            page="",
            q=asked.q,
            found=found.rows if found else [],
            is_more=bool(found and found.next),
            named=[place for place in places() if asked.q and asked.q.lower() in place.name.lower()],
        )


ROUTES = [Route("/search", page)]
