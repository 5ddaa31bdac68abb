"""Runs: the published one with its settings and tables."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from evervalue.api.answers import Format, table_answer
from evervalue.api.queries import run
from evervalue.api.routes.common import reader_of

router = APIRouter(prefix="/v1")


@router.get("/runs/current")
def current_run(request: Request, part: run.Part = "run", format: Format = "json") -> Response:
    """The published run: its settings; `part` gives sources (reconciliation), tables (with SQL) or columns."""
    reader = reader_of(request)
    with reader.lease() as reading:
        return table_answer(
            request, reader, reading, f"run-{part}", run.PARTS[part](), format, one=part == "run"
        )
