"""Sources over the routes: judged at the moment of asking, with one set of numbers in JSON, CSV and tables."""

from __future__ import annotations

import csv
import datetime as dt
import io
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from fastapi.testclient import TestClient

from evervalue.api.app import create_app
from evervalue.api.queries.sources import minute
from evervalue.core.clock import FixedClock
from evervalue.pipeline.settings import read_project
from evervalue.warehouse.duckdb import connect
from evervalue.warehouse.publish import Publisher
from tests.support.projects import project, run_project
from tests.support.site import LOOPBACK
from tests.support.watched import LAST, followed_data, say, sourceless_data, unwatched_data, watched_data

HOUR = 3600
PARTS = ("checks", "loads", "quarantine", "reconciliation")


@contextmanager
def at(hours: float, data: Path | None = None) -> Iterator[TestClient]:
    """A client of a server whose clock stands some hours after the last run."""
    clock = FixedClock(LAST + dt.timedelta(hours=hours))
    app = create_app(data or watched_data(), clock=clock)
    with TestClient(app, base_url=LOOPBACK, raise_server_exceptions=False) as client:
        yield client


def told(client: TestClient, path: str = "/v1/sources") -> Any:
    response = client.get(path)
    assert response.status_code == 200, response.text
    return response.json()["data"]


def stored(query: str) -> list[tuple[Any, ...]]:
    con = Publisher(watched_data()).current().open()
    try:
        return con.execute(query).fetchall()
    finally:
        con.close()


def test_those_that_need_attention_come_first() -> None:
    with at(2) as client:
        rows = told(client)
    assert [(row["source"], row["state"], row["worst_check"]) for row in rows] == [
        ("crm.customers", "alarm", "reading"),
        ("market", "learning", ""),
        ("shop", "learning", ""),
    ]
    crm, _, shop = rows
    assert (crm["failed"], crm["good_read_at"], crm["read_at"]) == (
        True, "2024-03-03T06:00:00", "2024-03-04T06:00:00",
    )  # fmt: skip
    assert crm["read_age_seconds"] == 26 * HOUR, "what could not be read was not read"
    assert (shop["failed"], shop["read_age_seconds"], shop["news_age_seconds"]) == (
        False, 2 * HOUR, 2 * HOUR,
    )  # fmt: skip
    assert (shop["kind"], shop["place"], shop["provides"], shop["rows_came"]) == (
        "files", "in", "order_lines", 2,
    )  # fmt: skip


def test_every_row_and_all_money_are_told() -> None:
    with at(0) as client:
        rows = {row["source"]: row for row in told(client)}
    shop = rows["shop"]
    went = ("rows_stored", "rows_duplicate", "rows_quarantined", "rows_set_aside")
    assert [shop[name] for name in ("rows_read", *went)] == [105, 102, 1, 1, 1]
    for row in rows.values():
        assert row["rows_read"] == sum(row[name] for name in went)
        assert row["amount_unexplained"] == "0.0000"


@pytest.mark.parametrize("hours", [0, 1, 35.99, 36, 36 + 1 / 60, 100, 166, 168.1, 3000])
def test_silence_is_an_alarm_at_the_moment_of_asking_whatever_the_run_found(hours: float) -> None:
    now = (LAST + dt.timedelta(hours=hours)).replace(tzinfo=None)
    expected = {
        source: "alarm" if limit is not None and (now - news).total_seconds() > limit else state
        for source, state, news, limit in stored(
            "select source, state, last_news_at, stale_after_seconds from run.sources"
        )
    }
    with at(hours) as client:
        rows = told(client)
    assert {row["source"]: row["state"] for row in rows} == expected
    assert {row["source"]: row["run_state"] for row in rows} == dict(
        stored("select source, state from run.sources")
    )
    by_name = {row["source"]: row for row in rows}
    assert (by_name["shop"]["state"] == "alarm") == (hours > 36)


def test_what_is_late_is_said_in_the_time_of_asking() -> None:
    with at(24 * 4) as client:
        shop = told(client, "/v1/sources/shop")
        assert shop["state_says"] == "no news for 4 days, where 36 hours are usual at most"
        assert shop["worst_check"] == "freshness"
        fresh = next(check for check in shop["checks"] if check["check_name"] == "freshness")
        assert (fresh["state"], fresh["value"], fresh["expected_high"]) == ("alarm", 96 * HOUR, 36 * HOUR)
        assert fresh["says"] == shop["state_says"]
        crm = told(client, "/v1/sources/crm.customers")
        assert crm["state_says"].startswith("could not be read, so what was read before is shown: ")
        assert crm["state_says"].count("no news") == 0
    with at(24 * 8) as client:
        crm = told(client, "/v1/sources/crm.customers")
        assert crm["worst_check"] == "reading"
        assert crm["state_says"].endswith("; no news for 11 days, where 10 days are usual at most")
    with at(1.5) as client:
        fresh = told(client, "/v1/sources/shop?part=checks")[1]
        assert (fresh["check_name"], fresh["state"], fresh["says"]) == (
            "freshness", "ok", "last news 90 minutes ago",
        )  # fmt: skip


def test_a_clock_that_goes_behind_makes_nothing_younger_than_new() -> None:
    with at(-1000) as client:
        assert [(row["state"], row["news_age_seconds"]) for row in told(client)] == [
            ("alarm", 0), ("learning", 0), ("learning", 0),
        ]  # fmt: skip


def test_one_source_holds_its_parts() -> None:
    with at(2) as client:
        whole = told(client, "/v1/sources/shop")
        listed = next(row for row in told(client) if row["source"] == "shop")
        assert {name: whole[name] for name in listed} == listed
        for part in PARTS:
            alone = told(client, f"/v1/sources/shop?part={part}")
            assert alone == (whole[part] if isinstance(whole[part], list) else [whole[part]])
        assert [(load["rows_came"], load["rows_came_refused"]) for load in whole["loads"]] == [
            (2, 0), (0, 0), (3, 1), (100, 0),
        ]  # fmt: skip
        assert whole["quarantine"] == [{"reason": "bad_number", "row_count": 1}]
        assert whole["reconciliation"]["amount_set_aside"] == "40.0000"
        assert whole["reconciliation"]["amount_duplicate"] == "20.2500"
        crm = told(client, "/v1/sources/crm.customers")
        assert crm["loads"][0]["failed"].startswith("sources.crm: accounts.csv lacks the column 'id'")
        assert [load["failed"] for load in crm["loads"][1:]] == [None] * 3


@pytest.mark.parametrize("path", ["", "/shop", *(f"/shop?part={part}" for part in PARTS)])
def test_files_hold_what_json_holds(path: str) -> None:
    join = "&" if "?" in path else "?"
    with at(2) as client:
        data = told(client, "/v1/sources" + path)
        text = client.get(f"/v1/sources{path}{join}format=csv")
        sheet_bytes = client.get(f"/v1/sources{path}{join}format=xlsx").content
    rows = list(csv.DictReader(io.StringIO(text.text)))
    expected = data if isinstance(data, list) else [data]
    assert len(rows) == len(expected)
    for row, wanted in zip(rows, expected, strict=True):
        for name, cell in row.items():
            value = wanted[name]
            plain = "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
            assert cell.removeprefix("'") == plain.removeprefix("'"), name
    sheet = openpyxl.load_workbook(io.BytesIO(sheet_bytes)).active
    assert sheet is not None
    assert sheet.max_row == len(expected) + 1


def test_a_held_answer_lasts_a_minute() -> None:
    with at(2) as client, at(2 + 0.5 / 60) as soon, at(2 + 1 / 60) as later:
        for path in (
            "/v1/sources",
            "/v1/sources/shop",
            "/v1/sources/shop?part=checks",
            "/v1/sources?format=csv",
        ):
            held = {"If-None-Match": client.get(path).headers["etag"]}
            assert client.get(path, headers=held).status_code == 304
            assert soon.get(path, headers=held).status_code == 304
            assert later.get(path, headers=held).status_code == 200


def test_the_minute_is_in_utc() -> None:
    zone = dt.timezone(dt.timedelta(hours=5, minutes=30))
    assert minute(FixedClock(dt.datetime(2024, 3, 1, 2, 10, 59, 999, tzinfo=zone))) == "2024-02-29 20:40:00"


def test_a_wrong_name_is_told_with_the_right_one() -> None:
    with at(0) as client:
        response = client.get("/v1/sources/shopp")
    assert response.status_code == 404
    assert response.json()["detail"].endswith("(did you mean 'shop'?).")
    assert response.headers["content-type"] == "application/problem+json"


def test_a_run_of_an_earlier_version_says_that_it_watched_nothing() -> None:
    with at(0, unwatched_data()) as client:
        for path in ("/v1/sources", "/v1/sources/shop", "/v1/sources?format=csv"):
            response = client.get(path)
            assert response.status_code == 404
            assert "earlier version, which did not watch its sources" in response.json()["detail"]
        assert [row["source"] for row in told(client, "/v1/runs/current?part=sources")] == [
            "crm.customers", "market", "shop",
        ]  # fmt: skip


def test_a_run_without_sources_is_an_empty_list() -> None:
    with at(0, sourceless_data()) as client:
        assert told(client) == []


def test_every_field_is_described() -> None:
    with at(0) as client:
        paths = client.get("/v1/openapi.json").json()["paths"]
        row, whole = told(client)[0], told(client, "/v1/sources/shop")

    def fields(path: str) -> Any:
        answer = paths[path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        return answer["properties"]["data"]

    listed = fields("/v1/sources")["items"]["properties"]
    one = fields("/v1/sources/{source}")["anyOf"][0]["properties"]
    assert set(listed) == set(row)
    assert set(one) == set(whole)
    assert all(field["description"] for field in (*listed.values(), *one.values()))
    assert listed["news_age_seconds"]["type"] == ["number", "null"]


def test_a_source_without_news_has_no_age_of_news(tmp_path: Path) -> None:
    """As after an upgrade: what it holds was read before anybody kept count."""
    folder = project(tmp_path / "shop", {"sales.csv": "order,date,customer,amount\n1,2024-01-01,a,10\n"})
    run_project(folder)
    con = connect(read_project(folder).data_dir / "warehouse.duckdb")
    con.execute("delete from raw.volumes")
    con.execute("update raw.loads set known_at = timestamp '2020-01-01'")
    con.execute("update raw.sales set _run_id = 'long ago'")
    con.close()
    run_project(folder)
    with at(2, read_project(folder).data_dir) as client:
        (row,) = told(client)
    assert (row["last_news_at"], row["news_age_seconds"]) == (None, None)


def copied(folder: Path) -> Path:
    """The followed shop, where nobody has said anything yet."""
    return Path(shutil.copytree(followed_data(), folder / "data", ignore=shutil.ignore_patterns("following")))


def test_how_far_behind_is_told_at_the_moment_of_asking(tmp_path: Path) -> None:
    data, then = copied(tmp_path), LAST + dt.timedelta(hours=1)
    say(data, "shop", told=then)
    say(data, "market", told=then, behind_seconds=7200.0)
    say(data, "erp", "retrying", told=then, since=then - dt.timedelta(minutes=3), says="it is away; wait")
    with at(1 + 10 / HOUR, data) as client:
        rows = {row["source"]: row for row in told(client)}
        assert {name: (row["followed"], row["lag_seconds"], row["state"]) for name, row in rows.items()} == {
            "shop": ("live", 0, "learning"),
            "market": ("live", 3610, "alarm"),  # the run an hour ago was nearer than who follows
            "erp.customers": ("retrying", 10, "watch"),
            "returns.lines": (None, 2400 + HOUR, "learning"),
        }
        assert rows["market"]["state_says"] == "is followed 60 minutes behind: 15 minutes are the most"
        assert rows["erp.customers"]["state_says"] == "could not be followed for 3 minutes: it is away; wait"
        checks = told(client, "/v1/sources/market?part=checks")
        (following,) = [check for check in checks if check["check_name"] == "following"]
        assert (following["state"], following["value"], following["expected_high"]) == ("alarm", 3610, 900)
        exported = client.get("/v1/sources?format=csv").text
        lags = {row["source"]: float(row["lag_seconds"]) for row in csv.DictReader(io.StringIO(exported))}
        assert lags == {name: row["lag_seconds"] for name, row in rows.items()}


@pytest.mark.parametrize("hours", [0.5, 1.9, 2.1])
def test_who_stopped_is_an_alarm_past_the_limit_and_keeps_no_good_figure(
    tmp_path: Path, hours: float
) -> None:
    """The limit of the shop is two hours; who fell silent is missed after a minute."""
    data, ended = copied(tmp_path), LAST + dt.timedelta(minutes=1)
    say(data, "shop", "stopped", told=ended)
    say(data, "market", told=ended)
    with at(hours + 1 / 60, data) as client:
        rows = {row["source"]: row for row in told(client)}
    assert (rows["shop"]["followed"], rows["shop"]["lag_seconds"]) == ("stopped", hours * HOUR)
    assert rows["shop"]["state"] == ("alarm" if hours > 2 else "watch")
    assert (rows["market"]["followed"], rows["market"]["state"]) == ("silent", "alarm")
    assert rows["market"]["lag_seconds"] == hours * HOUR
    assert rows["market"]["worst_check"] == "following"


def test_who_was_stopped_on_purpose_before_the_run_is_not_missed(tmp_path: Path) -> None:
    data = copied(tmp_path)
    say(data, "shop", "stopped", told=LAST - dt.timedelta(hours=9))
    with at(0.25, data) as client:
        (shop,) = [row for row in told(client) if row["source"] == "shop"]
    assert (shop["followed"], shop["lag_seconds"], shop["state"]) == (None, HOUR / 4, "learning")


def test_what_is_said_anew_is_answered_anew(tmp_path: Path) -> None:
    data = copied(tmp_path)
    with at(1, data) as client:
        held = {"if-none-match": client.get("/v1/sources").headers["etag"]}
        say(data, "shop", told=LAST + dt.timedelta(hours=1))
        assert client.get("/v1/sources", headers=held).status_code == 200
        (data / "following" / "shop.json").write_text("[", "utf-8")
        assert client.get("/v1/sources", headers=held).status_code == 304
