"""Notes on customers, and saved views: what people keep beside the numbers."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Body
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from evervalue.api.access import needs, who_of
from evervalue.api.cells import to_json
from evervalue.api.errors import NotFound
from evervalue.api.kept import notes_of, views_of
from evervalue.api.profile import profile
from evervalue.api.routes.common import reader_of
from evervalue.governance.roles import Right, Who
from evervalue.state.notes import LONGEST
from evervalue.state.views import LONGEST_ADDRESS, LONGEST_NAME

router = APIRouter(prefix="/v1")
Id = Annotated[int, Field(ge=1, le=2**63 - 1)]
"""What the state can hold."""
FRESH = {"Cache-Control": "private, no-store"}


class NewNote(BaseModel):
    """What is to be known of a customer."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"says": "Renews in March."}]})

    says: str = Field(min_length=1, max_length=LONGEST)


class NewView(BaseModel):
    """A page as it is set, under a name."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"name": "Mid-Value in EMEA", "address": "/customers?tier=mid&region=EMEA"}]
        },
    )

    name: str = Field(min_length=1, max_length=LONGEST_NAME)
    address: str = Field(min_length=1, max_length=LONGEST_ADDRESS)
    """Path and query of a page."""
    is_shared: bool = False
    """Whether everybody sees it."""


def owner_of(who: Who) -> str | None:
    """Whose notes and views somebody may take away: one's own, or everybody's (None) for who manages."""
    return None if who.may(Right.MANAGE) else who.name


@router.get("/notes/{customer_id:key}")
def note_list(request: Request, customer_id: str) -> Response:
    """The notes on a customer, the newest first."""
    return _answer([asdict(note) for note in notes_of(request).of(customer_id)])


@router.post("/notes/{customer_id:key}", status_code=201)
@needs(Right.WORK)
def add_note(request: Request, customer_id: str, new: Annotated[NewNote, Body()]) -> Response:
    """Adds a note to a customer of the run, signed by whoever asks."""
    with reader_of(request).lease() as reading:
        if profile(reading, customer_id) is None:
            raise NotFound(
                f"There is no customer with the key '{customer_id[:200]}' in run {reading.run_id}."
            )
    return _answer(asdict(notes_of(request).add(customer_id, new.says, who_of(request).name)), 201)


@router.delete("/notes/{customer_id:key}", status_code=204)
@needs(Right.WORK)
def remove_note(request: Request, customer_id: str, id: Id) -> Response:
    """Takes away a note of one's own; who manages may take away any."""
    if not notes_of(request).remove(id, customer_id, owner_of(who_of(request))):
        raise NotFound(f"There is no note {id} of yours on this customer.")
    return Response(status_code=204)


@router.get("/views")
def view_list(request: Request) -> Response:
    """One's own saved views, and those that are shared."""
    return _answer([asdict(view) for view in views_of(request).of(who_of(request).name)])


@router.post("/views", status_code=201)
@needs(Right.WORK)
def save_view(request: Request, new: Annotated[NewView, Body()]) -> Response:
    """Keeps a view of whoever asks; one's own of the same name is replaced."""
    made = views_of(request).save(new.name, new.address, who_of(request).name, is_shared=new.is_shared)
    return _answer(asdict(made), 201)


@router.delete("/views/{id}", status_code=204)
@needs(Right.WORK)
def remove_view(request: Request, id: Id) -> Response:
    """Takes away a view of one's own; who manages may take away any."""
    if not views_of(request).remove(id, owner_of(who_of(request))):
        raise NotFound(f"There is no view {id} of yours.")
    return Response(status_code=204)


def _answer(data: object, status: int = 200) -> Response:
    return Response(to_json({"data": data, "meta": {}}), status, FRESH, "application/json")
