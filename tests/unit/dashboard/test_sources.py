"""What the pages say of sources, at which moment they say it, and the chart of what loads brought."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from evervalue.core.clock import FixedClock
from evervalue.dashboard import source_words
from evervalue.dashboard.app import create_app
from evervalue.dashboard.charts.loads import labels, loads, top
from evervalue.dashboard.formats import Formats
from tests.support.site import LOOPBACK
from tests.support.watched import LAST, sourceless_data, unwatched_data, watched_data

US = Formats("en_US", "USD")
PAGES = ["/", "/gems", "/segments", "/customers", "/customers/c1", "/tables", "/tables/run.settings"]


def source(name: str, state: str = "ok", **more: Any) -> dict[str, Any]:
    return {
        "source": name, "state": state, "state_says": "", "worst_check": "", "news_age_seconds": 60.0,
        "provides": "order_lines", "newest_at": dt.datetime(2023, 12, 31, 4), **more,
    }  # fmt: skip


GONE: dict[str, Any] = {
    "worst_check": "following",
    "state_says": "was followed until 6 minutes ago: its follower says nothing since; start it again with 'x'",
}
LATE: dict[str, Any] = {"worst_check": "freshness", "news_age_seconds": 3.5 * 86400}
SMALL: dict[str, Any] = {"worst_check": "volume", "state_says": "brought 3 rows, where 100 are usual; x"}


@pytest.mark.parametrize(
    ("rows", "title"),
    [
        ([], "This run has no source"),
        ([source("a")], "1 source, as usual; newest order Dec 31, 2023"),
        ([source("a"), source("b")], "2 sources, both as usual; newest order Dec 31, 2023"),
        (
            [source("a"), source("b", newest_at=dt.datetime(2024, 1, 2)), source("c", provides="customers")],
            "3 sources, all as usual; newest order Jan 2, 2024",
        ),
        ([source("a", newest_at=None)], "1 source, as usual"),
        (
            [source("a", "learning")],
            "1 source, too few loads yet to say what is usual; newest order Dec 31, 2023",
        ),
        (
            [source("a", "learning"), source("b")],
            "2 sources, 1 with too few loads yet to say what is usual; newest order Dec 31, 2023",
        ),
        (
            [source("crm", "alarm", **LATE), source("a"), source("b")],
            "1 of 3 sources needs attention: crm has had no news for 3 days",
        ),
        ([source("crm", "alarm", **LATE)], "crm has had no news for 3 days"),
        ([source("crm", "alarm", **GONE)], "crm was followed until 6 minutes ago"),
        (
            [source("a", "alarm", worst_check="reading"), source("b", "alarm", **LATE)],
            "Both sources need attention: a and b",
        ),
        (
            [source(name, "alarm", **LATE) for name in "abcde"],
            "All 5 sources need attention: a, b, c and 2 more",
        ),
        (
            [source("a", "alarm", **LATE), source("b", "alarm", **LATE), source("c", "watch", **SMALL)],
            "2 of 3 sources need attention: a and b",
        ),
        (
            [source("a", "watch", **SMALL), source("b", "learning")],
            "1 of 2 sources to watch: a brought 3 rows, where 100 are usual",
        ),
        (
            [source("a", "watch", worst_check="refused", state_says="5 of 10 rows that came were refused")],
            "a: 5 of 10 rows that came were refused",
        ),
    ],
)
def test_the_title_is_the_finding(rows: list[dict[str, Any]], title: str) -> None:
    assert source_words.title(rows, US) == title


@pytest.mark.parametrize(
    ("check", "low", "high", "says"),
    [
        ("reading", None, None, "–"),
        ("freshness", 0.0, 129_600.0, "at most 36 hours"),
        ("freshness", 0.0, 3.5 * 86400, "at most 3.5 days"),
        ("following", 0.0, 900.0, "at most 15 minutes"),
        ("volume", 9.5, 1520.0, "10 to 1,520 rows"),
        ("refused", 0.0, 0.0127, "at most 1.3%"),
        ("empty_cells", 0.1, 0.2, "10.0% to 20.0%"),
    ],
)
def test_what_is_usual_is_told_in_the_unit_of_the_check(
    check: str, low: float | None, high: float | None, says: str
) -> None:
    found = {"check_name": check, "field": "", "expected_low": low, "expected_high": high}
    assert source_words.usual_range(found, US) == says


@pytest.mark.parametrize(
    ("facts", "lag", "note"),
    [
        ({"followed": "live", "lag_seconds": 0.0}, "nothing waits", "followed"),
        ({"followed": "live", "lag_seconds": 12.4}, "12 seconds", "followed"),
        ({"followed": "live", "lag_seconds": None}, "–", "followed"),
        ({"followed": "silent", "lag_seconds": 400.0}, "6 minutes", "its follower is silent"),
        ({"followed": "stopped", "lag_seconds": 0.0}, "0 seconds", "not followed"),
        ({"followed": None, "lag_seconds": 7300.0}, "2 hours", "caught up when read"),
        ({"followed": None, "lag_seconds": 7300.0, "behind_seconds": 75.0}, "2 hours", "1 minute when read"),
        ({"followed": None, "lag_seconds": 7300.0, "kind": "changes"}, "2 hours", "since its newest change"),
    ],
)
def test_how_far_behind_a_source_is_in_words(facts: dict[str, Any], lag: str, note: str) -> None:
    told = {"kind": "postgres", "behind_seconds": 0.2, **facts}
    assert (source_words.lag(told, US), source_words.lag_note(told, US)) == (lag, note)


def test_checks_are_counted() -> None:
    def told(*states: str) -> str:
        return source_words.checks_title([{"state": state} for state in states], US)

    assert told("ok", "ok") == "All 2 checks are as usual"
    assert told("ok", "learning") == "Nothing is unusual; 1 of 2 checks still learns what is usual"
    assert told("alarm", "watch", "learning") == "2 of 3 checks are not as usual"


def load(day: int, came: int, refused: int = 0, failed: str | None = None, hour: int = 6) -> dict[str, Any]:
    return {
        "read_at": dt.datetime(2024, 3, day, hour), "rows_came": came, "rows_came_refused": refused,
        "rows_read": 1000, "failed": failed,
    }  # fmt: skip


def test_empty_loads_are_zeros_and_failed_ones_are_marked() -> None:
    option = loads([load(4, 0, failed="gone"), load(3, 0), load(2, 30, 5), load(1, 40)], None, US)
    assert option["xAxis"]["data"] == ["Mar 1, 2024", "Mar 2, 2024", "Mar 3, 2024", "Mar 4, 2024"]
    taken, refused, failed = option["series"]
    assert (taken["data"], refused["data"], failed["data"]) == ([40, 25, 0, 0], [0, 5, 0, 0], [[3, 0]])
    assert taken["stack"] == refused["stack"]
    assert taken["tips"][1][1:] == ["30 rows came", "5 of them refused", "1,000 rows in all"]
    assert failed["tips"] == [["Mar 4, 2024, 6:00:00\u202fAM UTC", "could not be read"]]
    assert "max" not in option["yAxis"]


def test_the_first_load_does_not_hide_the_others() -> None:
    rows = [load(3, 50), load(2, 100, 10), load(1, 9000, 900)]
    usual = {"expected_low": 25.0, "expected_high": 400.0}
    option = loads(rows, usual, US)
    assert option["yAxis"]["max"] == 440
    assert [sum(pair) for pair in zip(*(s["data"] for s in option["series"]), strict=True)] == [440, 100, 50]
    assert option["series"][1]["data"] == [44, 10, 0], "the bar that is cut off keeps its shares"
    assert option["series"][0]["markArea"]["data"] == [[{"yAxis": 25.0}, {"yAxis": 400.0}]]
    assert option["series"][0]["tips"][0][1] == "9,000 rows came"
    assert top([load(2, 50), load(1, 190)], None) is None
    assert top([load(1, 190)], None) is None
    assert top([load(2, 0), load(1, 190)], None) is None


def test_loads_of_one_day_are_told_apart_by_their_time() -> None:
    assert labels([load(1, 1), load(1, 1, hour=18), load(2, 1)], US) == [
        "Mar 1 06:00", "Mar 1 18:00", "Mar 2 06:00",
    ]  # fmt: skip


@contextmanager
def at(hours: float, data: Path | None = None) -> Iterator[TestClient]:
    clock = FixedClock(LAST + dt.timedelta(hours=hours))
    with TestClient(create_app(data or watched_data(), clock=clock), base_url=LOOPBACK) as client:
        yield client


def page(client: TestClient, path: str) -> str:
    response = client.get(path, headers={"accept": "text/html"})
    assert response.status_code == 200, path
    return response.text


def test_an_alarm_is_on_every_page_and_grows_while_no_run_happens() -> None:
    with at(1) as soon, at(37) as later:
        for path in PAGES:
            assert "1 source needs attention." in page(soon, path)
            text = page(later, path)
            assert "2 sources need attention." in text
            assert '<a href="/sources/shop">shop has had no news for 37 hours</a>' in text
        assert "<h1>1 of 3 sources needs attention: crm.customers could not be read</h1>" in page(
            soon, "/sources"
        )
        assert "<h1>2 of 3 sources need attention: crm.customers and shop</h1>" in page(later, "/sources")
        assert "60 minutes ago" in page(soon, "/sources/shop")
        assert "37 hours ago" in page(later, "/sources/shop")


@pytest.mark.parametrize("data", [unwatched_data, sourceless_data])
def test_pages_do_without_watched_sources(data: Any) -> None:
    with at(1000, data()) as client:
        for path in PAGES:
            text = page(client, path)
            assert "attention" not in text
            assert 'href="/sources"' in text


def test_a_run_of_an_earlier_version_says_so() -> None:
    with at(0, unwatched_data()) as client:
        for path in ("/sources", "/sources/shop"):
            text = page(client, path)
            assert "How fresh the sources are is not known" in text
            assert "105" in text, "its reconciliation is there"
        assert client.get("/sources/none").status_code == 404


def test_a_run_without_sources_says_what_to_do() -> None:
    with at(0, sourceless_data()) as client:
        text = page(client, "/sources")
    assert "This run has no source" in text
    assert "[sources.NAME]" in text


def test_commands_mend_what_was_refused() -> None:
    with at(0) as client:
        text = page(client, "/sources/shop")
        assert "evervalue quarantine export --source shop -o mend.csv" in text
        assert "evervalue quarantine replay --source shop --from mend.csv" in text
        assert "No row is in quarantine" in page(client, "/sources/market")
