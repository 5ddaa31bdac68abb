"""Audiences: saved filters of the customers list, with who joined and who left since they were last exported."""

from __future__ import annotations

from typing import Any

from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from evervalue.api.access import form_of, needs, who_of
from evervalue.api.audiences import Now
from evervalue.api.desks import audiences_of
from evervalue.api.queries.customers import CustomerFilters
from evervalue.api.routes.audiences import NewAudience, delete_audience, save_audience
from evervalue.dashboard.formats import Formats
from evervalue.dashboard.links import to, url
from evervalue.dashboard.listing import asked_for
from evervalue.dashboard.pages.act import PAGE
from evervalue.dashboard.view import formats_of, reader_of, render
from evervalue.governance.roles import Right

PATH = "/act/audiences"


class PageRequest(CustomerFilters):
    """The filter that a new audience would have."""


def page(request: Request) -> Response:
    """The page at /act/audiences; with a filter in its address it offers to save that."""
    asked = asked_for(PageRequest, request)
    with reader_of(request).lease() as reading:
        formats = formats_of(request, reading)
        total = asked.query().total(reading)
        every = [_shown(one, formats) for one in audiences_of(request).all(reading)]
        return render(
            request,
            "act_audiences.html",
            reading,
            page=PAGE,
            place="audiences",
            every=every,
            title=_title(every, formats),
            fields=_pairs(asked),
            new_says=asked.says(total, formats.number(total)),
            new_url=url("/customers", _pairs(asked)),
            saved=request.query_params.get("saved", "")[:200],
            may_delete=lambda row: row["owner"] == who_of(request).name or who_of(request).may(Right.MANAGE),
        )


@needs(Right.WORK)
def save(request: Request) -> Response:
    """Saves the filter of the form under its name, and goes back to the list."""
    form = form_of(request)
    fields: dict[str, Any] = {
        name: form.getlist(name) if name in ("tier", "region") or len(form.getlist(name)) > 1 else form[name]
        for name in CustomerFilters.model_fields
        if name in form
    }
    try:
        new = NewAudience.model_validate({"name": form.get("name", ""), "filter": fields})
    except ValidationError as error:
        raise RequestValidationError(error.errors()) from None
    made = save_audience(request, new)
    return RedirectResponse(url(PATH, [("saved", made.name)]), status_code=303)


@needs(Right.EXPORT)
def export(request: Request) -> Response:
    """Exports an audience: keeps who is in it, and sends the file."""
    form = form_of(request)
    wanted = "xlsx" if form.get("format") == "xlsx" else "csv"
    audience_id = str(request.path_params["audience_id"])
    with reader_of(request).lease() as reading:
        desk = audiences_of(request)
        made = desk.export(reading, desk.one(audience_id), who_of(request).name)
    address = url(f"/v1/audiences/{audience_id}/exports/{made.number}", [("format", wanted)])
    return RedirectResponse(address, status_code=303)


@needs(Right.WORK)
def delete(request: Request) -> Response:
    """Forgets an audience, and goes back to the list."""
    delete_audience(request, str(request.path_params["audience_id"]))
    return RedirectResponse(to(PATH), status_code=303)


def _title(every: list[dict[str, Any]], formats: Formats) -> str:
    if not every:
        return "No audience yet: save any filter of the customers list"
    number = f"{formats.number(len(every))} {'audience' if len(every) == 1 else 'audiences'}"
    moved = sum(1 for row in every if row["last"] and (row["joined"] or row["left"]))
    if moved:
        return f"{number}; {formats.number(moved)} changed since the last export"
    return f"{number}, none changed since the last export" if any(r["last"] for r in every) else number


def _shown(now: Now, formats: Formats) -> dict[str, Any]:
    """An audience as the page shows it."""
    one, diff = now.audience, now.diff
    return {
        "id": one.id,
        "name": one.name,
        "owner": one.owner,
        "created_at": one.created_at,
        "known": now.filters is not None,
        "says": now.filters.says(diff.customers, formats.number(diff.customers))
        if now.filters and diff
        else "",
        "url": url("/customers", _pairs(now.filters)) if now.filters else "",
        "customers": diff.customers if diff else None,
        "joined": diff.joined if diff else None,
        "left": diff.left if diff else None,
        "last": now.last,
    }


def _pairs(filters: CustomerFilters) -> list[tuple[str, object]]:
    given = filters.model_dump(mode="json", exclude_defaults=True, include=set(CustomerFilters.model_fields))
    return [
        (name, each if isinstance(each, bool) else str(each))
        for name, value in given.items()
        for each in (value if isinstance(value, list | tuple) else (value,))
    ]


ROUTES = [
    Route(PATH, page),
    Route(PATH, save, methods=["POST"]),
    Route(PATH + "/{audience_id}/export", export, methods=["POST"]),
    Route(PATH + "/{audience_id}/delete", delete, methods=["POST"]),
]
