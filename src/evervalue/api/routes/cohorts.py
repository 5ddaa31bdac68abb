"""Cohorts: whether customers stay, and what they bring at equal age."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from evervalue.api.answers import Format, first_rows, table_answer
from evervalue.api.errors import NotFound
from evervalue.api.queries import cohorts
from evervalue.api.routes.common import reader_of

router = APIRouter(prefix="/v1")


@router.get("/cohorts")
def cohort_cells(request: Request, asked: Annotated[cohorts.CohortsRequest, Query()]) -> Response:
    """Customers by the month, quarter or year of their first sale: retention, revenue and margin at each age.

    `by` is month, quarter or year, by default what suits the length of the history; `meta.by` says which it is. Ages
    count in the same unit from each customer's own first month. A cell that is not complete (`is_complete`) cannot be
    compared; `measure` gives one measure as `value`, and null for those. `part` is cells, sizes (each cohort to date
    and what is expected of it), curves (month by month of age), or orders: the rows behind `cohort` ('2021', '2021-Q1',
    '2021-03') and `age`, the first 1,000 as JSON and all as csv or xlsx.
    """
    reader = reader_of(request)
    with reader.lease() as reading:
        if not reading.has(cohorts.TABLE):
            raise NotFound(
                f"Run {reading.run_id} was published by an earlier version, which had no cohorts. "
                "Run 'evervalue run' again."
            )
        by = asked.by or cohorts.usual_by(reading)
        statement = asked.statement(by)
        more: dict[str, object] = {"by": by}
        file_format: Format = asked.format or "json"
        if asked.part == "orders" and file_format == "json":
            statement, total = first_rows(reading, statement, cohorts.ROWS_SHOWN)
            more |= total
        name = f"cohorts-{asked.part}"
        return table_answer(request, reader, reading, name, statement, file_format, more=more)
