"""A reader clicks through all pages and finds the study's numbers on them."""

from __future__ import annotations

import csv
from pathlib import Path

from playwright.sync_api import expect

from tests.browser.conftest import Open

GEMS = """Valero Energy, Coca-Cola, Trafigura Group, Siemens, Bank of America Corp., BMW, Walt Disney, Airbus,
Home Depot, United Parcel Service, Phillips 66, PepsiCo, Volkswagen, AT&T""".replace("\n", " ").split(", ")


def test_the_reader_gets_from_the_overview_to_everything(open_page: Open) -> None:
    visit = open_page("/")
    page = visit.page
    expect(page.get_by_role("heading", level=1)).to_have_text("99 customers, $286.4K profit")
    expect(page.locator(".tiles")).to_contain_text("14 High · 43 Mid · 42 Low")
    for name, title in (
        ("Hidden gems", "11 of the 20 most profitable customers are Mid-Value"),
        ("Segments", "Mid-Value customers are 43% of all and bring 50% of the profit"),
        ("Customers", "99 customers"),
        ("How it is computed", "Every number comes from one of these"),
        ("Overview", "99 customers, $286.4K profit"),
    ):
        page.get_by_role("navigation", name="Pages").get_by_role("link", name=name).click()
        visit.ready()
        expect(page.get_by_role("heading", level=1)).to_contain_text(title)
        expect(page.get_by_role("link", name=name, exact=True).first).to_have_attribute(
            "aria-current", "page"
        )


def test_the_hidden_gems_are_those_of_the_study(open_page: Open) -> None:
    page = open_page("/gems").page
    rows = page.locator("#grid tbody tr")
    expect(rows).to_have_count(14)
    assert rows.locator("th a").all_inner_texts() == GEMS
    first = rows.first
    expect(first.locator("td").first).to_have_text("$10,309")
    assert first.locator("td .score.low").count() == 3, "L 2, R 2 and F 3 are marked"
    expect(first.locator(".why strong")).to_have_text("Reactivate")
    expect(first.locator(".step strong")).to_have_text("1 order")
    expect(page.locator("tr", has_text="Bank of America Corp.").last).to_contain_text("Not reachable")


def test_the_top_ten_on_the_page_are_the_published_ones_to_the_last_digit(open_page: Open) -> None:
    page = open_page("/gems").page
    page.locator("figure", has_text="The 20 most profitable").get_by_text("Show as table").click()
    shown = page.locator("figure", has_text="The 20 most profitable").locator("tbody tr")
    published = Path(__file__).parents[1] / "data" / "saas_top10.csv"
    with published.open(newline="") as file:
        for place, row in enumerate(csv.DictReader(file)):
            line = shown.nth(place)
            expect(line.locator("th")).to_have_text(row["customer"])
            exact = f"{float(row['monetary']):,.4f}"
            expect(line.locator("td span[title]")).to_have_attribute("title", f"USD {exact}")
            expect(line.locator("td").nth(1)).to_contain_text(row["customer_value"].split("-")[0])
            expect(line.locator("td").last).to_have_text(row["lrfm_score"])


def test_the_headline_does_not_change_with_a_filter(open_page: Open) -> None:
    visit = open_page("/gems")
    visit.page.get_by_role("link", name="Show these 2").click()
    visit.ready()
    expect(visit.page.get_by_role("heading", level=1)).to_have_text(
        "11 of the 20 most profitable customers are Mid-Value"
    )
    expect(visit.page.locator("#says")).to_have_text(
        "2 hidden gems for “Profit-based engagement and loyalty”"
    )
    expect(visit.page.locator("#grid tbody tr")).to_have_count(2)


def test_the_top_twenty_highlight_the_eleven(open_page: Open) -> None:
    page = open_page("/gems").page
    chart = page.locator("figure", has_text="The 20 most profitable").locator(".chart svg")
    expect(chart).to_be_visible()
    marked = chart.locator("text", has_text="◆")
    assert marked.count() == 11
    orange = chart.locator('path[fill="#c2560a"]')
    assert orange.count() == 11
    assert chart.locator('path[fill="#0b5cab"]').count() == 9


def test_a_bar_leads_to_its_customer(open_page: Open) -> None:
    visit = open_page("/gems")
    bar = (
        visit.page.locator("figure", has_text="The 20 most profitable").locator('path[fill="#c2560a"]').first
    )
    bar.click()
    visit.page.wait_for_url("**/customers/1093")
    expect(visit.page.get_by_role("heading", level=1)).to_contain_text("Valero Energy")


def test_a_profile_says_what_holds_the_customer_back(open_page: Open) -> None:
    page = open_page("/customers/1093").page
    strip = page.locator(".strip li")
    expect(strip).to_have_count(4)
    expect(strip.nth(0)).to_contain_text(
        "1,368 days from first to last order; 58% of customers have a longer history"
    )
    expect(strip.nth(1)).to_contain_text("16 days since the last order")
    expect(strip.nth(3)).to_contain_text("no customers bring more profit")
    expect(page.locator(".advice")).to_contain_text("Reactivate")
    expect(page.locator(".advice")).to_contain_text("1 more order lifts the score from 11 to 14")
    expect(page.locator("tr.reached")).to_contain_text("High")
    expect(page.locator("section", has_text="What is known").last).to_contain_text("Energy")


def test_the_heat_map_is_chosen_by_address(open_page: Open) -> None:
    visit = open_page("/segments")
    expect(visit.page.locator(".heat tbody td")).to_have_count(16)
    numbers = [int(text) for text in visit.page.locator(".heat tbody td").all_inner_texts()]
    assert sum(numbers) == 99
    visit.page.get_by_role("link", name="L × F").click()
    visit.ready()
    assert visit.path() == "/segments?pair=L-F"
    expect(visit.page.locator(".heat caption")).to_have_text("Customers by Length and Frequency score")


def test_every_panel_says_where_its_numbers_come_from(open_page: Open) -> None:
    page = open_page("/gems").page
    panel = page.locator("#grid details.computed")
    panel.locator("summary").click()
    expect(panel).to_contain_text("Mid-Value customers among the top profit performers")
    expect(panel).to_contain_text("from insight.hidden_gems")
    expect(panel).to_contain_text("cutoff Jan 1, 2024")
    expect(panel.locator("pre").last).to_contain_text("from customers.lrfm")
    panel.get_by_role("link", name="insight.hidden_gems").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("insight.hidden_gems")


def test_charts_draw_on_every_page_that_has_them(open_page: Open) -> None:
    for path, charts in (("/", 2), ("/gems", 2), ("/segments", 1), ("/customers/1093", 1)):
        page = open_page(path).page
        expect(page.locator(".chart svg")).to_have_count(charts)
        for chart in page.locator(".chart").all():
            assert chart.locator("path").count() > 2
            assert chart.get_attribute("role") == "img"
            assert len(chart.get_attribute("aria-label") or "") > 40


def test_a_chart_is_saved_as_a_picture(open_page: Open) -> None:
    page = open_page("/gems").page
    with page.expect_download() as download:
        page.get_by_role("button", name="PNG picture of: The 20 most").click()
    assert download.value.suggested_filename == "the-20-most-profitable-customers.png"
    picture = download.value.path().read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert len(picture) > 20_000
