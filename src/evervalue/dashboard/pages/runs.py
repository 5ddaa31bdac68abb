"""Runs: what each was made of and what it found, and which one readers see."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from evervalue.api import kept_runs
from evervalue.api.access import needs
from evervalue.api.routes.runs import publisher_of, show
from evervalue.api.snapshots import Row
from evervalue.dashboard import run_words
from evervalue.dashboard.charts.runs import over_runs
from evervalue.dashboard.formats import Formats, locale_of
from evervalue.dashboard.links import to
from evervalue.dashboard.opened import opened
from evervalue.dashboard.view import render
from evervalue.governance.roles import Right
from evervalue.pipeline.failed_runs import failed_runs

PAGE = "runs"


def index(request: Request) -> Response:
    """The page at /runs."""
    publisher = publisher_of(request)
    rows = kept_runs.listed(publisher)
    with opened(request) as reading:
        formats = _formats(request, rows)
        return render(
            request,
            "runs.html",
            reading,
            page=PAGE,
            rows=rows,
            failed=failed_runs(publisher.data_dir),
            words=run_words,
            title=run_words.title(rows, formats),
            chart=over_runs(rows, formats) if rows else None,
            chart_title=run_words.over_runs(rows, formats),
            money=formats,
            published=request.query_params.get("published", "")[:60],
        )


def progress(request: Request) -> Response:
    """The banner of a run that is under way, for a page that shows the run `seen`."""
    then = request.query_params.get("then", "")
    return render(
        request,
        "runs_progress.html",
        None,
        page=PAGE,
        seen=request.query_params.get("seen", "")[:60],
        then=then if then == to("/") else "",
    )


def page(request: Request) -> Response:
    """The page at /runs/<id>.

    Raises
    ------
    NotFound
        No kept run has that name.
    """
    found = kept_runs.whole(publisher_of(request), str(request.path_params["run_id"]))
    with opened(request) as reading:
        return render(
            request,
            "runs_one.html",
            reading,
            page=PAGE,
            row=found,
            words=run_words,
            money=_formats(request, [found]),
        )


@needs(Right.MANAGE)
def ask(request: Request) -> Response:
    """The page that asks before readers are pointed to another run."""
    publisher = publisher_of(request)
    found = kept_runs.whole(publisher, str(request.path_params["run_id"]))
    now = next((row for row in kept_runs.listed(publisher) if row["is_current"]), None)
    with opened(request) as reading:
        return render(
            request,
            "runs_publish.html",
            reading,
            page=PAGE,
            row=found,
            now=now,
            words=run_words,
            money=_formats(request, [found]),
        )


@needs(Right.MANAGE)
async def publish(request: Request) -> Response:
    """Points readers to the run, and goes back to the list."""
    run_id = str(request.path_params["run_id"])
    await run_in_threadpool(show, publisher_of(request), run_id)
    return RedirectResponse(to(f"/runs?published={run_id}"), status_code=303)


def _formats(request: Request, rows: list[Row]) -> Formats:
    """The reader's notation, in the currency of the newest of the runs."""
    currency = next((str(row["currency"]) for row in rows if row["currency"]), "USD")
    return Formats(locale_of(request.headers.get("accept-language", "")), currency)


ROUTES = [
    Route("/runs", index),
    Route("/runs/progress", progress),
    Route("/runs/{run_id}", page),
    Route("/runs/{run_id}/publish", ask),
    Route("/runs/{run_id}/publish", publish, methods=["POST"]),
]
