"""From an empty folder to the Overview with a real run, by keyboard alone; and runs that go on while people look."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from evervalue.api.settings import ServerSettings
from evervalue.core.clock import SystemClock
from evervalue.core.errors import InputError
from evervalue.core.progress import Silent
from evervalue.dashboard.app import create_app
from evervalue.pipeline.progress_file import under_way
from tests.browser.axe import violations
from tests.browser.conftest import Open
from tests.support.projects import SAAS
from tests.support.site import serving
from tests.support.two_runs import own_two_runs, shared_two_runs

FIRST, SECOND = "20240301T120000Z", "20240302T120000Z"
LATER = "29990101T000000Z"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "shop"
    found.mkdir()
    return found


@pytest.fixture
def empty(folder: Path) -> Iterator[str]:
    with serving(create_app(folder / "evervalue-data", ServerSettings(project=folder))) as address:
        yield address


@pytest.fixture(scope="module")
def two() -> Iterator[str]:
    with serving(create_app(shared_two_runs())) as address:
        yield address


def tab_to(page: Page, selector: str) -> None:
    """Moves the focus by the Tab key alone until it is there."""
    for _ in range(80):
        if page.locator(f"{selector}:focus").count():
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"the Tab key does not lead to {selector}")


@pytest.mark.slow
def test_from_an_empty_folder_to_the_overview_by_keyboard(open_page: Open, empty: str, folder: Path) -> None:
    visit = open_page("/", base=empty)
    page = visit.page
    expect(page.get_by_role("heading", level=1)).to_have_text("Nothing is published yet: connect a file")
    assert violations(page) == []
    tab_to(page, "#file")
    page.set_input_files("#file", str(SAAS / "SaaS-Sales.csv"))  # what the system's own dialog would do
    tab_to(page, "#send")
    page.keyboard.press("Enter")
    page.wait_for_url("**/welcome/columns**")
    visit.ready()
    expect(page.get_by_label("Amount", exact=True)).to_have_value("Sales")
    expect(page.get_by_label("Profit", exact=True)).to_have_value("Profit")
    assert violations(page) == []
    tab_to(page, "details.more > summary")
    page.keyboard.press("Enter")
    tab_to(page, "#quantity")
    page.keyboard.press("Home")  # the first choice: not in the file
    tab_to(page, "[name=project]")
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("Our SaaS")
    tab_to(page, "#go")
    page.keyboard.press("Enter")
    page.wait_for_url("**/welcome")
    expect(page.get_by_role("heading", level=1)).to_have_text("Your first run is under way")
    expect(page.locator("#progress")).to_contain_text("A run is under way.")
    assert violations(page) == []
    page.wait_for_url(f"{empty}/", timeout=180_000)
    visit.ready()
    expect(page.get_by_role("heading", level=1)).to_have_text("99 customers, $286.4K profit")
    expect(page.locator("main")).to_contain_text("Our SaaS")
    settings = (folder / "evervalue.toml").read_text("utf-8")
    assert (
        "quantity"
        not in settings.split("[sources.sales.columns]")[1]
        .split("[")[0]
        .replace("# not used", "")
        .split("#")[0]
    )


@pytest.mark.parametrize(("width", "theme"), [(375, "dark"), (1440, "light")])
def test_the_first_page_and_its_columns_fit(
    open_page: Open, empty: str, folder: Path, width: int, theme: str
) -> None:
    (folder / "sales.csv").write_text("order,when,client,price\n1,03/04/2024,ann,5.5\n2,04/05/2024,bo,6\n")
    visit = open_page("/", base=empty, width=width, color_scheme=theme)
    assert visit.sideways() == 0
    visit.page.get_by_role("link", name="sales.csv").click()
    visit.ready()
    expect(visit.page.get_by_label("How days are written")).to_be_visible()
    assert visit.sideways() == 0
    assert violations(visit.page) == []
    visit.expected = (422,)
    visit.page.get_by_label("How days are written").select_option("%d/%m/%Y")
    visit.page.get_by_label("Amount", exact=True).select_option("")
    visit.page.get_by_role("button", name="Write the settings and run").click()
    visit.ready()
    expect(visit.page.get_by_role("alert").first).to_contain_text("Say which column is the amount")
    expect(visit.page.get_by_label("How days are written")).to_have_value("%d/%m/%Y")
    assert violations(visit.page) == []
    assert not (folder / "evervalue.toml").exists()


@pytest.mark.parametrize(("width", "theme"), [(375, "dark"), (1440, "light")])
@pytest.mark.parametrize(
    "path", ["/runs", f"/runs/{FIRST}", f"/runs/{FIRST}/publish", "/changes", "/segments"]
)
def test_runs_and_changes_fit_and_can_be_read_by_all(
    open_page: Open, two: str, path: str, width: int, theme: str
) -> None:
    visit = open_page(path, base=two, width=width, color_scheme=theme)
    visit.page.wait_for_load_state("networkidle")
    visit.page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true })")
    visit.page.wait_for_load_state("networkidle")
    assert visit.sideways() == 0
    assert violations(visit.page) == []


def test_a_run_is_seen_as_it_goes_on_and_fails_while_people_look(open_page: Open, tmp_path: Path) -> None:
    own = own_two_runs(tmp_path)

    def told(app: str) -> None:
        visit = open_page("/", base=app)
        page = visit.page
        box = page.locator("#progress")
        expect(box).to_have_text("")
        try:
            with under_way(own, Silent(), SystemClock(), run_id=LATER, tables=["a.b", "models.fits"]) as run:
                run.doing("models.fits")
                visit.go("/")
                expect(box).to_contain_text("Fitting and testing models, table 1 of 2")
                run.doing("a.b")
                expect(box).to_contain_text("table 2 of 2", timeout=10_000)
                assert violations(page) == []
                raise InputError("sources.sales: no column is called 'when'. Set ordered_at.")
        except InputError:
            pass
        expect(box).to_contain_text("The last run failed.", timeout=10_000)
        expect(box).to_contain_text("Set ordered_at.")
        expect(page.get_by_role("heading", level=1)).to_contain_text("customers")
        assert violations(page) == []

    with serving(create_app(own)) as address:
        told(address)


def test_another_run_is_published_by_a_page_and_offered_to_who_looks(open_page: Open, tmp_path: Path) -> None:
    with serving(create_app(own_two_runs(tmp_path))) as address:
        reader = open_page("/", base=address)
        expect(reader.page.locator("#since")).to_contain_text("Revenue rose by")
        admin = open_page("/runs", base=address, java_script_enabled=False)
        admin.page.get_by_role("link", name="Show this run").click()
        admin.page.get_by_role("button", name="Show this run").click()
        expect(admin.page.get_by_role("status").last).to_contain_text(f"Readers now see run {FIRST}")
        reader.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        expect(reader.page.locator("#progress")).to_contain_text("A new run is published.", timeout=20_000)
        reader.page.get_by_role("link", name="Show it").click()
        expect(reader.page.locator("footer")).to_contain_text(FIRST)


def test_changes_lead_from_a_cell_to_its_customers(open_page: Open, two: str) -> None:
    visit = open_page("/changes", base=two)
    page = visit.page
    page.locator(".moves a").filter(has_text="customers from Not there").first.click()
    visit.ready()
    expect(page.locator("#grid tbody tr")).to_have_count(1)
    expect(page.locator("#grid tbody")).to_contain_text("joiner")
    page.locator("select[name=was]").select_option("")
    expect(page).to_have_url(re.compile(r"^[^?]*\?(?!.*was=)"))
    still = open_page("/changes", base=two, java_script_enabled=False).page
    still.locator("select[name=moved]").select_option("left")
    still.get_by_role("button", name="Apply").last.click()
    expect(still.locator("#grid tbody tr")).to_have_count(1)
    expect(still.locator("#grid tbody")).to_contain_text("leaver")
