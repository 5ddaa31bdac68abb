"""From a cell of a cohort and a value of revenue to the customers behind it: mouse, keyboard, without script."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.conftest import Open


def test_a_cell_leads_to_its_customers(open_page: Open) -> None:
    visit = open_page("/cohorts")
    page = visit.page
    expect(page.get_by_role("heading", level=1)).to_contain_text("40% of customers order again in month 12")
    cell = page.locator("#k-2020-Q2-4")
    expect(cell).to_have_text("68%")
    cell.focus()
    page.keyboard.press("Enter")
    visit.ready()
    assert visit.path() == "/customers?cohort=2020-Q2&age=4"
    expect(page.locator("#says")).to_have_text(
        "15 customers of 2020-Q2 who ordered 4 quarters after their first"
    )
    page.get_by_role("combobox", name="Tier").select_option("Low-Value")
    expect(page.locator("#says")).to_contain_text("Low-Value customers of 2020-Q2 who ordered")
    assert "cohort=2020-Q2&age=4" in visit.path(), "a filter more keeps the cell"


def test_measure_and_length_are_in_the_address(open_page: Open) -> None:
    visit = open_page("/cohorts", java_script_enabled=False)
    page = visit.page
    page.get_by_role("link", name="Profit", exact=True).click()
    page.get_by_role("link", name="Years").click()
    assert visit.path() == "/cohorts?by=year&measure=margin"
    cells = page.locator(".heat tbody td a")
    expect(cells).to_have_text(["$541", "$1.2K", "$2.1K"])  # 2023 is not over for who began in September 2020
    expect(page.locator("#curves-title")).to_contain_text("profit in 43 months")
    expect(page.locator("figure table")).to_be_visible()


def test_a_value_leads_to_its_months_customers_and_lines(open_page: Open) -> None:
    visit = open_page("/revenue?by=discount", locale="en-GB")
    page = visit.page
    expect(page.get_by_role("heading", level=1)).to_have_text(
        "No discount brings 47% of the revenue, and 8 lose money"
    )
    page.get_by_role("link", name="Profit rate").click()
    page.get_by_role("link", name="Profit rate").click()
    expect(page.locator("#grid tbody th").first).to_have_text("discount 0.8")
    assert visit.path() == "/revenue?by=discount&sort=margin_rate"
    page.get_by_role("link", name="discount 0.8", exact=True).last.click()
    visit.ready()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Discount 0.8: US$17K revenue")
    with page.expect_download() as taken:
        page.get_by_role("link", name="Lines as CSV").click()
    assert len(taken.value.path().read_text("utf-8").splitlines()) == 301
    page.locator("a.tile").click()
    visit.ready()
    expect(page.locator("#says")).to_have_text("93 customers with discount 0.8")
