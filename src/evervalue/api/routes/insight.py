"""The whole customer base: the story in one row, tiers and hidden gems."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from evervalue.api.answers import Format, table_answer
from evervalue.api.queries import gems, overview, segments
from evervalue.api.requests import GemsRequest
from evervalue.api.routes.common import list_answer, reader_of

router = APIRouter(prefix="/v1")


@router.get("/headline")
def headline(request: Request, format: Format = "json") -> Response:
    """The whole customer base in one row: customers, tiers, hidden gems, money."""
    reader = reader_of(request)
    with reader.lease() as reading:
        return table_answer(request, reader, reading, "headline", overview.headline(), format, one=True)


@router.get("/segments")
def segment_parts(request: Request, part: segments.Part = "tiers", format: Format = "json") -> Response:
    """What the tiers are made of: `part` is tiers, concentration, lorenz or scores."""
    reader = reader_of(request)
    with reader.lease() as reading:
        return table_answer(request, reader, reading, f"segments-{part}", segments.PARTS[part](), format)


@router.get("/gems")
def gem_list(request: Request, asked: Annotated[GemsRequest, Query()]) -> Response:
    """Hidden gems with reason, recommended action and the smallest step to High-Value."""
    with reader_of(request).lease() as reading:
        return list_answer(request, reading, "gems", asked.query(), asked, gems.DEFAULT_SORT, asked.says)
