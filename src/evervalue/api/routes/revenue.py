"""Revenue: by month, and by what is sold, where and to whom."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from evervalue.api.answers import Format, first_rows, table_answer
from evervalue.api.errors import BadRequest, NotFound
from evervalue.api.queries import overview, revenue
from evervalue.api.requests import RevenueRequest
from evervalue.api.routes.common import list_answer, reader_of
from evervalue.api.snapshots import Reading

router = APIRouter(prefix="/v1")


@router.get("/revenue")
def revenue_parts(request: Request, asked: Annotated[RevenueRequest, Query()]) -> Response:
    """Revenue, margin, orders and customers by month, empty months as zeros; with `by` the values of a dimension.

    `by` is product, category, region, country, channel, discount or an attribute of customers: what the run has is
    told by `part=dimensions`. The values of a dimension add up to all revenue; orders and customers do not, for one may
    have several values. `part=concentration` gives the share of the best values, percentile by percentile; with a
    `value` too, `part=months` its months and `part=lines` the lines behind it, the newest 1,000 as JSON and all as csv
    or xlsx. `meta.periods` says which periods `change` compares.
    """
    reader = reader_of(request)
    with reader.lease() as reading:
        file_format: Format = asked.format or "json"
        if not asked.by and asked.part in ("", "months"):
            return table_answer(request, reader, reading, "revenue", overview.revenue(), file_format)
        _held(reading)
        more: dict[str, object] = {"periods": reading.row(revenue.periods())}
        if asked.part == "dimensions":
            found = revenue.dimensions()
            return table_answer(request, reader, reading, "revenue-dimensions", found, file_format, more=more)
        if not asked.by:
            raise BadRequest(f"part={asked.part} needs 'by', the dimension.")
        dimension = revenue.dimension_of(reading, asked.by)
        if asked.part in ("", "values"):
            query = revenue.values(asked.by, asked.q)
            return list_answer(
                request, reading, "revenue", query, asked, revenue.DEFAULT_SORT, lambda total: _says(asked, total),
                more=more,
            )  # fmt: skip
        if asked.part == "concentration":
            statement = revenue.concentration(asked.by)
        else:
            if reading.row(revenue.one(asked.by, asked.value)) is None:
                raise NotFound(
                    f"Nothing was sold with {asked.by} '{asked.value[:100]}' in run {reading.run_id}."
                )
            statement = {"months": revenue.months, "lines": revenue.lines}[asked.part](dimension, asked.value)
        if asked.part == "lines" and file_format == "json":
            statement, total = first_rows(reading, statement, revenue.ROWS_SHOWN)
            more = {**more, **total}
        name = f"revenue-{asked.part}"
        return table_answer(request, reader, reading, name, statement, file_format, more=more)


def _says(asked: RevenueRequest, total: int) -> str:
    values = "value" if total == 1 else "values"
    return f"{total:,} {values} of {asked.by}" + (f" matching “{asked.q}”" if asked.q else "")


def _held(reading: Reading) -> None:
    if not reading.has(revenue.TABLE):
        raise NotFound(
            f"Run {reading.run_id} was published by an earlier version, which knew revenue by month alone. "
            "Run 'evervalue run' again."
        )
