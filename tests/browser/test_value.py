"""Lifetime value and Models as a reader uses them: from a bar to its customers, by keyboard, and without script."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.conftest import Open


def test_a_bar_leads_to_its_customers(open_page: Open) -> None:
    visit = open_page("/value")
    page = visit.page
    figure = page.locator("figure", has=page.locator("#bands-title"))
    figure.get_by_text("Show as table").click()
    row = figure.locator("tbody tr").nth(3)
    number = row.locator("td").first.inner_text()
    row.get_by_role("link").click()
    visit.ready()
    assert visit.path().startswith("/customers?clv_from=")
    expect(page.locator("#says")).to_contain_text(f"{number} customers expected to bring from")
    page.get_by_role("combobox", name="Tier").select_option("High-Value")
    expect(page.locator("#says")).to_contain_text("High-Value customer")
    assert "clv_from=" in visit.path()


def test_a_drawn_bar_is_a_link_too(open_page: Open) -> None:
    visit = open_page("/value")
    box = visit.page.locator('[data-chart="stakes-options"]')
    bar = box.locator("svg path[fill='#0b5cab']").first.bounding_box()
    assert bar is not None
    visit.page.mouse.click(bar["x"] + bar["width"] / 2, bar["y"] + bar["height"] / 2)
    visit.page.wait_for_url("**/customers?p_alive_from=0.9*")
    visit.ready()
    expect(visit.page.locator("#says")).to_contain_text("99 customers still active with a chance from 90 %")


def test_a_choice_is_sent_at_once_and_kept_in_the_address(open_page: Open) -> None:
    visit = open_page("/value")
    visit.page.get_by_role("combobox", name="Tier").select_option("Mid-Value")
    visit.page.wait_for_url("**/value?tier=mid**")
    visit.ready()
    expect(visit.page.get_by_role("heading", level=1)).to_contain_text(
        "43 Mid-Value customers are expected to bring"
    )
    visit.page.get_by_role("link", name="Show everybody").click()
    visit.ready()
    assert visit.path() == "/value"


def test_models_are_compared_by_any_measure_with_the_keyboard(open_page: Open) -> None:
    visit = open_page("/models")
    page = visit.page
    link = page.get_by_role("link", name="MAE", exact=True)
    link.focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**measure=mae**")
    visit.ready()
    expect(page.locator("#rows-title")).to_contain_text("Mean absolute error: MBG/NBD")
    page.get_by_role("link", name="Orders", exact=True).focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**target=orders**")
    visit.ready()
    expect(page.locator("#table-title")).to_have_text("Forecasts of orders beside rules without a model")


def test_both_pages_read_without_script(open_page: Open) -> None:
    page = open_page("/value", java_script_enabled=False).page
    expect(page.locator("figure table").first).to_be_visible()
    page.get_by_role("combobox", name="Tier").select_option("High-Value")
    page.get_by_role("button", name="Apply").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("14 High-Value customers")
    page.get_by_role("link", name="Models", exact=True).click()
    expect(page.locator(".measures tbody tr")).to_have_count(7)
    expect(page.locator("figure table").first).to_be_visible()
