"""Audiences: saved filters of the customers list, who is in them, and what was exported of them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Body
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from evervalue.api.access import needs, who_of
from evervalue.api.answers import Format, file_answer, json_answer, meta
from evervalue.api.audiences import Desk, Now, Part, as_kept, told
from evervalue.api.desks import audiences_of
from evervalue.api.errors import Forbidden
from evervalue.api.queries.customers import CustomerFilters
from evervalue.api.routes.common import reader_of
from evervalue.api.snapshots import Reading, Statement
from evervalue.governance.roles import Right
from evervalue.state.audiences import MOST_NAME, Audience, Export, NameTaken

router = APIRouter(prefix="/v1")
SHOWN = 1000
"""Members that JSON gives; csv and xlsx give all."""
FRESH = {"Cache-Control": "private, no-store"}


class NewAudience(BaseModel):
    """A filter of the customers list, and what it is called."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"name": "EMEA, Mid-Value", "filter": {"tier": ["mid"]}}]},
    )

    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MOST_NAME)]
    filter: CustomerFilters = Field(default_factory=CustomerFilters)
    """As /v1/customers takes it."""


@router.get("/audiences")
def audience_list(request: Request) -> Response:
    """Every audience: its filter, how many it has now, its last export, and who joined and left since."""
    with reader_of(request).lease() as reading:
        rows = [row_of(one) for one in audiences_of(request).all(reading)]
        return _answer(rows, reading)


@router.post("/audiences", status_code=201)
@needs(Right.WORK)
def save(request: Request, new: Annotated[NewAudience, Body()]) -> Response:
    """Saves a filter as an audience of whoever asks. 409 where the name is taken."""
    with reader_of(request).lease() as reading:
        made = save_audience(request, new)
        return _answer(row_of(audiences_of(request).now(reading, made, None)), reading, status=201)


@router.get("/audiences/{audience_id}")
def one_audience(request: Request, audience_id: str) -> Response:
    """One audience, as the list has it."""
    with reader_of(request).lease() as reading:
        desk = audiences_of(request)
        audience = desk.one(audience_id)
        return _answer(row_of(desk.now(reading, audience, _last(desk, audience))), reading)


@router.delete("/audiences/{audience_id}", status_code=204)
@needs(Right.WORK)
def delete(request: Request, audience_id: str) -> Response:
    """Deletes an audience with what is kept of its exports; its owner and who manages may."""
    delete_audience(request, audience_id)
    return Response(status_code=204)


@router.get("/audiences/{audience_id}/members")
def members(request: Request, audience_id: str, part: Part = "all", format: Format = "json") -> Response:
    """Who is in an audience now. `part` gives those alone who joined since its last export, or who left."""
    reader = reader_of(request)
    with reader.lease() as reading:
        desk = audiences_of(request)
        audience = desk.one(audience_id)
        return _customers(request, reading, desk.members(audience, part), f"audience-{part}", format)


@router.get("/audiences/{audience_id}/exports")
def export_list(request: Request, audience_id: str) -> Response:
    """What was exported of an audience, the newest first."""
    with reader_of(request).lease() as reading:
        desk = audiences_of(request)
        audience = desk.one(audience_id)
        return _answer([export_row(one) for one in desk.kept.exports(audience.id)], reading)


@router.post("/audiences/{audience_id}/exports", status_code=201)
@needs(Right.EXPORT)
def export(request: Request, audience_id: str) -> Response:
    """Exports an audience: keeps who is in it now, and says who joined and left since the export before."""
    with reader_of(request).lease() as reading:
        desk = audiences_of(request)
        made = desk.export(reading, desk.one(audience_id), who_of(request).name)
        return _answer(export_row(made), reading, status=201)


@router.get("/audiences/{audience_id}/exports/{number}")
@needs(Right.EXPORT)
def exported(
    request: Request, audience_id: str, number: int, part: Part = "all", format: Format = "csv"
) -> Response:
    """The customers of an export as the newest run has them; `part` gives those alone who joined or left with it."""
    with reader_of(request).lease() as reading:
        desk = audiences_of(request)
        audience = desk.one(audience_id)
        name = f"audience-export-{number}-{part}"
        return _customers(request, reading, desk.exported(audience, number, part), name, format)


def save_audience(request: Request, new: NewAudience) -> Audience:
    """Keeps a new audience of whoever asks.

    Raises
    ------
    HTTPException
        The name is taken (409).
    """
    try:
        return audiences_of(request).kept.save(new.name, who_of(request).name, as_kept(new.filter))
    except NameTaken as error:
        raise HTTPException(409, str(error)) from None


def delete_audience(request: Request, audience_id: str) -> Audience:
    """Forgets an audience.

    Raises
    ------
    NotFound
        There is none of that key.
    Forbidden
        It is somebody else's.
    """
    desk, who = audiences_of(request), who_of(request)
    audience = desk.one(audience_id)
    if audience.owner != who.name and not who.may(Right.MANAGE):
        raise Forbidden(
            f"The audience “{audience.name}” is {audience.owner}'s; they or an admin may delete it."
        )
    desk.kept.delete(audience_id)
    return audience


def row_of(now: Now) -> dict[str, Any]:
    """An audience as the API tells it."""
    diff = now.diff
    return {
        "id": now.audience.id,
        "name": now.audience.name,
        "owner": now.audience.owner,
        "filter": now.audience.filter,
        "says": now.filters.says(diff.customers) if now.filters and diff else None,
        "created_at": now.audience.created_at,
        "customers": diff.customers if diff else None,
        "joined": diff.joined if diff else None,
        "left": diff.left if diff else None,
        "last_export": export_row(now.last) if now.last else None,
    }


def export_row(export: Export) -> dict[str, Any]:
    """An export as the API tells it."""
    return asdict(export)


def _customers(
    request: Request, reading: Reading, statement: Statement, name: str, format_: Format
) -> Response:
    if format_ != "json":
        answer = file_answer(request, reader_of(request), name, statement, format_)
        answer.headers.update(FRESH)
        del answer.headers["ETag"]  # it names the snapshot, and the answer hangs on the exports too
        return answer
    few = Statement(f"select * from (\n{statement.sql}\n) limit {SHOWN}", statement.parameters)
    result = reading.result(few, keep=False)
    count = Statement(f"select count(*) as n from (\n{statement.sql}\n)", statement.parameters)
    total = reading.result(count, keep=False).rows[0][0]
    about = meta(reading, told(statement), result.seconds, total=total, limit=SHOWN)
    answer = json_answer(result.dicts(), about, "")
    answer.headers.update(FRESH)
    del answer.headers["ETag"]
    return answer


def _answer(data: object, reading: Reading, status: int = 200) -> Response:
    answer = json_answer(data, {"run_id": reading.run_id, "as_of": reading.run.as_of}, "")
    answer.status_code = status
    answer.headers.update(FRESH)
    del answer.headers["ETag"]
    return answer


def _last(desk: Desk, audience: Audience) -> Export | None:
    return desk.kept.last_exports().get(audience.id)
