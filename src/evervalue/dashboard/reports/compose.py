"""Makes a report: the pages as somebody of the company sees them, put together into one file."""

from __future__ import annotations

import asyncio
import re
import threading
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from starlette.types import ASGIApp, Message

from evervalue.core.clock import Clock
from evervalue.core.errors import EvervalueError, InputError
from evervalue.dashboard.reports.standalone import document, main_of

SECONDS = 120


@dataclass(frozen=True)
class Report:
    """A report, as it is sent."""

    title: str
    html: str
    findings: tuple[str, ...]
    """What its pages say first, as plain text."""


def compose(
    data_dir: Path,
    pages: tuple[str, ...],
    *,
    title: str = "",
    language: str = "en-US",
    base: str = "",
    clock: Clock | None = None,
) -> Report:
    """The report of the published run.

    Parameters
    ----------
    data_dir
        The project's data directory.
    pages
        Paths with their filters.
    title
        Default: the name of the project.
    language
        How numbers and dates are written.
    base
        Address of the server that links lead to; empty: no links.
    clock
        Tells how fresh the run is.

    Raises
    ------
    InputError
        A page cannot be shown; the message has what it says instead.
    NothingPublished
        There is no run yet.
    """
    from evervalue.api.settings import ServerSettings
    from evervalue.dashboard.app import create_app

    app = create_app(data_dir, ServerSettings(), clock=clock)
    try:
        with app.state.reader.lease() as reading:
            run, run_id = reading.run, reading.run_id
        sections, findings = [], []
        for page in pages:
            body, headings = main_of(_asked(app, page, language), base)
            sections.append(body)
            findings += [_plain(heading) for heading in headings[:1]]
    finally:
        app.state.reader.close()
    name = title or run.project_name
    note = (
        f"{run.project_name}, run {run_id}: orders up to the day before {run.as_of} ({run.time_zone}), amounts in "
        f"{run.currency}. Made by Evervalue; everything in this file was computed from that run."
    )
    return Report(
        name,
        document(name, sections, language=language.replace("_", "-"), currency=run.currency, note=note),
        tuple(findings),
    )


def _asked(app: ASGIApp, page: str, language: str) -> str:
    """The page as HTML; asked in a thread of its own, for one may be running an event loop here."""
    found: list[tuple[int, bytes] | BaseException] = []

    def ask() -> None:
        try:
            found.append(asyncio.run(asyncio.wait_for(_get(app, page, language), SECONDS)))
        except BaseException as error:
            found.append(error)

    thread = threading.Thread(target=ask, name="report")
    thread.start()
    thread.join()
    (answer,) = found
    if isinstance(answer, EvervalueError):
        raise answer
    if isinstance(answer, BaseException):
        raise InputError(f"The page {page} could not be made: {type(answer).__name__}.") from answer
    status, body = answer
    text = body.decode("utf-8", "replace")
    if status != 200:
        said = _plain(re.sub(r"<[^>]+>", " ", main_of(text)[0])) or f"status {status}"
        raise InputError(f"The page {page} cannot be shown in a report: {said}")
    return text


async def _get(app: ASGIApp, page: str, language: str) -> tuple[int, bytes]:
    path, _, query = page.partition("?")
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": unquote(path),
        "raw_path": quote(unquote(path)).encode("ascii"),
        "root_path": "",
        "query_string": quote(query, safe="=&%+,;:@/?!$'()*~-._").encode("ascii"),
        "headers": [
            (b"host", b"localhost"),
            (b"accept", b"text/html"),
            (b"accept-language", language.encode()),
        ],
        "client": ("127.0.0.1", 0),
        "server": ("127.0.0.1", 80),
        "state": {},
    }
    status, body = 0, bytearray()

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
        elif message["type"] == "http.response.body":
            body.extend(message.get("body", b""))

    await app(scope, receive, send)
    return status, bytes(body)


def _plain(text: str) -> str:
    return " ".join(unescape(text).split())
