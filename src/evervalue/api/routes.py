"""The routes under /v1. Each builds a query object, runs it on the current snapshot and answers in one shape."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from starlette.concurrency import run_in_threadpool
from starlette.convertors import Convertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from evervalue.api.answers import (
    Format,
    etag,
    file_answer,
    json_answer,
    meta,
    table_answer,
    unchanged,
)
from evervalue.api.cells import to_json
from evervalue.api.errors import NotFound
from evervalue.api.live import Live, LiveProfile
from evervalue.api.profile import profile as one_profile
from evervalue.api.queries import customer as one
from evervalue.api.queries import customers, events, gems, overview, run, segments, sources, value
from evervalue.api.queries.base import ListQuery
from evervalue.api.requests import CustomersRequest, GemsRequest, ListRequest
from evervalue.api.snapshots import Reading, Row, SnapshotReader, Statement
from evervalue.api.stream import Streams
from evervalue.core.text import did_you_mean

router = APIRouter(prefix="/v1")


class KeyConvertor(Convertor[str]):
    """A customer key at the end of a path: any characters, slashes and line ends included."""

    regex = "(?s:.+)"

    def convert(self, value: str) -> str:
        """The key."""
        return value

    def to_string(self, value: str) -> str:
        """The key."""
        return value


register_url_convertor("key", KeyConvertor())


def reader_of(request: Request) -> SnapshotReader:
    """The reader of the application."""
    reader: SnapshotReader = request.app.state.reader
    return reader


def present_of(request: Request, reading: Reading) -> sources.Present:
    """The present, as questions about sources take it."""
    state = request.app.state
    return sources.present(state.clock, reading, state.reader.publisher.data_dir)


def live_of(request: Request) -> Live:
    """The live layer of the application."""
    live: Live = request.app.state.live
    return live


@router.get("/headline")
def headline(request: Request, format: Format = "json") -> Response:
    """The whole customer base in one row: customers, tiers, hidden gems, money."""
    reader = reader_of(request)
    with reader.lease() as reading:
        return table_answer(request, reader, reading, "headline", overview.headline(), format, one=True)


@router.get("/revenue")
def revenue(request: Request, format: Format = "json") -> Response:
    """Revenue, margin, orders and customers by month, empty months as zeros."""
    reader = reader_of(request)
    with reader.lease() as reading:
        return table_answer(request, reader, reading, "revenue", overview.revenue(), format)


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
        return _list(request, reading, "gems", asked.query(), asked, gems.DEFAULT_SORT, asked.says)


@router.get("/customers")
def customer_list(request: Request, asked: Annotated[CustomersRequest, Query()]) -> Response:
    """Customers with expected value, its interval, scores and tier; `meta.prediction` says how it was predicted."""
    with reader_of(request).lease() as reading:
        query, default = asked.query(), customers.DEFAULT_SORT
        return _list(request, reading, "customers", query, asked, default, asked.says, value.asked())


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


@router.get("/sources")
def source_list(
    request: Request, part: Literal["sources", "events"] = "sources", format: Format = "json"
) -> Response:
    """Every source: its state now, lag, last load, and where its rows went; those that need attention come first.

    A source without news for longer than is usual is in alarm at the moment of asking, whatever the run found.
    `part=events` gives the sources of the collector, with what became of all events (accepted = stored + duplicate +
    quarantined) and how long each is silent; the JSON has them beside the sources too, as `meta.events`, and the
    collector as `meta.collector`.
    """
    reader = reader_of(request)
    with reader.lease() as reading:
        state = request.app.state
        found = events.present(state.clock, reader.publisher.data_dir, state.live.log)
        told = {"collector": events.collector(found.collector), "events": events.rows(found)}
        tagged = (to_json(told).decode(),)
        if part == "events":
            asked = events.event_sources(found)
            return table_answer(
                request, reader, reading, "event-sources", asked, format, tagged=tagged, more=told
            )
        _watched(reading)
        at = present_of(request, reading)
        asked = sources.sources(at)
        return table_answer(
            request, reader, reading, "sources", asked, format, tagged=(*at, *tagged), more=told
        )


@router.get("/sources/{source}")
def one_source(
    request: Request, source: str, part: sources.Part = "source", format: Format = "json"
) -> Response:
    """One source with its checks, loads, reconciliation and quarantine by reason.

    `part` gives checks, loads (all that are remembered), quarantine or reconciliation alone.
    """
    reader = reader_of(request)
    with reader.lease() as reading:
        _watched(reading)
        at = present_of(request, reading)
        tag = etag(reading, request, *at)
        if (same := unchanged(request, tag)) is not None:
            return same
        statement = sources.source(source, at)
        found = reading.row(statement)
        if found is None:
            known = [row["source"] for row in reading.rows(sources.sources(at))]
            raise NotFound(
                f"There is no source '{source[:100]}' in run {reading.run_id}{did_you_mean(source, known)}."
            )
        if part != "source" or format != "json":
            asked = sources.part(part, source, at)
            return table_answer(request, reader, reading, f"source-{part}", asked, format, tagged=at)
        whole = {
            **found,
            "checks": reading.rows(sources.checks(source, at)),
            "loads": reading.rows(sources.loads(source, sources.KEPT_LOADS)),
            "quarantine": reading.rows(sources.quarantine(source)),
            "reconciliation": reading.row(sources.reconciliation(source)),
        }
        return json_answer(whole, meta(reading, statement, reading.seconds), tag)


def _watched(reading: Reading) -> None:
    if not sources.watched(reading):
        raise NotFound(
            f"Run {reading.run_id} was published by an earlier version, which did not watch its sources. "
            "Run 'evervalue run' again; 'part=sources' of /v1/runs/current has its reconciliation."
        )


@router.get("/runs/current")
def current_run(request: Request, part: run.Part = "run", format: Format = "json") -> Response:
    """The published run: its settings; `part` gives sources (reconciliation), tables (with SQL) or columns."""
    reader = reader_of(request)
    with reader.lease() as reading:
        return table_answer(
            request, reader, reading, f"run-{part}", run.PARTS[part](), format, one=part == "run"
        )


def _list(
    request: Request,
    reading: Reading,
    name: str,
    query: ListQuery,
    asked: ListRequest,
    default_sort: str,
    says: object,
    prediction: Statement | None = None,
) -> Response:
    tag = etag(reading, request)
    if (same := unchanged(request, tag)) is not None:
        return same
    page = asked.page(default_sort)
    if asked.format in ("csv", "xlsx"):
        return file_answer(request, reader_of(request), name, query.everything(page.sort), asked.format)
    found = query.page(reading, page)
    total = query.total(reading)
    about = meta(
        reading,
        found.statement,
        found.seconds,
        total=total,
        says=says(total) if callable(says) else "",
        sort=page.sort,
        next_cursor=found.next,
        previous_cursor=found.previous,
        **({"prediction": reading.row(prediction)} if prediction else {}),
    )
    return json_answer(found.rows, about, tag)
