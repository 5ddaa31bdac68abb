"""Pages fit a phone and a zoomed screen, read without script, print, and keep their theme."""

from __future__ import annotations

from contextlib import suppress

import pytest
from playwright.sync_api import Error, expect

from tests.browser.conftest import Open

PAGES = [
    "/",
    "/gems",
    "/segments",
    "/value",
    "/models",
    "/customers",
    "/cohorts",
    "/revenue?by=country",
    "/revenue?by=product&value=Alchemy",
    "/customers/1093",
    "/sources",
    "/sources/sales",
    "/runs",
    "/changes",
    "/tables",
    "/admin",
    "/account",
    "/v1/docs",
    "/tables/insight.hidden_gems",
    "/act",
    "/act/targeting?budget=500",
    "/act/audiences",
]

NOT_SIDEWAYS = "document.documentElement.scrollWidth === document.documentElement.clientWidth"


@pytest.mark.parametrize("path", PAGES)
def test_no_sideways_scroll(open_page: Open, path: str) -> None:
    """720 px is a 1440 px screen at 200 %."""
    visit = open_page(path, width=375)
    visit.page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true })")
    visit.page.wait_for_load_state("networkidle")
    for width in (375, 640, 720, 900, 1024, 1280):
        visit.page.set_viewport_size({"width": width, "height": 900})
        with suppress(Error):  # charts follow a resized window a moment later
            visit.page.wait_for_function(NOT_SIDEWAYS, timeout=5000)
        assert visit.sideways() == 0, f"at {width} px"


def test_a_phone_has_a_menu(open_page: Open) -> None:
    visit = open_page("/", width=375)
    links = visit.page.get_by_role("navigation", name="Pages")
    expect(links).to_be_hidden()
    visit.page.get_by_role("button", name="Menu").click()
    expect(visit.page.get_by_role("button", name="Menu")).to_have_attribute("aria-expanded", "true")
    links.get_by_role("link", name="Segments").click()
    visit.ready()
    assert visit.path() == "/segments"


def test_pages_read_without_script(open_page: Open) -> None:
    visit = open_page("/gems", java_script_enabled=False)
    page = visit.page
    expect(page.get_by_role("heading", level=1)).to_have_text(
        "11 of the 20 most profitable customers are Mid-Value"
    )
    table = page.locator("figure", has_text="The 20 most profitable").locator("table")
    expect(table).to_be_visible()
    expect(table.locator("tbody tr")).to_have_count(20)
    expect(page.locator(".chart").first).to_be_hidden()
    page.get_by_label("Search by name or key").fill("coca")
    page.get_by_role("button", name="Search").click()
    expect(page.locator("#grid tbody tr")).to_have_count(1)
    page.get_by_role("link", name="Coca-Cola").last.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Coca-Cola")


def test_customers_filter_sort_and_page_without_script(open_page: Open) -> None:
    visit = open_page("/customers", java_script_enabled=False)
    page = visit.page
    page.get_by_role("link", name="Next").click()
    expect(page.locator(".pager .note")).to_have_text("51–99 of 99")
    page.get_by_role("combobox", name="Tier").select_option("Mid-Value")
    page.get_by_role("button", name="Apply").click()
    expect(page.locator("#says")).to_have_text("43 Mid-Value customers")
    page.get_by_role("link", name="Customer", exact=True).click()
    expect(page.locator("th[aria-sort=ascending]")).to_contain_text("Customer")
    expect(page.locator("#says")).to_have_text("43 Mid-Value customers")


def test_the_theme_is_kept(open_page: Open) -> None:
    visit = open_page("/gems")
    page = visit.page
    background = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(background) == "rgb(246, 247, 249)"
    page.get_by_role("button", name="Theme").click()
    assert page.evaluate(background) == "rgb(15, 20, 27)"
    expect(page.locator("figure", has_text="The 20 most").locator('path[fill="#ff9a3c"]')).to_have_count(11)
    visit.go("/customers")
    assert page.evaluate(background) == "rgb(15, 20, 27)"
    page.get_by_role("button", name="Theme").click()
    assert page.evaluate(background) == "rgb(246, 247, 249)"


def test_the_theme_works_without_script(open_page: Open) -> None:
    visit = open_page("/segments?pair=L-F", java_script_enabled=False)
    visit.page.get_by_role("button", name="Theme").click()
    assert visit.path() == "/segments?pair=L-F"
    expect(visit.page.locator("html")).to_have_attribute("data-theme", "dark")


def test_print_leaves_out_what_paper_cannot_use(open_page: Open) -> None:
    page = open_page("/gems", color_scheme="dark").page
    page.emulate_media(media="print")
    expect(page.locator("#nav")).to_be_hidden()
    expect(page.get_by_role("button", name="Theme")).to_be_hidden()
    expect(page.locator("#grid tbody tr").first).to_be_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


def test_numbers_follow_the_reader(open_page: Open) -> None:
    page = open_page("/gems", locale="de-DE").page
    expect(page.locator("#grid tbody tr").first.locator("td").first).to_have_text("10.309 $")
    expect(page.locator("footer")).to_contain_text("01.01.2024")


def test_the_first_visit_is_small(open_page: Open) -> None:
    visit = open_page()
    sizes: dict[str, int] = {}
    visit.page.on("response", lambda r: sizes.update({r.url: int(r.headers.get("content-length") or 0)}))
    visit.go("/gems")
    scripts = sum(size for url, size in sizes.items() if url.endswith(".js"))
    assert scripts < 300_000
    assert sum(sizes.values()) < 400_000
    sizes.clear()
    visit.go("/gems")
    measured = visit.page.evaluate(
        "performance.getEntriesByType('resource').reduce((sum, entry) => sum + entry.transferSize, 0)"
    )
    assert measured < 2_000, "everything but the page itself comes from the cache"
