"""Sources: whether what came in is right and fresh."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from evervalue.api.answers import Format, etag, json_answer, meta, table_answer, unchanged
from evervalue.api.cells import to_json
from evervalue.api.errors import NotFound
from evervalue.api.queries import events, sources
from evervalue.api.routes.common import present_of, reader_of
from evervalue.api.snapshots import Reading
from evervalue.core.text import did_you_mean

router = APIRouter(prefix="/v1")


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
