"""Targeting: whom to contact with what budget, and what that is expected to bring."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from evervalue.actions.factors import factors
from evervalue.api.queries import overview, targeting
from evervalue.api.requests import TargetingRequest
from evervalue.api.routes.actions import carbon, in_force
from evervalue.dashboard import act_words
from evervalue.dashboard.charts.targeting import targeting as hill
from evervalue.dashboard.links import url
from evervalue.dashboard.listing import View, asked_for
from evervalue.dashboard.pages.act import PAGE
from evervalue.dashboard.view import formats_of, is_fragment, reader_of, render

PATH = "/act/targeting"
FOUND = "div#targeted"
GRID = "div#grid"
TERMS = (
    "budget",
    "contact_cost",
    "effect",
    "uplift",
    "uplift_low",
    "uplift_high",
    "margin",
    "channel",
)
LISTED = 25


def page(request: Request) -> Response:
    """The page at /act/targeting, or what was found, or its list alone where htmx asks for them."""
    asked = asked_for(TargetingRequest, request)
    if "limit" not in request.query_params:
        asked = asked.model_copy(update={"limit": LISTED})
    with reader_of(request).lease() as reading:
        formats = formats_of(request, reading)
        terms = targeting.terms_of(reading, asked)
        statement = targeting.summary(terms)
        found = reading.rows(statement)[0]
        said = in_force(terms)
        pairs = _pairs(asked)
        view = View(PATH, pairs, asked.sort, targeting.CHOSEN_SORT)
        chosen = targeting.chosen_customers(reading, terms, found)
        listed = chosen.page(reading, asked.page(targeting.CHOSEN_SORT))
        context: dict[str, Any] = {
            "place": "targeting",
            "asked": asked,
            "view": view,
            "row": found,
            "terms": said,
            "words": act_words,
            "listed": listed,
            "listed_statement": listed.statement,
            "export": {
                name: url(
                    "/v1/targeting", [*pairs, ("part", "customers"), ("sort", asked.sort), ("format", name)]
                )
                for name in ("csv", "xlsx", "")
            },
        }
        if is_fragment(request, GRID):
            push = {"HX-Push-Url": view.here(asked)}
            return render(request, "act_targeting_grid.html", reading, page=PAGE, headers=push, **context)
        curve = reading.rows(targeting.curve(terms, int(found["contacts"]), int(found["predicted"])))
        context |= {
            "statement": statement,
            "title": act_words.targeting_title(found, said, formats),
            "among": asked.says_filters(int(found["customers"]), formats.number(found["customers"])),
            "curve": curve,
            "hill": hill(curve, formats),
            "carbon": carbon(terms, found),
            "factor": factors().of(said["channel"]),
            "factors": factors(),
            "regions": [r["region"] for r in reading.rows(overview.regions())],
            "others": [(n, v) for n, v in pairs if n not in (*TERMS, "tier", "region")],
            "audience": url("/act/audiences", _audience(asked, found)),
        }
        if is_fragment(request, FOUND):
            push = {"HX-Push-Url": view.here(asked)}
            return render(
                request,
                "act_targeting_found.html",
                reading,
                page=PAGE,
                headers=push,
                fragment=True,
                **context,
            )
        return render(request, "act_targeting.html", reading, page=PAGE, fragment=False, **context)


def _pairs(asked: TargetingRequest) -> tuple[tuple[str, object], ...]:
    """The terms and the filters that are set, as an address carries them."""
    terms = tuple((name, _shown(getattr(asked, name))) for name in TERMS)
    return (*terms, *_filters(asked))


def _filters(asked: TargetingRequest) -> tuple[tuple[str, object], ...]:
    given = asked.filters().model_dump(mode="json", exclude_defaults=True)
    return tuple(
        (name, each if isinstance(each, bool) else str(each))
        for name, value in given.items()
        for each in (value if isinstance(value, list | tuple) else (value,))
    )


def _audience(asked: TargetingRequest, found: dict[str, Any]) -> list[tuple[str, object]]:
    """The filters of the customers list that leave those chosen, where they can say that."""
    pairs, last = list(_filters(asked)), found["last_base"]
    if asked.base != "expected_clv" or last is None:
        return pairs
    least = last if asked.clv_from is None else max(last, asked.clv_from)
    return [*(pair for pair in pairs if pair[0] != "clv_from"), ("clv_from", least)]


def _shown(value: object) -> object:
    """A term as an address carries it; nothing where the default holds. 0 is said too."""
    return "" if value is None else str(value)


ROUTES = [Route(PATH, page)]
