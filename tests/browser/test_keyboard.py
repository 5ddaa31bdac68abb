"""Everything by keyboard: finding, walking through rows, turning pages, going to pages, and the list of keys."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Open


def test_find_a_customer_from_anywhere(open_page: Open) -> None:
    visit = open_page("/segments")
    page = visit.page
    page.keyboard.press("/")
    expect(page.get_by_label("Find a customer or a page")).to_be_focused()
    page.keyboard.type("val")
    expect(page.locator("#found a").first).to_contain_text("Valero Energy")
    page.keyboard.press("ArrowDown")
    expect(page.locator("#found a").first).to_be_focused()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    visit.ready()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Valero Energy")


def test_a_page_is_found_too_and_escape_clears(open_page: Open) -> None:
    visit = open_page("/")
    page = visit.page
    page.keyboard.press("/")
    page.keyboard.type("hidden")
    expect(page.locator("#found")).to_contain_text("Hidden gems")
    page.keyboard.press("Escape")
    expect(page.locator("#found a")).to_have_count(0)
    page.keyboard.type("nobody is called so")
    expect(page.locator("#found")).to_contain_text("Nobody matches")


def test_rows_and_pages_by_letters(open_page: Open) -> None:
    visit = open_page("/customers")
    page = visit.page
    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(page.locator("#grid tbody th a").nth(1)).to_be_focused()
    page.keyboard.press("k")
    expect(page.locator("#grid tbody th a").first).to_be_focused()
    page.keyboard.press("n")
    expect(page.locator(".pager .note")).to_have_text("51–99 of 99")
    page.keyboard.press("p")
    expect(page.locator(".pager .note")).to_have_text("1–50 of 99")
    page.locator("#q").fill("j")  # letters that are typed stay letters
    expect(page.locator("#q")).to_be_focused()


@pytest.mark.parametrize(("letter", "path"), [("h", "/gems"), ("s", "/segments"), ("o", "/")])
def test_go_to_a_page(open_page: Open, letter: str, path: str) -> None:
    visit = open_page("/customers")
    visit.page.keyboard.press("g")
    visit.page.keyboard.press(letter)
    visit.page.wait_for_url("**" + path)
    assert visit.path() == path


def test_the_list_of_keys(open_page: Open) -> None:
    page = open_page("/").page
    page.keyboard.press("?")
    keys = page.get_by_role("dialog", name="Keys")
    expect(keys).to_be_visible()
    expect(keys).to_contain_text("Hidden gems")
    page.keyboard.press("Escape")
    expect(keys).to_be_hidden()


def test_finding_without_script(open_page: Open) -> None:
    visit = open_page("/segments", java_script_enabled=False)
    visit.page.get_by_label("Find a customer or a page").fill("val")
    visit.page.keyboard.press("Enter")
    expect(visit.page.locator("#says")).to_contain_text("matching “val”")
