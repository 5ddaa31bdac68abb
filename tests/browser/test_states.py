"""States that are designed, not left over: nothing published, stale, not found, refused, too slow, failed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from evervalue.api.settings import ServerSettings
from evervalue.core.clock import FixedClock
from evervalue.dashboard.app import create_app
from tests.browser.axe import violations
from tests.browser.conftest import Open
from tests.support.projects import NOON
from tests.support.site import revenue_data, saas_data, serving


@pytest.fixture(scope="module")
def empty_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(create_app(tmp_path_factory.mktemp("nothing"))) as address:
        yield address


@pytest.fixture(scope="module")
def stale_site() -> Iterator[str]:
    later = FixedClock(NOON + dt.timedelta(days=30))
    with serving(create_app(saas_data(), clock=later)) as address:
        yield address


@pytest.fixture(scope="module")
def slow_site() -> Iterator[str]:
    with serving(create_app(saas_data(), ServerSettings(query_timeout_seconds=0.0))) as address:
        yield address


@pytest.fixture(scope="module")
def shop_site() -> Iterator[str]:
    with serving(create_app(revenue_data())) as address:
        yield address


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_nothing_published(open_page: Open, empty_site: str, theme: str) -> None:
    visit = open_page(base=empty_site, color_scheme=theme)
    visit.expected = (503,)
    for path in ("/", "/gems", "/customers", "/customers/1"):
        assert visit.go(path).status == 503
        expect(visit.page.get_by_role("heading", level=1)).to_have_text("Nothing is published yet")
        expect(visit.page.locator("main")).to_contain_text("evervalue run")
    assert violations(visit.page) == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_stale_data_says_so(open_page: Open, stale_site: str, theme: str) -> None:
    visit = open_page("/", base=stale_site, color_scheme=theme)
    expect(visit.page.locator(".banner").first).to_contain_text("published 30 days ago")
    assert violations(visit.page) == []


def test_fresh_data_does_not(open_page: Open, site: str, data: Path) -> None:
    clock = FixedClock(NOON + dt.timedelta(days=6))
    with serving(create_app(data, clock=clock)) as address:
        page = open_page("/", base=address).page
        expect(page.get_by_text("Not fresh")).to_have_count(0)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("path", ["/customers/nobody", "/tables/no.table", "/nowhere"])
def test_not_found(open_page: Open, path: str, theme: str) -> None:
    visit = open_page(color_scheme=theme)
    visit.expected = (404,)
    assert visit.go(path).status == 404
    expect(visit.page.get_by_role("heading", level=1)).to_have_text("Not found")
    expect(visit.page.get_by_role("link", name="Find a customer")).to_be_visible()
    assert violations(visit.page) == []


def test_what_cannot_be_asked_is_explained(open_page: Open) -> None:
    visit = open_page()
    visit.expected = (400, 422)
    assert visit.go("/customers?sort=monetry").status == 400
    expect(visit.page.locator("main")).to_contain_text("did you mean 'monetary'?")
    assert visit.go("/customers?tier=best").status == 422
    expect(visit.page.locator("main")).to_contain_text("input should be 'high', 'mid', 'low' or 'unscored'")
    assert visit.go("/customers?after=xx").status == 400
    assert visit.go("/segments?pair=X-Y").status == 400
    assert violations(visit.page) == []


def test_a_query_that_takes_too_long_is_stopped_and_said(open_page: Open, slow_site: str) -> None:
    visit = open_page(base=slow_site)
    visit.expected = (504,)
    assert visit.go("/").status == 504
    expect(visit.page.get_by_role("heading", level=1)).to_have_text("That took too long")
    expect(visit.page.get_by_role("link", name="Try again")).to_be_visible()
    assert violations(visit.page) == []


def test_an_error_inside_the_table_keeps_the_page(open_page: Open) -> None:
    visit = open_page("/customers")
    visit.expected = (400,)
    visit.page.locator("#sort-revenue").evaluate("a => a.setAttribute('hx-get', '/customers?sort=nothing')")
    visit.page.locator("#sort-revenue").click()
    expect(visit.page.locator("#grid [role=alert]")).to_contain_text("There is no sort order 'nothing'")
    expect(visit.page.get_by_label("Search")).to_be_visible()


def test_a_small_company_by_revenue(open_page: Open, shop_site: str) -> None:
    """Awkward names are shown as they are and lead to their pages; nothing in a name is run."""
    visit = open_page("/customers", base=shop_site)
    page = visit.page
    expect(page.locator("thead")).to_contain_text("Revenue")
    names = page.locator("tbody th a").all_inner_texts()
    assert "Zoë & Søn <script>alert(1)</script>" in names
    for name in names:
        visit.go("/customers")
        visit.page.locator("tbody th a").filter(has_text=name).click()
        visit.ready()
        expect(page.get_by_role("heading", level=1)).to_contain_text(name)
        assert violations(page) == []
    visit.go("/")
    expect(page.get_by_role("heading", level=1)).to_contain_text("revenue")
    expect(page.locator("main")).not_to_contain_text("profit")
    assert violations(page) == []
    visit.go("/gems")
    assert violations(page) == []
    visit.go("/segments")
    assert violations(page) == []
