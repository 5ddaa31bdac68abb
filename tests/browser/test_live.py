"""The page of a customer follows events while it is open, and shows nothing that events smuggle in."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from evervalue.dashboard.app import create_app
from tests.browser.axe import violations
from tests.browser.conftest import Open
from tests.support.live_shop import LiveShop
from tests.support.site import serving


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> LiveShop:
    found = LiveShop(tmp_path_factory.mktemp("live") / "shop")
    found.send({"type": "page", "userId": "c2", "properties": {"path": "/hats"}})
    return found


@pytest.fixture(scope="module")
def live_site(shop: LiveShop) -> Iterator[str]:
    with serving(create_app(shop.data)) as address:
        yield address


def test_an_open_page_follows_what_its_customer_does(open_page: Open, live_site: str, shop: LiveShop) -> None:
    page = open_page("/customers/c2", base=live_site).page
    live = page.locator("#live")
    expect(live.locator("h2")).to_have_text("1 event since the run, no order among them")
    orders = live.locator("tr:has(th:text-is('Orders')) td").all_inner_texts()
    shop.send(shop.buys("c7", "b0", 5))  # somebody else's
    shop.send(shop.buys("c2", "b1", 500))
    expect(live.locator("h2")).to_have_text(
        re.compile("1 new order since the run raises the expected value to")
    )
    now = live.locator("tr:has(th:text-is('Orders')) td").all_inner_texts()
    assert now[0] == orders[0]
    assert int(now[1].split()[0]) == int(orders[1]) + 1
    expect(live.locator("tr:has-text('Order Completed')")).to_contain_text("order b1")
    page.goto("about:blank")  # hangs up, so that the server ends in time


def test_what_events_say_is_text(open_page: Open, live_site: str, shop: LiveShop) -> None:
    bad = "<img src=x onerror=alert(1)>"
    shop.send(
        {"type": "identify", "userId": "evil", "traits": {"name": bad}},
        {"type": "track", "event": bad, "userId": "evil", "properties": {"order_id": bad, "path": bad}},
    )
    page = open_page("/customers/evil", base=live_site).page
    expect(page.get_by_role("heading", level=1)).to_have_text(bad)
    expect(page.locator("#live")).to_contain_text(f"order {bad}")
    assert page.locator("img").count() == 0
    page.goto("about:blank")


@pytest.mark.parametrize("theme", ["light", pytest.param("dark", marks=pytest.mark.slow)])
def test_it_is_plain_to_everybody_at_every_width(
    open_page: Open, live_site: str, shop: LiveShop, theme: str
) -> None:
    shop.send(shop.buys("c4", f"b-{theme}", 50))
    for width in (1440, 375):
        visit = open_page("/customers/c4", base=live_site, color_scheme=theme, width=width)
        assert violations(visit.page) == []
        assert visit.sideways() == 0
        visit.page.goto("about:blank")
