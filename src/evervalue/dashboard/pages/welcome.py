"""The first page of a new project: leads from a file to the first run, and shows that run as it goes on."""

from __future__ import annotations

import re
import secrets
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from evervalue.api.access import needs, who_of
from evervalue.api.errors import BadRequest, TooLarge
from evervalue.api.routes.runs import publisher_of
from evervalue.core.errors import Busy, EvervalueError, NothingPublished, SettingsError, StorageError
from evervalue.dashboard import run_words
from evervalue.dashboard.links import to, url
from evervalue.dashboard.under_way import stage
from evervalue.dashboard.view import render
from evervalue.governance.roles import Right
from evervalue.pipeline.child_run import start_run
from evervalue.pipeline.connect import (
    DATE_FORMATS,
    ENDINGS,
    INCOMING,
    Chosen,
    candidates,
    look,
    safe_name,
    write_settings,
)
from evervalue.pipeline.progress_file import read_progress
from evervalue.pipeline.settings import FILE

PAGE = "overview"
MOST_BYTES = 1_000_000_000
"""Of one file that is uploaded; a larger one is put into the folder by hand."""
FIELDS: tuple[tuple[str, str, str], ...] = (
    ("ordered_at", "Day of the order", "when it was placed; a day or an instant"),
    ("customer_id", "Customer, key", "what tells one customer from another"),
    ("customer_name", "Customer, name", "how pages call them; it is the key where there is no other"),
    ("amount", "Amount", "net revenue of the line; or take quantity and unit price"),
    ("margin", "Profit", "margin of the line; without it, customers are valued by revenue"),
    ("cost", "Cost", "what the line cost; profit is then amount less cost"),
    ("order_id", "Order", "lines with the same value are one order; without it, a day is one"),
    ("line_id", "Line", "unique for each row"),
    ("quantity", "Quantity", ""),
    ("unit_price", "Unit price", ""),
    ("discount", "Discount", ""),
    ("region", "Region", ""),
    ("country", "Country", ""),
    ("product_id", "Product, key", ""),
    ("product_name", "Product, name", ""),
    ("category", "Category", ""),
    ("channel", "Channel", ""),
    ("currency", "Currency of the line", ""),
)
MAIN = 7
"""Fields that are always seen; the others are folded away."""


def folder_of(request: Request) -> Path | None:
    """The project's folder, where the server knows it."""
    found: Path | None = request.app.state.settings.project
    return found


def first(request: Request) -> Response:
    """The page at / and /welcome before the first run: what there is to do next.

    Raises
    ------
    NothingPublished
        The server knows no project's folder, so there is nothing that could be done here.
    """
    folder = folder_of(request)
    publisher = publisher_of(request)
    if folder is None:
        raise NothingPublished("Nothing is published yet.")
    now = read_progress(publisher.data_dir, request.app.state.clock)
    has_settings = (folder / FILE).exists()
    may = who_of(request).may(Right.MANAGE)
    state = now["state"] if now is not None else "settings" if has_settings else "empty"
    return render(
        request,
        "welcome.html",
        None,
        page=PAGE,
        state=state,
        now=now,
        stage=stage,
        folder=folder.resolve(),
        has_settings=has_settings,
        found=candidates(folder) if may and not has_settings else [],
        endings=ENDINGS,
        most=run_words.size(MOST_BYTES, _formats(request)),
        words=run_words,
        under_way_then=to("/"),
    )


def page(request: Request) -> Response:
    """The page at /welcome; Overview once something is published."""
    if publisher_of(request).current_id() is not None:
        return RedirectResponse(to("/"), status_code=303)
    return first(request)


@needs(Right.MANAGE)
async def upload(request: Request) -> Response:
    """Stores the body as a file of the name `name` in the project's folder, and says where its columns are decided.

    Raises
    ------
    TooLarge, InputError, StorageError
        It is too large, of no kind that can be read, or cannot be stored.
    """
    folder = _empty_folder(request)
    name = safe_name(request.query_params.get("name", ""))
    declared = request.headers.get("content-length", "")
    if re.fullmatch("[0-9]{1,20}", declared) and int(declared) > MOST_BYTES:
        raise _too_large(request)
    incoming = folder / INCOMING
    try:
        incoming.mkdir(exist_ok=True)
        if incoming.is_symlink():
            raise BadRequest(
                f"{INCOMING} is a link that leads elsewhere. Put the file into the folder by hand."
            )
        path = await _stored(request, incoming, name)
    except OSError as error:
        raise StorageError(f"The file cannot be stored: {error.strerror}.") from None
    where = url("/welcome/columns", [("file", f"{INCOMING}/{path.name}")])
    return JSONResponse({"data": {"file": f"{INCOMING}/{path.name}", "next": where}}, status_code=201)


async def _stored(request: Request, incoming: Path, name: str) -> Path:
    """The file, once all of the body is in it; nothing of one that broke off."""
    part = incoming / f".{secrets.token_hex(8)}.part"
    taken = 0
    try:
        with part.open("wb") as out:
            async for piece in request.stream():
                taken += len(piece)
                if taken > MOST_BYTES:
                    raise _too_large(request)
                await run_in_threadpool(out.write, piece)
        if not taken:
            raise BadRequest("The file is empty.")
        stem, _, ending = name.rpartition(".")
        for n in range(1, 1000):
            path = incoming / (name if n == 1 else f"{stem}-{n}.{ending}")
            if not path.exists():
                part.rename(path)
                return path
        raise BadRequest("There are too many files of that name. Choose another one.")
    finally:
        part.unlink(missing_ok=True)


@needs(Right.MANAGE)
def columns(request: Request) -> Response:
    """The page where the guessed columns of a file are looked through."""
    folder = _empty_folder(request)
    return _columns(request, folder, request.query_params.get("file", ""))


@needs(Right.MANAGE)
async def decide(request: Request) -> Response:
    """Writes the settings as they were decided, and starts the first run."""
    return await run_in_threadpool(_decide, request)


def _decide(request: Request) -> Response:
    folder = _empty_folder(request)
    form = request.state.form
    name = str(form.get("file", ""))
    chosen = Chosen(
        {field: str(form.get(field, "")) for field, _, _ in FIELDS},
        str(form.get("project", "")),
        str(form.get("project_currency", "")).strip().upper(),
        str(form.get("date_format", "")),
        str(form.get("decimal", "")),
    )
    try:
        write_settings(folder, look(folder, name), chosen)
        start_run(folder, request.app.state.clock)
    except EvervalueError as error:
        return _columns(request, folder, name, fault=str(error), chosen=chosen)
    return RedirectResponse(to("/welcome"), status_code=303)


@needs(Right.MANAGE)
async def again(request: Request) -> Response:
    """Starts a run of the settings that are there."""
    folder = folder_of(request)
    if folder is None:
        raise BadRequest("This server knows no project's folder. Run 'evervalue run' there.")
    try:
        await run_in_threadpool(start_run, folder, request.app.state.clock)
    except (SettingsError, Busy) as error:
        raise BadRequest(str(error)) from None
    return RedirectResponse(to("/welcome"), status_code=303)


def _columns(
    request: Request, folder: Path, name: str, *, fault: str = "", chosen: Chosen | None = None
) -> Response:
    looked = look(folder, name)
    proposal = looked.proposal
    taken = dict(chosen.columns) if chosen else proposal.columns
    context: dict[str, Any] = {
        "looked": looked,
        "proposal": proposal,
        "taken": taken,
        "fault": fault,
        "project": chosen.project if chosen else _project_name(folder),
        "currency": (chosen.currency if chosen else proposal.currency) or "USD",
        "date_format": chosen.date_format if chosen else "",
        "decimal": chosen.decimal if chosen else "",
        "fields": FIELDS,
        "main": MAIN,
        "formats": DATE_FORMATS,
    }
    status = 422 if fault else 200
    return render(request, "welcome_columns.html", None, page=PAGE, status=status, **context)


def _empty_folder(request: Request) -> Path:
    """The project's folder, which has no settings yet.

    Raises
    ------
    BadRequest
        The server knows none, or there are settings, which a page never overwrites.
    """
    folder = folder_of(request)
    if folder is None:
        raise BadRequest("This server knows no project's folder. Run 'evervalue init' there.")
    if (folder / FILE).exists():
        raise BadRequest(
            f"{FILE} is there already, and no page overwrites it. Change it by hand, then run again."
        )
    return folder


def _too_large(request: Request) -> TooLarge:
    most = run_words.size(MOST_BYTES, _formats(request))
    return TooLarge(f"A file may have {most} here. Put a larger one into the project's folder by hand.")


def _project_name(folder: Path) -> str:
    return (folder.absolute().name or "customers").replace("_", " ").replace("-", " ").capitalize()


def _formats(request: Request) -> Any:
    from evervalue.dashboard.view import formats_of

    return formats_of(request, None)


ROUTES = [
    Route("/welcome", page),
    Route("/welcome/upload", upload, methods=["POST"]),
    Route("/welcome/columns", columns),
    Route("/welcome/columns", decide, methods=["POST"]),
    Route("/welcome/run", again, methods=["POST"]),
]
