"""The whole web application: the pages on top of the routes under /v1."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from evervalue.api.access import anybody
from evervalue.api.app import create_app as create_api
from evervalue.api.errors import NotSignedIn, UnknownHost, problem_of, respond
from evervalue.api.live import OpenLog
from evervalue.api.settings import ServerSettings
from evervalue.core.clock import Clock
from evervalue.dashboard import assets
from evervalue.dashboard.links import to
from evervalue.dashboard.pages import (
    act,
    act_audiences,
    act_targeting,
    admin,
    api_docs,
    changes,
    cohorts,
    customers,
    gems,
    keeping,
    models,
    overview,
    profile,
    revenue,
    runs,
    search,
    segments,
    signin,
    sources,
    tables,
    value,
    welcome,
)
from evervalue.dashboard.pages.signin import local_path, refused
from evervalue.dashboard.view import HEADERS, THEMES, bare, render, warm
from evervalue.governance.settings import Access

PAGES = (
    overview,
    act,
    act_targeting,
    act_audiences,
    gems,
    segments,
    value,
    customers,
    cohorts,
    revenue,
    profile,
    models,
    sources,
    runs,
    welcome,
    changes,
    search,
    keeping,
    tables,
    admin,
    api_docs,
    signin,
)
"""Each module holds its routes in ROUTES."""
YEAR_SECONDS = 365 * 24 * 3600


def create_app(
    data_dir: Path,
    settings: ServerSettings | None = None,
    *,
    clock: Clock | None = None,
    open_log: OpenLog | None = None,
    access: Access | None = None,
) -> FastAPI:
    """What `evervalue serve` runs for one data directory.

    Parameters
    ----------
    data_dir
        The project's data directory, which `evervalue run` publishes into.
    settings
        What differs from the defaults.
    clock
        Tells how old the snapshot and its sources are; the machine's own unless a test gives another.
    open_log
        Opens the event log for a thread, or gives None where there is none; default: the file in `data_dir`.
    access
        How people are let in; without it the door is open, and everybody the local admin.
    """
    app = create_api(
        data_dir, settings, answer=handle, warm=warm, clock=clock, open_log=open_log, access=access
    )
    for page in PAGES:
        app.router.routes.extend(page.ROUTES)
    app.router.routes.extend(
        [Route("/theme", theme), Route("/static/{digest}/{name:path}", anybody(assets.serve))],
    )
    return app


@anybody
def theme(request: Request) -> Response:
    """Keeps the chosen theme in a cookie and goes back; for readers without script."""
    wanted = request.query_params.get("to", "")
    if wanted not in THEMES:
        wanted = "light" if request.cookies.get("theme") == "dark" else "dark"
    response = RedirectResponse(local_path(request.query_params.get("back", "")), status_code=303)
    response.set_cookie("theme", wanted, max_age=YEAR_SECONDS, path=to("/"), samesite="lax")
    return response


def handle(request: Request, error: Exception) -> Response:
    """Any error: a designed page for a reader, the one error shape for a program."""
    problem = problem_of(error, request)
    path = request.scope["path"]  # request.url is made of the host's name, which may be anything here
    reader = "text/html" in request.headers.get("accept", "")
    if path.startswith("/v1") or (path.startswith("/static") and not reader):
        return respond(request, problem)
    if isinstance(error, NotSignedIn) and "authorization" not in request.headers:
        return refused(request, error)
    if isinstance(error, UnknownHost):
        return HTMLResponse(bare(problem), status_code=problem.status, headers=HEADERS)
    if request.headers.get("hx-request") == "true":
        headers = {**problem.headers, "HX-Reswap": "innerHTML", "HX-Push-Url": "false"}
        return render(
            request, "error_part.html", None, page="", status=problem.status, headers=headers, problem=problem
        )
    return render(
        request, "error.html", None, page="", status=problem.status, headers=problem.headers, problem=problem
    )
