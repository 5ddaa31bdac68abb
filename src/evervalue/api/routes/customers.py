"""Customers: the list, one of them, and what events make of one since the run."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from evervalue.api.answers import Format, etag, file_answer, json_answer, meta, table_answer, unchanged
from evervalue.api.errors import NotFound
from evervalue.api.live import LiveProfile
from evervalue.api.profile import profile as one_profile
from evervalue.api.queries import customer as one
from evervalue.api.queries import customers, value
from evervalue.api.requests import CustomersRequest
from evervalue.api.routes.common import list_answer, live_of, reader_of
from evervalue.api.snapshots import Reading, Row
from evervalue.api.stream import Streams

router = APIRouter(prefix="/v1")


@router.get("/customers")
def customer_list(request: Request, asked: Annotated[CustomersRequest, Query()]) -> Response:
    """Customers with expected value, its interval, scores and tier; `meta.prediction` says how it was predicted."""
    with reader_of(request).lease() as reading:
        query, default = asked.query(), customers.DEFAULT_SORT
        return list_answer(request, reading, "customers", query, asked, default, asked.says, value.asked())


@router.get("/customers/{customer_id:key}")
async def customer(
    request: Request, customer_id: str, part: one.Part = "customer", format: Format = "json"
) -> Response:
    """One customer: expected value with its interval, horizon, model and why, scores, gem reason and orders.

    `live` is the same on top of the run: what events since then make of it, up to `as_of`, provisional until the next
    run; null where no events are collected. Who is known by events alone has nothing but `live`.
    `part` gives value, orders, months, attributes, what_if, live, features (of visits) or sessions alone.
    """
    if part not in ("customer", "live"):  # questions of other tables may take their time
        return await run_in_threadpool(_customer, request, customer_id, part, format)
    async with request.app.state.profiles:
        return await run_in_threadpool(_customer, request, customer_id, part, format)


def _customer(request: Request, customer_id: str, part: one.Part, format: Format) -> Response:
    reader, live = reader_of(request), live_of(request)
    with reader.lease() as reading:
        tag = etag(reading, request, *live.mark(reading))
        if (same := unchanged(request, tag)) is not None:
            return same
        statement = one.of_list(customer_id)
        profile = one_profile(reading, customer_id)
        found = profile.row if profile else None
        now = None
        if found is None or (format == "json" and part in ("customer", "live")):
            now = live.profile_if_there(reading, customer_id, profile)
        if found is None and now is None:
            raise NotFound(
                f"There is no customer with the key '{customer_id[:200]}' in run {reading.run_id}."
            )
        if part == "live":
            return json_answer(now and now.row, meta(reading, statement, reading.seconds), tag)
        if part != "customer":
            _held(reading, part)
            return table_answer(request, reader, reading, part, one.PARTS[part](customer_id), format)
        if format != "json":
            return file_answer(request, reader, "customer", one.customer(customer_id), format)
        # What predicted is the same for all who are predicted; only of the others the table says why not.
        is_predicted = found is not None and found["expected_clv"] is not None
        by = reading.row(value.asked() if is_predicted else one.customer(customer_id))
        known: Row = {**dict.fromkeys(one.FIELDS), **(found or {}), **(by or {})}
        whole = {
            **known,
            "gem": reading.row(one.gem(customer_id)) if known["is_gem"] else None,
            "what_if": reading.rows(one.what_if(customer_id)) if known["is_gem"] else [],
            "attributes_history": profile.attributes() if profile else [],
            "orders": profile.orders() if profile else [],
            "live": now and now.row,
        }
        if found is None:
            whole |= {"customer_id": customer_id}
        return json_answer(whole, meta(reading, statement, reading.seconds), tag)


def _held(reading: Reading, part: str) -> None:
    table = one.OF_EVENTS.get(part)
    if table is not None and not reading.has(table):
        raise NotFound(f"Run {reading.run_id} has no {table} yet. Run 'evervalue run' again.")


@router.get("/live/{customer_id:key}")
async def live_customer(request: Request, customer_id: str) -> Response:
    """The live profile as server-sent events: `profile` now and whenever an event or a run changes it.

    204 where nothing is live, so that no browser asks again.
    """
    streams: Streams = request.app.state.streams
    reader, live = reader_of(request), live_of(request)

    def make() -> LiveProfile | None:
        with reader.lease() as reading:
            return live.profile(reading, customer_id, one_profile(reading, customer_id))

    first = await run_in_threadpool(make)
    if first is None:
        return Response(status_code=204)
    if streams.is_full:
        says = "Too many pages follow live profiles of this process. Try again in a minute."
        raise HTTPException(503, says, {"Retry-After": "60"})
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(streams.of(make), media_type="text/event-stream", headers=headers)
