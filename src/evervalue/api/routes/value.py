"""Lifetime value: what customers are expected to be worth, all together, by band, and one by one."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from evervalue.api.answers import Format, table_answer
from evervalue.api.errors import NotFound
from evervalue.api.queries import value
from evervalue.api.requests import CustomersRequest
from evervalue.api.routes.common import list_answer, reader_of
from evervalue.api.snapshots import Reading

router = APIRouter(prefix="/v1")


class ClvRequest(value.ValueFilters):
    """Which part of what is predicted is asked for, and of whom."""

    part: value.Part = "headline"
    format: Format = "json"


@router.get("/clv")
def clv(request: Request, asked: Annotated[ClvRequest, Query()]) -> Response:
    """What customers are expected to be worth within the horizon.

    `part`: headline (all together, with the interval of the total), tiers, distribution (customers and their expected
    value by band of it), alive (past and expected value by chance of being still active), top (who is expected to bring
    most), falling (who brought much and is expected to bring less than half of it), forecast (what would have been
    expected in the past beside what came). `tier` and `region` narrow distribution, alive, top and falling; the others
    are of all customers. An interval of some customers together is not the sum of theirs, and is not given.
    """
    reader = reader_of(request)
    with reader.lease() as reading:
        need(reading, value.NEEDS[asked.part])
        statement = value.PARTS[asked.part](asked)
        return table_answer(
            request,
            reader,
            reading,
            f"clv-{asked.part}",
            statement,
            asked.format,
            one=asked.part == "headline",
        )


@router.get("/clv/customers")
def clv_customers(request: Request, asked: Annotated[CustomersRequest, Query()]) -> Response:
    """Every customer with a prediction, the highest expected value first, each with its interval.

    Filters are those of `/v1/customers`; `clv_from` and `clv_to`, `p_alive_from` and `p_alive_to` are half open.
    """
    with reader_of(request).lease() as reading:
        query = value.predictions(asked.conditions())
        return list_answer(
            request, reading, "clv-customers", query, asked, value.DEFAULT_SORT, asked.says, value.asked()
        )


def need(reading: Reading, table: str) -> None:
    """Nothing, where the run has the table.

    Raises
    ------
    NotFound
        The run was published by an earlier version, which did not make it.
    """
    if not reading.has(table):
        raise NotFound(
            f"Run {reading.run_id} was published by an earlier version and has no {table}. Run 'evervalue run' again."
        )
