"""The big table: search, filters, order, pages and columns, all of them in the address and by keyboard."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.conftest import Open


def test_typing_searches_after_a_rest(open_page: Open) -> None:
    visit = open_page("/customers")
    visit.page.get_by_label("Search").press_sequentially("united", delay=20)
    expect(visit.page.locator("#says")).to_have_text("2 customers matching “united”")
    assert visit.path() == "/customers?q=united"
    expect(visit.page.get_by_label("Search")).to_be_focused()
    expect(visit.page.get_by_label("Search")).to_have_value("united")


def test_filters_and_order_hold_together(open_page: Open) -> None:
    visit = open_page("/customers")
    page = visit.page
    page.get_by_role("combobox", name="Tier").select_option("Mid-Value")
    expect(page.locator("#says")).to_have_text("43 Mid-Value customers")
    page.get_by_role("link", name="Orders", exact=True).click()
    expect(page.locator("th[aria-sort]")).to_have_text("Orders▼")
    page.get_by_role("combobox", name="Region").select_option("EMEA")
    expect(page.locator("#says")).to_contain_text("Mid-Value customers in EMEA")
    assert visit.path() == "/customers?tier=mid&region=EMEA&sort=-frequency"
    counts = [int(text) for text in page.locator("tbody td:nth-child(12)").all_inner_texts()]
    assert counts == sorted(counts, reverse=True)
    again = open_page(visit.path())
    assert again.page.locator("tbody").inner_text() == page.locator("tbody").inner_text()


def test_hidden_gems_only(open_page: Open) -> None:
    page = open_page("/customers").page
    page.get_by_label("Hidden gems only").check()
    expect(page.locator("#says")).to_have_text("14 hidden gems")
    assert page.locator("tbody .tier.mid").count() == 14


def test_pages_go_forth_and_back(open_page: Open) -> None:
    visit = open_page("/customers?sort=customer")
    page = visit.page
    first = page.locator("tbody th a").all_inner_texts()
    page.get_by_role("link", name="Next").click()
    expect(page.locator(".pager .note")).to_have_text("51–99 of 99")
    second = page.locator("tbody th a").all_inner_texts()
    assert len(set(first) | set(second)) == 99
    assert [name.lower() for name in first + second] == sorted(name.lower() for name in first + second)
    page.get_by_role("link", name="Previous").click()
    expect(page.locator(".pager .note")).to_have_text("1–50 of 99")
    assert page.locator("tbody th a").all_inner_texts() == first


def test_back_from_a_customer_keeps_view_and_focus(open_page: Open) -> None:
    visit = open_page("/customers")
    page = visit.page
    page.get_by_role("combobox", name="Tier").select_option("High-Value")
    expect(page.locator("#says")).to_have_text("14 High-Value customers")
    page.locator("#grid").get_by_role("link", name="Revenue", exact=True).click()
    expect(page.locator("th[aria-sort]")).to_have_text("Revenue▼")
    link = page.get_by_role("link", name="Kroger")
    link.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Kroger")
    page.go_back()
    visit.ready()
    assert visit.path() == "/customers?tier=high&sort=-revenue"
    expect(page.locator("#says")).to_have_text("14 High-Value customers")
    expect(page.get_by_role("combobox", name="Tier")).to_have_value("high")
    expect(page.get_by_role("link", name="Kroger")).to_be_focused()


def test_back_undoes_one_filter_at_a_time(open_page: Open) -> None:
    visit = open_page("/customers")
    page = visit.page
    page.get_by_role("combobox", name="Tier").select_option("High-Value")
    expect(page.locator("#says")).to_have_text("14 High-Value customers")
    page.get_by_role("combobox", name="Region").select_option("AMER")
    expect(page.locator("#says")).to_contain_text("in AMER")
    page.go_back()
    expect(page.locator("#says")).to_have_text("14 High-Value customers")
    expect(page.get_by_role("combobox", name="Region")).to_have_value("")
    page.go_back()
    expect(page.locator("#says")).to_have_text("99 customers")
    expect(page.get_by_role("combobox", name="Tier")).to_have_value("")


def test_columns_are_chosen_and_shared_by_address(open_page: Open) -> None:
    visit = open_page("/customers")
    page = visit.page
    page.locator("summary", has_text="Columns").click()
    page.get_by_label("Length, days").check()
    expect(page.locator("thead")).to_contain_text("Length, days")
    page.get_by_role("checkbox", name="Region").uncheck()
    expect(page.locator("thead")).not_to_contain_text("Region")
    assert "columns=" in visit.path()
    page.keyboard.press("Escape")
    expect(page.locator(".filters details.chooser")).not_to_have_attribute("open", "")
    again = open_page(visit.path())
    assert again.page.locator("thead").inner_text() == page.locator("thead").inner_text()


def test_everything_works_by_keyboard(open_page: Open) -> None:
    visit = open_page("/customers")
    page = visit.page
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    page.get_by_label("Search").focus()
    page.keyboard.type("co")
    expect(page.locator("#says")).to_contain_text("matching “co”")
    page.locator("#sort-lrfm_score").focus()
    page.keyboard.press("Enter")
    expect(page.locator("th[aria-sort]")).to_contain_text("Score")
    expect(page.locator("#sort-lrfm_score")).to_be_focused()
    page.locator("tbody a").first.focus()
    name = page.locator("tbody a").first.inner_text()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text(name)


def test_nobody_found_is_said_with_a_way_out(open_page: Open) -> None:
    page = open_page("/customers?q=nobody-has-this-name").page
    expect(page.locator("#grid")).to_contain_text("No customer fits.")
    page.get_by_role("link", name="Clear the filters").click()
    expect(page.locator("#says")).to_have_text("99 customers")


def test_exports_hold_what_the_filters_leave(open_page: Open) -> None:
    visit = open_page("/customers?tier=mid&sort=customer")
    with visit.page.expect_download() as download:
        visit.page.get_by_role("link", name="Export as CSV").click()
    text = download.value.path().read_text("utf-8")
    lines = text.strip().splitlines()
    assert len(lines) == 44
    assert lines[0].startswith("customer,customer_id,customer_value")
    assert all("Mid-Value" in line for line in lines[1:])


def test_a_server_that_is_gone_is_said(open_page: Open) -> None:
    visit = open_page("/customers")
    visit.page.route("**/customers?*", lambda route: route.abort())
    with visit.page.expect_console_message(lambda message: "htmx:error" in message.text):
        visit.page.get_by_role("combobox", name="Tier").select_option("High-Value")
    expect(visit.page.locator("#offline")).to_contain_text("The server does not answer.")
    expect(visit.page.locator("#says")).to_have_text("99 customers")
    assert all("ERR_FAILED" in said or "Failed to fetch" in said for said in visit.complaints)
    visit.complaints.clear()


def test_a_cell_of_the_heat_map_leads_to_its_customers(open_page: Open) -> None:
    visit = open_page("/segments?pair=R-F")
    page = visit.page
    cell = page.locator("table.heat td a").first
    number = cell.inner_text().split()[0]
    cell.click()
    visit.ready()
    expect(page.locator("#says")).to_contain_text(f"{number} customer")
    expect(page.locator(".chip")).to_have_count(2)
    page.get_by_role("combobox", name="Tier").select_option("Mid-Value")  # the further filters stay
    expect(page.locator("#says")).to_contain_text("Mid-Value")
    expect(page.locator("#says")).to_contain_text("with recency score")
    page.locator(".chip").first.click()
    visit.ready()
    expect(page.locator(".chip")).to_have_count(1)
    page.get_by_role("link", name="Clear the filters").click()
    visit.ready()
    expect(page.locator("#says")).to_have_text("99 customers")
