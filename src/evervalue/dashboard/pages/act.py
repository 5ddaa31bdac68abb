"""Act: whom to act on next, why, and what people decided about it."""

from __future__ import annotations

import datetime as dt
from typing import Any
from urllib.parse import parse_qsl

from fastapi.exceptions import RequestValidationError
from pydantic import Field, ValidationError
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from evervalue.api.access import form_of, needs, who_of
from evervalue.api.desks import decisions_of
from evervalue.api.queries import actions
from evervalue.api.requests import ActionsRequest
from evervalue.api.routes.actions import Decision, keep
from evervalue.api.snapshots import Reading, Row, Statement
from evervalue.dashboard import act_words
from evervalue.dashboard.links import url
from evervalue.dashboard.listing import View, asked_for
from evervalue.dashboard.view import formats_of, is_fragment, reader_of, render
from evervalue.governance.roles import Right
from evervalue.state.decisions import Decisions

PATH = "/act"
PAGE = "act"
GRID = "div#grid"
LISTED = 25
LOGGED = 10
SNOOZE = dt.timedelta(days=14)
"""For how long an action is snoozed unless somebody says otherwise."""
STATE = ("show", "reason", "q", "sort", "after", "before")
DECIDED = ("customer_id", "reason", "choice", "assignee", "until", "note")


class PageRequest(ActionsRequest):
    """The queue, and what only the page knows: about whom something was just decided."""

    decided: str = Field("", max_length=1000)


def page(request: Request) -> Response:
    """The page at /act, or its table alone where htmx asks for it."""
    asked = asked_for(PageRequest, request)
    if "limit" not in request.query_params:
        asked = asked.model_copy(update={"limit": LISTED})
    with reader_of(request).lease() as reading:
        if not reading.has(actions.TABLE):
            return render(request, "act_earlier.html", reading, page=PAGE, place="queue")
        return _queue(request, reading, asked)


@needs(Right.WORK)
def decide(request: Request) -> Response:
    """Keeps a decision, and shows the queue as it was asked for; the table alone where htmx asks for it."""
    form = form_of(request)
    given = {name: str(form[name]) for name in DECIDED if form.get(name)}
    try:
        decision = Decision.model_validate(given)
    except ValidationError as error:
        raise RequestValidationError(error.errors()) from None
    back = [(name, value) for name, value in parse_qsl(str(form.get("back", ""))) if name in STATE]
    with reader_of(request).lease() as reading:
        keep(request, reading, decision)
        if not is_fragment(request, GRID):
            return RedirectResponse(url(PATH, [*back, ("decided", decision.customer_id)]) + "#queue", 303)
        asked = PageRequest.model_validate({**dict(back), "decided": decision.customer_id, "limit": LISTED})
        return _queue(request, reading, asked)


def _queue(request: Request, reading: Reading, asked: PageRequest) -> Response:
    kept, formats = decisions_of(request), formats_of(request, reading)
    standing = kept.standing()
    query = asked.query(standing, who_of(request).name)
    found = query.page(reading, asked.page(actions.DEFAULT_SORT))
    total = query.total(reading)
    filters = (("show", asked.show), ("reason", asked.reason), ("q", asked.q))
    view = View(PATH, filters, asked.sort, actions.DEFAULT_SORT)
    reasons = reading.rows(actions.reasons(standing))
    titles = {row["reason"]: row["title"] for row in reasons}
    here = view.here(asked)
    export = [*filters, ("sort", asked.sort)]
    context: dict[str, Any] = {
        "view": view,
        "asked": asked,
        "rows": found.rows,
        "found": found,
        "total": total,
        "says": asked.says(total, formats.number(total), titles.get(asked.reason, "")),
        "title": act_words.queue_title(reading.rows(actions.priorities(standing)), formats),
        "statement": actions.told(found.statement),
        "words": act_words,
        "reasons": reasons,
        "filters": filters,
        "back": here.partition("?")[2],
        "export": {name: url("/v1/actions", [*export, ("format", name)]) for name in ("csv", "xlsx", "")},
        "just": _just(reading, kept, asked.decided),
        "log": _named(reading, kept.log(limit=LOGGED)),
        "assignees": kept.assignees(),
        "soon": (kept.today() + SNOOZE).isoformat(),
    }
    if is_fragment(request, GRID):
        return render(
            request,
            "act_grid.html",
            reading,
            page=PAGE,
            headers={"HX-Push-Url": here},
            fragment=True,
            **context,
        )
    return render(request, "act.html", reading, page=PAGE, place="queue", fragment=False, **context)


def _just(reading: Reading, kept: Decisions, customer_id: str) -> Row | None:
    """The newest decision about a customer, with their name; None where nothing was decided."""
    found = kept.log(customer_id=customer_id, limit=1) if customer_id else []
    return _named(reading, found)[0] if found else None


def _named(reading: Reading, log: list[Row]) -> list[Row]:
    """Decisions with the customers' names, where the run still lists them."""
    keys = sorted({row["customer_id"] for row in log})
    if not keys:
        return []
    holders = {f"key_{n}": key for n, key in enumerate(keys)}
    inside = ", ".join(f"${name}" for name in holders)
    sql = f"select customer_id, customer from insight.customer_list where customer_id in ({inside})"
    names = {row["customer_id"]: row["customer"] for row in reading.rows(Statement(sql, holders))}
    return [{**row, "customer": names.get(row["customer_id"])} for row in log]


ROUTES = [Route(PATH, page), Route(f"{PATH}/decisions", decide, methods=["POST"])]
