"""A real browser on a really running server; every visit watches the console and where requests go."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Request, Response

from evervalue.dashboard.app import create_app
from tests.support.site import saas_data, serving


@dataclass
class Visit:
    """A page in its own browser context, and what it must not do."""

    page: Page
    base: str
    complaints: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)
    expected: tuple[int, ...] = ()
    """Error statuses that the test asks for; the browser notes them on the console."""

    def go(self, path: str) -> Response:
        """Opens a page and waits until its script has run."""
        response = self.page.goto(self.base + path)
        assert response is not None
        self.ready()
        return response

    def ready(self) -> None:
        """Waits until the page's script has run, where there is one."""
        self.page.wait_for_load_state("load")
        self.page.wait_for_function("!window.htmx || document.documentElement.dataset.ready === 'true'")

    def path(self) -> str:
        """Where the page is."""
        parts = urlsplit(self.page.url)
        return parts.path + (f"?{parts.query}" if parts.query else "")

    def sideways(self) -> int:
        """By how many pixels the page can be scrolled sideways."""
        wide = self.page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        assert isinstance(wide, int)
        return wide


@pytest.fixture(scope="session")
def data() -> Path:
    """The published SaaS example."""
    return saas_data()


@pytest.fixture(scope="session")
def site(data: Path) -> Iterator[str]:
    """Address of a server over the published SaaS example."""
    with serving(create_app(data)) as address:
        yield address


Open = Callable[..., Visit]


@pytest.fixture
def open_page(browser: Browser, site: str) -> Iterator[Open]:
    """A function that opens a page; at the end nothing may have been complained about or fetched from elsewhere."""
    visits: list[Visit] = []
    contexts: list[BrowserContext] = []

    def opened(path: str | None = None, *, base: str = site, width: int = 1440, **options: object) -> Visit:
        context = browser.new_context(
            viewport={"width": width, "height": 900},
            **{"color_scheme": "light", "locale": "en-US", "reduced_motion": "reduce", **options},  # type: ignore[arg-type]
        )
        contexts.append(context)
        visit = Visit(context.new_page(), base)
        visits.append(visit)
        _watch(visit)
        if path is not None:
            visit.go(path)
        return visit

    yield opened
    for context in contexts:
        context.close()
    for visit in visits:
        assert visit.complaints == []
        assert visit.elsewhere == []


def _watch(visit: Visit) -> None:
    def noted(kind: str, text: str) -> None:
        told = any(f"status of {status}" in text for status in visit.expected)
        if kind in ("error", "warning") and not told:
            visit.complaints.append(f"{kind}: {text}")

    def asked(request: Request) -> None:
        if not request.url.startswith((visit.base, "data:", "blob:")):
            visit.elsewhere.append(request.url)

    visit.page.on("console", lambda message: noted(message.type, message.text))
    visit.page.on("pageerror", lambda error: visit.complaints.append(str(error)))
    visit.page.on("request", asked)
