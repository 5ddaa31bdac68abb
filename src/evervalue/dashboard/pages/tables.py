"""How it is computed: every table with its head, its SQL and the run that built it."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from evervalue.api.errors import NotFound
from evervalue.api.queries import run as of_run
from evervalue.core.text import did_you_mean
from evervalue.dashboard.view import is_fragment, reader_of, render


def index(request: Request) -> Response:
    """The page at /tables: the run, its sources and its tables."""
    with reader_of(request).lease() as reading:
        return render(
            request,
            "tables.html",
            reading,
            page="tables",
            tables=reading.rows(of_run.tables()),
            sources=reading.rows(of_run.sources()),
        )


def page(request: Request) -> Response:
    """The page at /tables/<name>, or its panel alone where htmx asks for it.

    Raises
    ------
    NotFound
        The run has no such table.
    """
    name = str(request.path_params["name"])
    with reader_of(request).lease() as reading:
        table = reading.row(of_run.table(name))
        if table is None:
            known = [row["table_name"] for row in reading.rows(of_run.tables())]
            raise NotFound(f"This run has no table “{name[:100]}”{did_you_mean(name, known)}.")
        fragment = is_fragment(request, "div")
        template = "computed.html" if fragment else "table.html"
        columns = reading.rows(of_run.columns(name))
        return render(request, template, reading, page="tables", table=table, columns=columns)


ROUTES = [Route("/tables", index), Route("/tables/{name}", page)]
