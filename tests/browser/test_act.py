"""The Act pages: deciding about an action, choosing whom to contact for a budget, saving and exporting audiences."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest
from playwright.sync_api import expect

from evervalue.dashboard.app import create_app
from tests.browser.axe import violations
from tests.browser.conftest import Open
from tests.support.own import own_saas
from tests.support.site import serving


@pytest.fixture(scope="module")
def act(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a server over the SaaS example with a state of its own."""
    with serving(create_app(own_saas(tmp_path_factory.mktemp("act")))) as address:
        yield address


def test_a_decision_is_kept_and_taken_back(open_page: Open, act: str) -> None:
    visit = open_page("/act", base=act)
    page = visit.page
    expect(page.locator("#says")).to_have_text("18 open actions")
    expect(page.get_by_role("heading", level=1)).to_contain_text("9 customers hold half of what is at stake")
    page.get_by_text("Decide", exact=True).first.focus()
    page.keyboard.press("Enter")
    page.get_by_label("Note").first.fill("spoke to them")
    assert violations(page) == []
    page.get_by_role("button", name="Done").first.click()
    expect(page.locator(".kept")).to_contain_text("Valero Energy is marked as done")
    expect(page.locator("#says")).to_have_text("17 open actions")
    expect(page.get_by_role("heading", level=1)).to_contain_text("17 open actions")
    expect(page.locator("#open-gem")).to_have_text("13")
    assert visit.path() == "/act"
    visit.go("/act?show=done")
    expect(page.locator("#grid tbody tr")).to_have_count(1)
    expect(page.locator("#grid tbody tr")).to_contain_text("“spoke to them”")
    page.get_by_text("Decide", exact=True).first.click()
    page.get_by_role("button", name="Open again").click()
    expect(page.locator("#says")).to_have_text("0 actions done or not wanted")
    expect(page.get_by_text("No action fits.")).to_be_visible()
    visit.go("/act?show=mine")
    expect(page.get_by_text("Nothing is assigned to you.")).to_be_visible()


def test_deciding_without_script_keeps_the_view(open_page: Open, act: str) -> None:
    visit = open_page("/act?reason=at_risk&sort=customer", base=act, java_script_enabled=False, width=375)
    page = visit.page
    names = page.locator("#grid tbody th a").all_inner_texts()
    assert names == sorted(names)
    assert len(names) == 4
    page.locator("summary", has_text="Decide").first.click()
    page.get_by_role("button", name="Snooze").first.click()
    assert visit.path().startswith("/act?reason=at_risk&sort=customer&decided=")
    expect(page.locator(".kept")).to_contain_text(f"{names[0]} is snoozed until")
    expect(page.locator("#grid tbody tr")).to_have_count(3)
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("#grid tbody tr")).to_have_count(4)


def test_a_budget_says_whom_to_contact(open_page: Open, act: str) -> None:
    visit = open_page("/act/targeting", base=act)
    page = visit.page
    page.get_by_label("Budget, USD").fill("500")
    page.get_by_label("Cost of a contact").fill("10")
    page.get_by_role("button", name="Work it out").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(
        "Contact 50 of 99 customers: $500 spent is expected to bring $899"
    )
    assert visit.path() == "/act/targeting?budget=500&contact_cost=10"
    expect(page.locator("#hill-title")).to_be_visible()
    expect(page.locator(".chart svg")).to_be_visible()
    with urlopen(act + "/v1/targeting?budget=500&contact_cost=10") as answer:
        told = json.load(answer)["data"]
    figure = page.locator(".tile", has_text="Expected to be left").locator(".figure")
    assert (figure.get_attribute("title") or "").replace(",", "") == f"USD {told['expected_net']}"
    expect(page.locator(".pager .note")).to_have_text("1–25 of 50")
    page.get_by_role("link", name="Next").click()
    expect(page.locator(".pager .note")).to_have_text("26–50 of 50")
    page.get_by_text("Where these factors come from").click()
    expect(page.get_by_text("Pitney Bowes")).to_be_visible()
    assert violations(page) == []


def test_absurd_terms_are_told_in_words(open_page: Open, act: str) -> None:
    visit = open_page(base=act)
    visit.expected = (422,)
    response = visit.go("/act/targeting?budget=-5")
    assert response.status == 422
    expect(visit.page.get_by_text("budget: input should be greater than or equal to 0").first).to_be_visible()
    visit.go("/act/targeting?contact_cost=1000000")
    expect(visit.page.get_by_role("heading", level=1)).to_have_text(
        "No contact is expected to bring what it costs"
    )
    visit.go("/act/targeting?q=nothing-has-this")
    expect(visit.page.get_by_text("No customer fits.")).to_be_visible()


def test_an_audience_is_saved_exported_and_deleted(open_page: Open, act: str, tmp_path: Path) -> None:
    visit = open_page("/customers?tier=mid&region=EMEA", base=act)
    page = visit.page
    page.get_by_role("link", name="Save as audience").click()
    visit.ready()
    expect(page.locator("#new-title")).to_have_text("Save 28 Mid-Value customers in EMEA as an audience")
    page.get_by_label("Name").fill("Mid EMEA")
    page.get_by_role("button", name="Save audience").click()
    expect(page.locator(".kept")).to_contain_text("Saved: Mid EMEA.")
    row = page.locator("tbody tr", has_text="Mid EMEA")
    expect(row).to_contain_text("28 Mid-Value customers in EMEA")
    expect(row).to_contain_text("never")
    with page.expect_download() as loading:
        page.get_by_role("button", name="Export Mid EMEA as CSV").click()
    file = tmp_path / "audience.csv"
    loading.value.save_as(file)
    with file.open(newline="", encoding="utf-8") as text:
        rows = list(csv.DictReader(text))
    assert len(rows) == 28
    assert {(r["customer_value"], r["region"]) for r in rows} == {("Mid-Value", "EMEA")}
    visit.go("/act/audiences")
    expect(row).to_contain_text("28 joined")
    assert violations(page) == []
    row.get_by_text("Delete", exact=True).click()
    page.get_by_role("button", name="Delete Mid EMEA").click()
    expect(page.get_by_text("No audience yet.", exact=True)).to_be_visible()
