"""What-if on a profile: sliders and numbers rescore, the address holds what was tried, and it reads without script."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.conftest import Open


def test_a_slider_rescores(open_page: Open) -> None:
    visit = open_page("/customers/1093")
    page = visit.page
    slider = page.get_by_label("Further orders, slider")
    slider.focus()
    slider.press("ArrowRight")
    expect(page.get_by_label("Further orders", exact=True)).to_have_value("1")
    expect(page.locator("#what-if-found h3")).to_have_text(
        "One further order would make a High-Value customer of a Mid-Value one"
    )
    expect(page.locator("#what-if-found")).to_contain_text(
        "Worth $196.58: $177.74 profit in the orders themselves"
    )
    assert visit.path() == "/customers/1093?orders=1"
    page.reload()
    visit.ready()
    expect(page.locator("#what-if-found .reached")).to_contain_text("High")
    page.get_by_role("button", name="As it is").click()
    expect(page.locator("#what-if-found h3")).to_have_text("What further orders, or silence, would change")
    assert visit.path() == "/customers/1093"


def test_silence_and_what_cannot_be(open_page: Open) -> None:
    visit = open_page("/customers/1093")
    page = visit.page
    days = page.get_by_label("Days since the last of them", exact=True)
    days.fill("216")
    days.press("Tab")
    expect(page.locator("#what-if-found h3")).to_contain_text("200 more days of silence")
    expect(page.locator("#what-if-found .note")).to_contain_text("less expected to follow")
    days.fill("3")
    days.press("Tab")
    expect(page.locator("#what-if-found")).to_have_text(
        "Only an order can make the last order more recent: at least one is needed for that."
    )


def test_it_is_a_form_without_script(open_page: Open) -> None:
    visit = open_page("/customers/1093", java_script_enabled=False)
    page = visit.page
    page.get_by_label("Further orders", exact=True).fill("5")
    page.get_by_role("button", name="Try").click()
    expect(page.locator("#what-if-found h3")).to_have_text(
        "5 further orders would make a High-Value customer of a Mid-Value one"
    )
    expect(page.locator("[data-moves]").first).to_be_hidden()
