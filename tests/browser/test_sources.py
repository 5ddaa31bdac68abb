"""The Sources page: what it shows is what the API answers and the tables hold, at the moment of looking."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from urllib.request import urlopen

import pytest
from playwright.sync_api import Page, expect

from evervalue.api.snapshots import SnapshotReader, Statement
from evervalue.core.clock import FixedClock
from evervalue.dashboard.app import create_app
from tests.browser.axe import violations
from tests.browser.conftest import Open
from tests.support.site import serving
from tests.support.watched import LAST, followed_data, say, sourceless_data, unwatched_data, watched_data

PATHS = ["/sources", "/sources/shop", "/sources/crm.customers", "/sources/market"]
OPEN_ALL = "document.querySelectorAll('details').forEach(d => { d.open = true })"
COUNTS = {
    "Rows came": "rows_came",
    "Read": "rows_read",
    "Stored": "rows_stored",
    "Duplicate": "rows_duplicate",
    "Quarantined": "rows_quarantined",
    "Set aside": "rows_set_aside",
}


def site_at(hours: float) -> Iterator[str]:
    clock = FixedClock(LAST + dt.timedelta(hours=hours))
    with serving(create_app(watched_data(), clock=clock)) as address:
        yield address


@pytest.fixture(scope="module")
def fresh_site() -> Iterator[str]:
    """Three hours after the last run."""
    yield from site_at(3)


@pytest.fixture(scope="module")
def silent_site() -> Iterator[str]:
    """Four days after the last run."""
    yield from site_at(96)


@pytest.fixture(scope="module")
def followed_site() -> Iterator[str]:
    """Half an hour after the run: one source is followed, of one the server is away, who followed one is silent."""
    data, at = followed_data(), LAST + dt.timedelta(minutes=30)

    def before(seconds: float) -> dt.datetime:
        return at - dt.timedelta(seconds=seconds)

    say(data, "shop", told=before(3), behind_seconds=12.0)
    say(data, "erp", told=before(400), since=before(9000))
    away = "sources.market: the server at db.example:5432 cannot be reached (connection refused)."
    say(data, "market", "retrying", told=before(2), since=before(130), asked_at=before(140), says=away)
    with serving(create_app(data, clock=FixedClock(at))) as address:
        yield address


@pytest.fixture(scope="module")
def unwatched_site() -> Iterator[str]:
    with serving(create_app(unwatched_data())) as address:
        yield address


@pytest.fixture(scope="module")
def sourceless_site() -> Iterator[str]:
    with serving(create_app(sourceless_data())) as address:
        yield address


def shown(page: Page) -> dict[str, dict[str, str]]:
    """The table of sources, cell by cell, by the source and the name of the fact."""
    found: dict[str, dict[str, str]] = {}
    for row in page.locator("table.every tbody tr").all():
        cells = {str(td.get_attribute("data-label")): td.inner_text() for td in row.locator("td").all()}
        found[row.locator("th a").inner_text()] = cells
    return found


def test_the_page_shows_what_the_api_answers_and_the_tables_hold(open_page: Open, silent_site: str) -> None:
    page = open_page("/sources", base=silent_site).page
    with urlopen(silent_site + "/v1/sources", timeout=20) as response:
        answered = {row["source"]: row for row in json.load(response)["data"]}
    columns = ", ".join(COUNTS.values())
    reader = SnapshotReader(watched_data())
    with reader.lease() as reading:
        stored = reading.rows(Statement(f"select source, {columns} from run.sources", {}))
    reader.close()
    held = {row["source"]: [row[key] for key in COUNTS.values()] for row in stored}
    cells = shown(page)
    assert list(cells) == list(answered) == ["crm.customers", "shop", "market"], "alarms first"
    words = {"alarm": "✗ alarm", "learning": "… learning"}
    for name, facts in cells.items():
        assert [int(facts[label]) for label in COUNTS] == [answered[name][key] for key in COUNTS.values()]
        assert [int(facts[label]) for label in COUNTS] == held[name]
        assert " ".join(facts["State"].split()).startswith(words[answered[name]["state"]])
        assert facts["Money unexplained"] == "none"
    assert cells["shop"]["State"].endswith("no news for 4 days, where 36 hours are usual at most")
    assert cells["shop"]["Last read"] == "4 days ago"
    assert cells["shop"]["Last news"] == "4 days ago\n36 hours at most\ndata to Mar 3, 2024"
    assert cells["crm.customers"]["Last read"] == "5 days ago\nfailed Mar 4 06:00"
    assert cells["market"]["Last news"] == "7 days ago\ndata to Feb 2, 2024"
    assert not any("Behind" in facts for facts in cells.values()), "none is read by its changes"


def test_how_far_behind_followed_sources_are(open_page: Open, followed_site: str) -> None:
    visit = open_page("/sources", base=followed_site)
    page = visit.page
    expect(page.get_by_role("heading", level=1)).to_have_text(
        "1 of 4 sources needs attention: erp.customers was followed until 6 minutes ago"
    )
    assert {name: " ".join(facts["Behind"].split()) for name, facts in shown(page).items()} == {
        "erp.customers": "6 minutes its follower is silent",
        "market": "2 minutes its server is away",
        "returns.lines": "70 minutes since its newest change",
        "shop": "15 seconds followed",
    }
    visit.go("/sources/market")
    check = page.locator("table.checks tr", has_text="Following")
    expect(check).to_contain_text(
        "could not be followed for 2 minutes: sources.market: the server at db.example"
    )
    expect(check.locator("td").last).to_have_text("at most 15 minutes")
    expect(page.locator(".tile", has_text="Behind its source")).to_contain_text("2 minutes")
    page.locator("figure").get_by_text("Show as table").click()
    expect(page.locator("figure th", has_text="Behind")).to_have_count(0)  # no load of a file says it
    visit.go("/sources/returns.lines")
    page.locator("figure").get_by_text("Show as table").click()
    expect(page.locator("figure tbody")).to_contain_text("40 minutes")


@pytest.mark.parametrize("theme", ["light", pytest.param("dark", marks=pytest.mark.slow)])
def test_followed_sources_are_plain_to_everybody(open_page: Open, followed_site: str, theme: str) -> None:
    for width in (1440, 375):
        visit = open_page(base=followed_site, color_scheme=theme, width=width)
        for path in ("/sources", "/sources/erp.customers", "/sources/returns.lines", "/"):
            visit.go(path)
            visit.page.evaluate(OPEN_ALL)
            visit.page.wait_for_load_state("networkidle")
            assert violations(visit.page) == []
            assert visit.sideways() == 0
    hidden = "(() => { const s = document.querySelector('.scroll'); return s.scrollWidth - s.clientWidth })()"
    page = open_page("/sources", base=followed_site).page
    for width in (375, 800, 1199, 1440, 1920):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate(hidden) == 0, f"at {width} px"


def test_an_alarm_is_seen_on_every_page_and_leads_to_its_source(
    open_page: Open, fresh_site: str, silent_site: str
) -> None:
    visit = open_page("/", base=silent_site)
    page = visit.page
    for path in ("/", "/gems", "/segments", "/customers", "/customers/c1", "/tables"):
        visit.go(path)
        expect(page.locator(".banner.alarm")).to_contain_text("2 sources need attention.")
    expect(page.get_by_role("navigation", name="Pages")).to_contain_text("2 sources need attention")
    assert violations(page) == []
    page.get_by_role("link", name="shop has had no news for 4 days").click()
    visit.ready()
    assert visit.path() == "/sources/shop"
    expect(page.get_by_role("heading", level=1)).to_have_text("shop has had no news for 4 days ✗ alarm")
    expect(page.locator(".banner.alarm")).to_have_count(0)

    before = open_page("/", base=fresh_site).page
    expect(before.locator(".banner.alarm")).to_have_text(
        "✗ 1 source needs attention. crm.customers could not be read."
    )


def test_no_alarm_where_nothing_is_wrong(open_page: Open) -> None:
    page = open_page("/").page
    expect(page.locator(".banner.alarm")).to_have_count(0)
    expect(page.locator(".alarms")).to_have_count(0)


def test_a_source_tells_its_checks_its_history_and_where_its_rows_went(
    open_page: Open, silent_site: str
) -> None:
    visit = open_page("/sources", base=silent_site)
    page = visit.page
    page.get_by_role("link", name="shop", exact=True).click()
    visit.ready()
    late = page.locator("table.checks tr", has_text="Freshness")
    expect(late).to_contain_text("no news for 4 days, where 36 hours are usual at most")
    expect(late.locator("td").last).to_have_text("at most 36 hours")
    figure = page.locator("figure", has_text="of 4 loads 1 brought nothing")
    expect(figure.locator(".chart svg")).to_be_visible()
    expect(figure).to_contain_text(
        "The first load brought everything there was, 100 rows; its bar is cut off."
    )
    figure.get_by_text("Show as table").click()
    came = figure.locator("tbody tr td:nth-child(2)").all_inner_texts()
    assert came == ["2", "0", "3", "100"], "a load that brought nothing is a zero"
    went = page.locator("section", has_text="All rows and all money are accounted for; 1 row in quarantine")
    rows = went.locator("tbody tr td:nth-child(2)").all_inner_texts()
    assert rows == ["105", "102", "1", "1", "1", "0"]
    amounts = [
        float(text.replace(",", "")) for text in went.locator("tbody tr td:nth-child(3)").all_inner_texts()
    ]
    assert amounts[0] == pytest.approx(sum(amounts[1:5]), abs=0.005)
    assert amounts[5] == 0
    mend = page.locator("section", has_text="1 row in quarantine, for one reason")
    expect(mend).to_contain_text("evervalue quarantine export --source shop -o mend.csv")
    mend.locator("details.computed summary").click()
    expect(mend).to_contain_text("How many rows were refused and why")


def test_a_source_that_could_not_be_read_says_why(open_page: Open, fresh_site: str) -> None:
    page = open_page("/sources/crm.customers", base=fresh_site).page
    expect(page.get_by_role("heading", level=1)).to_have_text("crm.customers could not be read ✗ alarm")
    expect(page.locator("table.checks")).to_contain_text("lacks the column 'id'")
    expect(page.locator(".tile").first).to_contain_text("27 hours ago")
    expect(page.locator(".tile").first).to_contain_text("failed")
    expect(page.locator("figure .legend")).to_contain_text("Could not be read")


@pytest.mark.parametrize("theme", ["light", pytest.param("dark", marks=pytest.mark.slow)])
@pytest.mark.parametrize("path", PATHS)
def test_no_violations(open_page: Open, silent_site: str, path: str, theme: str) -> None:
    for width in (1440, 375):
        page = open_page(path, base=silent_site, color_scheme=theme, width=width).page
        page.evaluate(OPEN_ALL)
        page.wait_for_load_state("networkidle")
        assert violations(page) == []


@pytest.mark.parametrize("path", [*PATHS, "/"])
def test_no_sideways_scroll(open_page: Open, silent_site: str, path: str) -> None:
    visit = open_page(path, base=silent_site, width=375)
    visit.page.evaluate(OPEN_ALL)
    visit.page.wait_for_load_state("networkidle")
    for width in (375, 640, 720, 800, 900, 1024, 1199, 1200, 1440, 1920):
        visit.page.set_viewport_size({"width": width, "height": 900})
        for _ in range(40):  # charts are drawn anew a moment after the window changed
            if visit.sideways() == 0:
                break
            visit.page.wait_for_timeout(100)
        assert visit.sideways() == 0, f"at {width} px"


def test_the_whole_table_is_seen_without_scrolling(open_page: Open, silent_site: str) -> None:
    """From 1440 px on as a table, below 1200 px as one card a source."""
    page = open_page("/sources", base=silent_site).page
    hidden = "(() => { const s = document.querySelector('.scroll'); return s.scrollWidth - s.clientWidth })()"
    for width in (375, 800, 1199, 1440, 1920):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate(hidden) == 0, f"at {width} px"


def test_reads_without_script(open_page: Open, silent_site: str) -> None:
    visit = open_page("/sources", base=silent_site, java_script_enabled=False)
    page = visit.page
    expect(page.get_by_role("heading", level=1)).to_have_text(
        "2 of 3 sources need attention: crm.customers and shop"
    )
    page.get_by_role("link", name="shop", exact=True).click()
    expect(page.locator("figure table")).to_be_visible()
    expect(page.locator("figure tbody tr")).to_have_count(4)
    expect(page.locator(".chart")).to_be_hidden()


def test_by_keyboard(open_page: Open, silent_site: str) -> None:
    visit = open_page("/sources", base=silent_site)
    page = visit.page
    page.locator("#s-2").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("shop has had no news")
    page.go_back()
    visit.ready()
    expect(page.locator("#s-2")).to_be_focused()


def test_a_run_of_an_earlier_version_is_shown_and_says_so(open_page: Open, unwatched_site: str) -> None:
    visit = open_page("/sources", base=unwatched_site)
    expect(visit.page.get_by_role("heading", level=1)).to_have_text("How fresh the sources are is not known")
    expect(visit.page.locator("main")).to_contain_text("published by an earlier version")
    assert violations(visit.page) == []
    for path in ("/", "/tables", "/customers"):
        assert visit.go(path).status == 200


def test_no_source(open_page: Open, sourceless_site: str) -> None:
    page = open_page("/sources", base=sourceless_site).page
    expect(page.get_by_role("heading", level=1)).to_have_text("This run has no source")
    expect(page.locator(".empty")).to_contain_text("[sources.NAME]")
    assert violations(page) == []


def test_a_young_project_learns(open_page: Open) -> None:
    page = open_page("/sources").page
    expect(page.get_by_role("heading", level=1)).to_have_text(
        "1 source, too few loads yet to say what is usual; newest order Dec 31, 2023"
    )
    expect(page.locator("table.every tbody td").first).to_contain_text("… learning")


def test_an_unknown_source_is_told(open_page: Open) -> None:
    visit = open_page()
    visit.expected = (404,)
    assert visit.go("/sources/sale").status == 404
    expect(visit.page.locator("main")).to_contain_text("did you mean 'sales'?")
