"""Signing in with a browser: the door, Admin, one's account, and a session that ends in the middle of a form."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from playwright.sync_api import Page, expect

from evervalue.core.clock import FixedClock
from evervalue.dashboard.app import create_app
from evervalue.governance.passwords import Passwords
from evervalue.governance.people import People
from evervalue.governance.roles import Role
from evervalue.governance.settings import Access
from tests.browser.axe import violations
from tests.browser.conftest import Open
from tests.support.site import serving

NOW = dt.datetime(2024, 5, 6, 7, 8, 9, tzinfo=dt.UTC)
PASSWORD = "a long enough sentence"
ADMIN = ("/admin", "/admin/keys", "/admin/sessions", "/admin/events?kind=signed-in", "/account")


@pytest.fixture(scope="module")
def guarded(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, FastAPI]]:
    """A server over the SaaS example where people sign in; what they keep lies elsewhere."""
    folder = tmp_path_factory.mktemp("guarded")
    for name in ("runs", "current"):
        (folder / name).symlink_to(data / name)
    app = create_app(folder, clock=FixedClock(NOW), access=Access())
    people: People = app.state.people
    people.accounts.passwords = Passwords(memory_kib=8, rounds=1, lanes=1)
    for name, role in (("ann.lee", Role.ADMIN), ("bob", Role.VIEWER)):
        people.accounts.add(name, role, PASSWORD, by="test")
    with serving(app) as address:
        yield address, app


def signs_in(page: Page, name: str) -> None:
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    past_the_door(page)


def past_the_door(page: Page) -> None:
    """Waits until the browser is on the page that the door leads to."""
    page.wait_for_url(re.compile(r"//[^/]+/(?!signin)"), wait_until="load")


def test_an_admin_signs_in_manages_and_signs_out(open_page: Open, guarded: tuple[str, FastAPI]) -> None:
    visit = open_page(base=guarded[0])
    visit.expected = (401,)
    page = visit.page
    visit.go("/gems?q=coca")
    assert violations(page) == []
    page.get_by_label("Name").fill("ann.lee")
    page.get_by_label("Password").fill("something else")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("do not belong together")
    assert violations(page) == []
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    past_the_door(page)
    visit.ready()
    assert visit.path() == "/gems?q=coca"
    expect(page.locator("#grid tbody tr")).to_have_count(1)
    page.get_by_role("link", name="Admin", exact=True).click()
    page.wait_for_url("**/admin")
    expect(page.get_by_role("heading", level=1)).to_have_text("2 people may sign in; 1 of them decides")
    page.get_by_label("Name", exact=True).fill("new.person")
    page.get_by_role("button", name="Add, with a password").click()
    expect(page.get_by_role("status")).to_contain_text("The password of new.person")
    page.get_by_label("Remove new.person").click()
    page.get_by_role("button", name="Remove new.person for good").click()
    expect(page.get_by_role("status")).to_contain_text("was taken out")
    page.get_by_role("link", name="Keys", exact=True).click()
    page.get_by_label("What uses it").fill("nightly")
    page.get_by_label("take rows away as files").check()
    page.get_by_role("button", name="Make the key").click()
    expect(page.locator("code.secret")).to_contain_text("evk_")
    page.get_by_role("button", name="Revoke nightly").click()
    expect(page.get_by_role("status")).to_contain_text("lets nobody in any more")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_text("You have signed out.")).to_be_visible()


def test_admin_is_for_everybody_to_use_and_for_admins_alone(
    open_page: Open, guarded: tuple[str, FastAPI]
) -> None:
    base = guarded[0]
    visit = open_page("/admin", base=base, width=375)
    signs_in(visit.page, "ann.lee")
    for path in ADMIN:
        visit.page.set_viewport_size({"width": 375, "height": 900})
        visit.go(path)
        assert violations(visit.page) == [], path
        for width in (375, 720, 1280):
            visit.page.set_viewport_size({"width": width, "height": 900})
            assert visit.sideways() == 0, f"{path} at {width} px"
    dark = open_page("/admin", base=base, color_scheme="dark")
    signs_in(dark.page, "ann.lee")
    for path in ADMIN[:2]:
        dark.go(path)
        assert violations(dark.page) == [], path
    viewer = open_page("/account", base=base)
    viewer.expected = (403,)
    signs_in(viewer.page, "bob")
    expect(viewer.page.get_by_role("heading", level=1)).to_contain_text("bob, viewer")
    expect(viewer.page.get_by_role("link", name="Admin", exact=True)).to_have_count(0)
    viewer.go("/admin")
    expect(viewer.page.get_by_role("heading", level=1)).to_have_text("That is not yours to do")
    assert violations(viewer.page) == []


def test_a_session_that_ends_in_the_middle_of_a_form_says_so_and_comes_back(
    open_page: Open, guarded: tuple[str, FastAPI]
) -> None:
    base, app = guarded
    visit = open_page("/admin", base=base)
    visit.expected = (401,)
    page = visit.page
    signs_in(page, "ann.lee")
    visit.ready()
    page.get_by_label("Name", exact=True).fill("half.written")
    people: People = app.state.people
    ann = people.accounts.named("ann.lee")
    assert ann is not None
    people.sessions.end_all(ann.id, by="test", about="ann.lee")
    page.get_by_role("button", name="Add, with a password").click()
    expect(page.get_by_role("alert")).to_contain_text("nothing was changed")
    expect(page.locator(".door-sent")).to_contain_text("half.written")
    assert violations(page) == []
    signs_in(page, "ann.lee")
    visit.ready()
    assert visit.path() == "/admin"
    people.sessions.end_all(ann.id, by="test", about="ann.lee")
    visit.go("/customers")  # a page that is asked for leads to the door
    expect(page.get_by_text("Your session has ended.")).to_be_visible()


def test_a_part_of_a_page_leads_to_the_door_and_back(open_page: Open, guarded: tuple[str, FastAPI]) -> None:
    base, app = guarded
    visit = open_page("/customers", base=base)
    visit.expected = (401,)
    signs_in(visit.page, "bob")
    visit.ready()
    people: People = app.state.people
    bob = people.accounts.named("bob")
    assert bob is not None
    people.sessions.end_all(bob.id, by="test", about="bob")
    visit.page.get_by_role("link", name="Next →").click()
    expect(visit.page.get_by_text("Your session has ended.")).to_be_visible()
    signs_in(visit.page, "bob")
    visit.ready()
    assert visit.path().startswith("/customers")


def test_the_link_of_this_machine_opens_it_once(open_page: Open, data: Path, tmp_path: Path) -> None:
    for name in ("runs", "current"):
        (tmp_path / name).symlink_to(data / name)
    app = create_app(tmp_path, access=Access(by_account=False))
    with serving(app) as address:
        once = app.state.people.links.make()
        visit = open_page(f"/gems?once={once}", base=address)
        assert visit.path() == "/gems"
        expect(visit.page.get_by_role("heading", level=1)).to_contain_text("most profitable customers")
        other = open_page(f"/gems?once={once}", base=address)
        expect(other.page.get_by_role("heading", level=1)).to_have_text("Open the link of this machine")
        assert violations(other.page) == []
