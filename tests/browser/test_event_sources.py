"""Sources of events on the Sources page: what became of the events, who is silent, and whether the collector lives."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from evervalue.core.clock import FixedClock
from evervalue.dashboard.app import create_app
from tests.browser.axe import violations
from tests.browser.conftest import Open
from tests.support.event_sites import AT, events_data
from tests.support.site import serving


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    with serving(create_app(events_data(), clock=FixedClock(AT))) as address:
        yield address


@pytest.fixture(scope="module")
def site_without_collector() -> Iterator[str]:
    """Ten minutes after the collector was last heard of."""
    with serving(create_app(events_data(), clock=FixedClock(AT + dt.timedelta(minutes=10)))) as address:
        yield address


def test_the_accounts_stand_on_the_page_and_the_silent_one_leads(open_page: Open, site: str) -> None:
    visit = open_page("/", base=site)
    banner = visit.page.locator(".banner.alarm")
    expect(banner).to_contain_text(
        "2 sources need attention. till has sent nothing for 5 hours; crm.customers could"
    )
    banner.get_by_role("link", name="till has sent nothing").click()
    visit.ready()
    page = visit.page
    expect(page.get_by_role("heading", level=1)).to_have_text(
        "2 sources need attention: till has sent nothing for 5 hours and crm.customers could not be read"
    )
    card = page.locator("section:has(#events-title)")
    expect(card.locator("h2")).to_have_text("5 events came: 3 stored, 1 duplicate, 1 quarantined")
    expect(card).to_contain_text(
        "The collector takes events: the last of its own was stored and found within 12 ms."
    )
    cells = [row.locator("th, td").all_inner_texts() for row in card.locator("tbody tr").all()]
    assert [(row[0], *row[3:]) for row in cells] == [
        ("till", "1", "1", "0", "0", "none"),
        ("web", "4", "2", "1", "1", "none"),
    ]
    assert "nothing came for 5 hours, where 2 hours are usual at most" in cells[0][1]
    expect(card).to_contain_text("evervalue events refused")
    expect(card).not_to_contain_text("canary")


def test_a_collector_that_is_gone_is_an_alarm_on_every_page(
    open_page: Open, site_without_collector: str
) -> None:
    page = open_page("/gems", base=site_without_collector).page
    expect(page.locator(".banner.alarm")).to_contain_text(
        "The collector and 1 source need attention. The collector has said nothing for 10 minutes"
    )


@pytest.mark.parametrize("theme", ["light", pytest.param("dark", marks=pytest.mark.slow)])
def test_plain_to_everybody_at_every_width(open_page: Open, site: str, theme: str) -> None:
    for width in (1440, 375):
        visit = open_page("/sources", base=site, color_scheme=theme, width=width)
        assert violations(visit.page) == []
        assert visit.sideways() == 0
    hidden = "[...document.querySelectorAll('.scroll')].map(s => s.scrollWidth - s.clientWidth)"
    for width in (375, 800, 1199, 1440, 1920):
        visit.page.set_viewport_size({"width": width, "height": 900})
        assert set(visit.page.evaluate(hidden)) == {0}, f"at {width} px"
