"""Two runs held against each other."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from evervalue.api import compare
from evervalue.api.answers import etag, file_answer, json_answer, meta, unchanged
from evervalue.api.errors import NotFound
from evervalue.api.queries import compare as queries
from evervalue.api.routes.runs import publisher_of, rows_as_file

router = APIRouter(prefix="/v1")


@router.get("/compare")
def compare_runs(request: Request, asked: Annotated[queries.CompareRequest, Query()]) -> Response:
    """A run against another (by default the one before it): totals, movement between tiers, customers, settings."""
    publisher = publisher_of(request)
    run_id, against = compare.chosen(publisher, asked.run, asked.against)
    if against is None:
        raise NotFound(f"Run {run_id} is the only one that is kept; there is nothing to hold it against.")
    reader = compare.comparisons_of(request).between(run_id, against)
    with reader.lease() as reading:
        tag = etag(reading, request, against)
        if (same := unchanged(request, tag)) is not None:
            return same
        before = publisher.get(against)
        more: dict[str, object] = {
            "against": against,
            "against_as_of": before.manifest.get("as_of"),
            "money_is_comparable": compare.comparable(reading.run, before),
        }
        name = f"compare-{asked.part}-{against}"
        if asked.part == "settings":
            rows = compare.settings_changed(publisher.get(run_id), before)
            if asked.format in ("csv", "xlsx"):
                return rows_as_file(name, rows, asked.format, tag, ("setting", "before", "now"))
            return json_answer(rows, {"run_id": run_id, **more}, tag)
        if asked.part == "customers":
            query = asked.query()
            page = asked.page(queries.DEFAULT_SORT)
            if asked.format in ("csv", "xlsx"):
                return file_answer(
                    request, reader, name, query.everything(page.sort), asked.format, tagged=(against,)
                )
            found = query.page(reading, page)
            about = meta(
                reading,
                found.statement,
                found.seconds,
                total=query.total(reading),
                sort=page.sort,
                next_cursor=found.next,
                previous_cursor=found.previous,
                changes=reader.changes,
                **more,
            )
            return json_answer(found.rows, about, tag)
        statement = queries.summary(reading) if asked.part == "summary" else queries.movement()
        if asked.format in ("csv", "xlsx"):
            return file_answer(request, reader, name, statement, asked.format, tagged=(against,))
        result = reading.result(statement)
        rows = result.dicts()
        return json_answer(
            rows[0] if asked.part == "summary" else rows,
            meta(reading, statement, result.seconds, changes=reader.changes, **more),
            tag,
        )
