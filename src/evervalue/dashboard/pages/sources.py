"""Sources: whether the data is right and fresh."""

from __future__ import annotations

import datetime as dt

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from evervalue.api.errors import NotFound
from evervalue.api.queries import events as of_events
from evervalue.api.queries import run as of_run
from evervalue.api.queries import sources as of_sources
from evervalue.core.clock import Clock
from evervalue.core.text import did_you_mean
from evervalue.dashboard import source_words
from evervalue.dashboard.charts.loads import loads, top
from evervalue.dashboard.view import events_of, formats_of, present_of, reader_of, render

PAGE = "sources"


def index(request: Request) -> Response:
    """The page at /sources."""
    with reader_of(request).lease() as reading:
        if not of_sources.watched(reading):
            kept = reading.rows(of_run.sources())
            return render(request, "sources_unwatched.html", reading, page=PAGE, sources=kept)
        statement = of_sources.sources(present_of(request, reading))
        found = reading.rows(statement)
        live = events_of(request)
        return render(
            request,
            "sources.html",
            reading,
            page=PAGE,
            rows=found,
            statement=statement,
            title=source_words.title_with_events(
                found, of_events.in_alarm(live), formats_of(request, reading)
            ),
            collector=live.collector,
            events=[
                {**row, "last_seconds": _since(request, row["last_event_at"])} for row in of_events.rows(live)
            ],
        )


def page(request: Request) -> Response:
    """The page at /sources/<name>.

    Raises
    ------
    NotFound
        The run has no such source.
    """
    name = str(request.path_params["source"])
    with reader_of(request).lease() as reading:
        if not of_sources.watched(reading):
            kept = [row for row in reading.rows(of_run.sources()) if row["source"] == name]
            if kept:
                return render(request, "sources_unwatched.html", reading, page=PAGE, sources=kept)
            raise NotFound(f"Run {reading.run_id} has no source “{name[:100]}”.")
        now = present_of(request, reading)
        statement = of_sources.source(name, now)
        source = reading.row(statement)
        if source is None:
            known = [row["source"] for row in reading.rows(of_sources.sources(now))]
            raise NotFound(f"Run {reading.run_id} has no source “{name[:100]}”{did_you_mean(name, known)}.")
        formats = formats_of(request, reading)
        checks = reading.rows(of_sources.checks(name, now))
        history = reading.rows(of_sources.loads(name, of_sources.KEPT_LOADS))
        volume = next((check for check in checks if check["check_name"] == "volume"), None)
        return render(
            request,
            "source.html",
            reading,
            page=PAGE,
            source=source,
            statement=statement,
            title=source_words.finding(source, formats),
            checks=checks,
            loads=history,
            loads_title=source_words.loads_title(history, formats),
            loads_chart=loads(history, volume, formats) if history else None,
            cut_off=top(history, volume) is not None if history else False,
            volume=volume,
            quarantine=reading.rows(of_sources.quarantine(name)),
            went=reading.row(of_sources.reconciliation(name)),
        )


def _since(request: Request, at: dt.datetime | None) -> float | None:
    """Seconds since an instant (UTC without a zone)."""
    clock: Clock = request.app.state.clock
    return None if at is None else max(0.0, (clock.now().replace(tzinfo=None) - at).total_seconds())


ROUTES = [Route("/sources", index), Route("/sources/{source}", page)]
