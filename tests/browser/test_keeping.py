"""Notes on a customer and saved views, with and without script."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from evervalue.dashboard.app import create_app
from tests.browser.conftest import Open
from tests.support.site import serving


@pytest.fixture(scope="module")
def desk(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of its own, for what is kept is seen by every test."""
    folder = tmp_path_factory.mktemp("desk") / "data"
    shutil.copytree(data, folder, ignore=shutil.ignore_patterns("warehouse*", "state.db*"))
    with serving(create_app(folder)) as address:
        yield address


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
def test_a_note_is_written_and_taken_away(open_page: Open, desk: str, script: bool) -> None:
    visit = open_page("/customers/1093", base=desk, java_script_enabled=script)
    page = visit.page
    page.get_by_label("What others should know").fill("Renews in March.\n<b>Ask for Ada</b>")
    page.get_by_role("button", name="Save the note").click()
    note = page.locator(".notes li")
    expect(note).to_have_count(1)
    expect(note.locator(".says")).to_have_text("Renews in March. <b>Ask for Ada</b>")
    expect(note).to_contain_text("local")
    page.get_by_role("button", name="Take away the note").click()
    expect(page.locator("#notes-list")).to_contain_text("No notes yet.")


def test_a_view_is_kept_under_a_name(open_page: Open, desk: str) -> None:
    visit = open_page("/customers?tier=mid&sort=customer", base=desk)
    page = visit.page
    page.get_by_text("Views", exact=True).click()
    page.get_by_label("Keep this view as").fill("Mid by name")
    page.get_by_role("button", name="Keep", exact=True).click()
    visit.ready()
    visit.go("/gems")
    page.get_by_text("Views", exact=True).click()
    page.get_by_role("link", name="Mid by name").click()
    visit.ready()
    assert visit.path() == "/customers?tier=mid&sort=customer"
    page.get_by_text("Views", exact=True).click()
    page.get_by_role("button", name="Take away the view Mid by name").click()
    visit.ready()
    assert visit.path() == "/customers?tier=mid&sort=customer"
    page.get_by_text("Views", exact=True).click()
    expect(page.get_by_role("link", name="Mid by name")).to_have_count(0)


def test_the_view_that_is_kept_is_the_one_that_is_seen(open_page: Open, desk: str) -> None:
    visit = open_page("/customers", base=desk)
    page = visit.page
    page.get_by_role("combobox", name="Tier").select_option("High-Value")
    expect(page.locator("#says")).to_have_text("14 High-Value customers")
    page.get_by_text("Views", exact=True).click()
    page.get_by_label("Keep this view as").fill("High")
    page.get_by_role("button", name="Keep", exact=True).click()
    visit.ready()
    assert visit.path() == "/customers?tier=high"
    page.get_by_text("Views", exact=True).click()
    expect(page.get_by_role("link", name="High", exact=True)).to_have_attribute(
        "href", "/customers?tier=high"
    )
