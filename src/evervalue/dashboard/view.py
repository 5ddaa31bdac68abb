"""Renders pages: one place that knows what every template is given, and which headers every page carries."""

from __future__ import annotations

import json
import logging
from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

import evervalue
from evervalue.api.access import who_of
from evervalue.api.errors import Problem
from evervalue.api.kept import views_of
from evervalue.api.queries import events as of_events
from evervalue.api.queries import sources as of_sources
from evervalue.api.settings import ServerSettings
from evervalue.api.snapshots import Reading, Row, SnapshotReader
from evervalue.core.clock import Clock
from evervalue.core.errors import StorageError
from evervalue.dashboard import source_words, words
from evervalue.dashboard.assets import bundle
from evervalue.dashboard.formats import DEFAULT_LOCALE, Formats, locale_of
from evervalue.dashboard.links import api, customer_url, live_url, source_url, to, url
from evervalue.dashboard.navigation import NAVIGATION
from evervalue.dashboard.under_way import here_of, under_way
from evervalue.pipeline.collecting import Collecting
from evervalue.state.views import View

log = logging.getLogger("evervalue.dashboard")
HEADERS = {"Cache-Control": "no-store", "Vary": "HX-Request, HX-Target, Accept-Language, Cookie"}
THEMES = ("light", "dark")


def reader_of(request: Request) -> SnapshotReader:
    """The reader of the application."""
    reader: SnapshotReader = request.app.state.reader
    return reader


def formats_of(request: Request, reading: Reading | None) -> Formats:
    """The reader's notation."""
    currency = reading.run.currency if reading else "USD"
    return Formats(locale_of(request.headers.get("accept-language", "")), currency)


def present_of(request: Request, reading: Reading) -> of_sources.Present:
    """The present, as questions about sources take it."""
    state = request.app.state
    return of_sources.present(state.clock, reading, state.reader.publisher.data_dir)


def events_of(request: Request) -> Collecting:
    """How the collector and its sources of events stand now."""
    state = request.app.state
    return of_events.present(state.clock, state.reader.publisher.data_dir, state.live.log)


def alarms_of(request: Request, reading: Reading) -> list[Row]:
    """What needs attention now: the collector, its sources of events, and the sources of the run."""
    others = of_sources.in_alarm(reading, present_of(request, reading))
    return [*of_events.in_alarm(events_of(request)), *others]


def theme_of(request: Request) -> str:
    """The theme that was chosen; empty follows the system."""
    chosen = request.cookies.get("theme", "")
    return chosen if chosen in THEMES else ""


def is_fragment(request: Request, target: str) -> bool:
    """Whether htmx asks for that part of the page alone ('div#grid')."""
    asked = request.headers.get("hx-request") == "true"
    return asked and request.headers.get("hx-target") == target


def render(
    request: Request,
    template: str,
    reading: Reading | None,
    *,
    page: str,
    status: int = 200,
    headers: dict[str, str] | None = None,
    **context: Any,
) -> Response:
    """The template, filled, with the headers of a page."""
    formats = formats_of(request, reading)
    alarms = alarms_of(request, reading) if reading else []
    text = _environment().get_template(template).render(
        page=page,
        navigation=NAVIGATION,
        request=request,
        reading=reading,
        run=reading.run if reading else None,
        value_word=words.value_word(reading.run) if reading else "",
        f=formats,
        theme=theme_of(request),
        who=who_of(request),
        saved_views=lambda: _saved_views(request),
        published_now=lambda: reader_of(request).publisher.current_id() or "",
        csrf=getattr(request.state, "csrf", ""),
        stale_days=_stale_days(request, reading),
        alarms=alarms,
        attention=source_words.attention(alarms, formats) if alarms else "",
        here=to(request.url.path + (f"?{request.url.query}" if request.url.query else "")),
        **context,
    )  # fmt: skip
    return HTMLResponse(text, status_code=status, headers={**HEADERS, **(headers or {})})


def bare(problem: Problem) -> str:
    """A small page that needs no other file, for who cannot be given one."""
    return _environment().get_template("bare.html").render(problem=problem)


def warm() -> None:
    """Does what the first reader would wait for: compiles templates, squeezes files, loads a notation."""
    bundle()
    for name in _environment().list_templates():
        _environment().get_template(name)
    formats = Formats(DEFAULT_LOCALE, "USD")
    formats.short_money(12_345)
    formats.month(date(2024, 1, 1))


def _saved_views(request: Request) -> list[View]:
    """What the menu of views lists; nothing where the state cannot be read, for numbers are shown all the same."""
    try:
        return views_of(request).of(who_of(request).name)
    except StorageError as error:
        log.error("no saved views: %s", error)
        return []


def _stale_days(request: Request, reading: Reading | None) -> int:
    """How many days ago the snapshot was published, where that is longer than it should be; else 0."""
    settings: ServerSettings = request.app.state.settings
    clock: Clock = request.app.state.clock
    published = reading.published_at if reading else None
    if published is None:
        return 0
    age = clock.now() - published
    return age.days if age > timedelta(days=settings.stale_after_days) else 0


def _options(option: object) -> Markup:
    """A chart's options inside a data block, where no text can end the block."""
    text = json.dumps(option, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Markup(text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"))


@lru_cache(maxsize=1)
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters["options"] = _options
    environment.globals.update(
        api=api,
        asset=lambda name: to(bundle().url(name)),
        customer_url=customer_url,
        live_url=live_url,
        source_url=source_url,
        of_source=source_words,
        to=to,
        url=url,
        tier_class=words.TIER_CLASS,
        under_way=under_way,
        here_of=here_of,
        version=evervalue.__version__,
    )
    return environment
