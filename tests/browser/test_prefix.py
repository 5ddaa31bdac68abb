"""A browser walks the pages behind a reverse proxy, under a path, and asks for nothing outside of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from evervalue.api.settings import ServerSettings
from evervalue.dashboard.app import create_app
from evervalue.dashboard.navigation import NAVIGATION
from tests.browser.conftest import Open
from tests.support.proxy import proxied
from tests.support.site import serving

pytestmark = pytest.mark.browser
PREFIX = "/value"


def test_everything_stays_under_the_path(open_page: Open, data: Path) -> None:
    elsewhere: list[str] = []
    app = create_app(data, ServerSettings(trusted_proxies=("127.0.0.1",)))
    with serving(app) as server, proxied(server, PREFIX, elsewhere) as address:
        visit = open_page(base=address)
        page = visit.page
        places = [place.href for _, group in NAVIGATION for place in group]
        for path in [*places, "/customers/1093", "/sources/sales", "/tables/customers.lrfm", "/v1/docs"]:
            response = visit.go(PREFIX + path)
            assert response.status == 200, path
            outside = page.evaluate(
                """prefix => [...document.querySelectorAll('[href],[src],[action]')]
                .map(e => e.getAttribute('href') || e.getAttribute('src') || e.getAttribute('action'))
                .filter(a => a.startsWith('/') && !a.startsWith(prefix + '/'))""",
                PREFIX,
            )
            assert outside == [], path
        visit.go(PREFIX + "/customers")
        page.locator("#sort-revenue").click()
        page.wait_for_url("**/value/customers?*sort=*revenue*")
        page.locator("#grid tbody a").first.click()
        page.wait_for_url("**/value/customers/*")
        visit.ready()
        page.locator("form.theme button").click()
        (cookie,) = [c for c in page.context.cookies() if c.get("name") == "theme"]
        assert cookie.get("path") == "/value/"
        page.locator("#nav a[href$='/gems']").click()
        page.wait_for_url("**/value/gems")
        visit.ready()
        assert page.locator(".chart svg").count() > 0
        assert page.evaluate("document.fonts.check('14px Inter')")
    assert elsewhere == []
