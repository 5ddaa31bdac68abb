"""Runs: the published one with its settings and tables, those that are kept, and which one readers see."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from evervalue.api import kept_runs
from evervalue.api.access import needs
from evervalue.api.answers import (
    FILE_TYPES,
    PRIVATE,
    FileFormat,
    Format,
    json_answer,
    table_answer,
    unchanged,
)
from evervalue.api.cells import csv_text, to_json
from evervalue.api.queries import run, runs
from evervalue.api.routes.common import reader_of
from evervalue.api.snapshots import Row
from evervalue.api.xlsx import workbook
from evervalue.core.errors import NothingPublished
from evervalue.governance.roles import Right
from evervalue.pipeline.failed_runs import FIELDS, failed_runs
from evervalue.pipeline.progress_file import read_progress
from evervalue.warehouse.publish import Publisher

router = APIRouter(prefix="/v1")


@router.get("/runs")
def run_list(request: Request, asked: Annotated[runs.RunsRequest, Query()]) -> Response:
    """Every kept run, the newest first, what it was made of and found; `part=failed` gives those that failed."""
    publisher = publisher_of(request)
    tag = kept_runs.mark(publisher, request.url.path, request.url.query)
    if (same := unchanged(request, tag)) is not None:
        return same
    failed = asked.part == "failed"
    rows = failed_runs(publisher.data_dir) if failed else kept_runs.listed(publisher)
    if asked.format in ("csv", "xlsx"):
        return rows_as_file(
            "runs-failed" if failed else "runs", rows, asked.format, tag, FIELDS if failed else ()
        )
    found = runs.page(rows, asked)
    about: dict[str, object] = {
        "run_id": publisher.current_id(),
        "total": found.total,
        "sort": runs.SORT,
        "next_cursor": found.next,
        "previous_cursor": found.previous,
    }
    return json_answer(found.rows, about, tag)


@router.get("/runs/current")
def current_run(request: Request, part: run.Part = "run", format: Format = "json") -> Response:
    """The published run: its settings; `part` gives sources (reconciliation), tables (with SQL) or columns."""
    reader = reader_of(request)
    with reader.lease() as reading:
        return table_answer(
            request, reader, reading, f"run-{part}", run.PARTS[part](), format, one=part == "run"
        )


@router.get("/runs/progress")
def run_progress(request: Request) -> Response:
    """What the run that is under way is doing, or how the last one ended; null where nothing is known."""
    publisher = publisher_of(request)
    found = read_progress(publisher.data_dir, request.app.state.clock)
    body = to_json({"data": found, "meta": {"run_id": publisher.current_id()}})
    return Response(body, media_type="application/json", headers={"Cache-Control": "no-store"})


@router.get("/runs/{run_id}")
def one_run(request: Request, run_id: str, part: runs.Part = "run", format: Format = "json") -> Response:
    """One kept run: inputs with checksums, settings, versions, seconds a table; `part` gives inputs or tables alone."""
    publisher = publisher_of(request)
    found = kept_runs.whole(publisher, run_id)
    tag = kept_runs.mark(publisher, request.url.path, request.url.query)
    if (same := unchanged(request, tag)) is not None:
        return same
    rows: list[Row] = found[part] if part != "run" else [found]
    if format != "json":
        flat = [{k: v for k, v in row.items() if not isinstance(v, dict | list)} for row in rows]
        return rows_as_file(f"{part}-{run_id}", flat, format, tag)
    return json_answer(found if part == "run" else rows, {"run_id": run_id}, tag)


@router.post("/runs/{run_id}/publish")
@needs(Right.MANAGE)
def publish_run(request: Request, run_id: str) -> Response:
    """Points readers to a kept run. Requests that have begun end on the run they began on; none fails."""
    publisher = publisher_of(request)
    found = show(publisher, run_id)
    return json_answer(found, {"run_id": run_id}, kept_runs.mark(publisher, request.url.path))


def show(publisher: Publisher, run_id: str) -> Row:
    """Points readers to a kept run, and says which one they see now.

    Raises
    ------
    NotFound
        No kept run has that name.
    StorageError
        Its file is not the one that was published.
    """
    kept_runs.run_of(publisher, run_id)
    before = publisher.current_id()
    with suppress(NothingPublished):  # taken away in this moment: then nothing is pointed to it
        publisher.rollback(run_id)
    kept_runs.run_of(publisher, run_id)
    return {"run_id": run_id, "before": before}


def publisher_of(request: Request) -> Publisher:
    """The published runs of the application."""
    return reader_of(request).publisher


def rows_as_file(
    name: str, rows: Sequence[Row], format_: FileFormat, tag: str, columns: Sequence[str] = ()
) -> Response:
    """A few rows as a file."""
    head = list(columns or (rows[0] if rows else ()))
    cells: list[list[Any]] = [[row.get(column) for column in head] for row in rows]
    body = csv_text([head, *cells]).encode() if format_ == "csv" else b"".join(workbook(name, head, cells))
    disposition = f'attachment; filename="{name}.{format_}"'
    return Response(
        body,
        media_type=FILE_TYPES[format_],
        headers={"ETag": tag, "Content-Disposition": disposition, **PRIVATE},
    )
