"""Sources of events over the routes: what became of all events, how long they are silent, and the collector."""

from __future__ import annotations

import csv
import datetime as dt
import io
import shutil
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from evervalue.api.app import create_app
from evervalue.collector.log import LOG
from evervalue.core.clock import FixedClock
from tests.support.event_sites import AT, events_data, say
from tests.support.site import LOOPBACK


def asked(data: Path, path: str, at: dt.datetime = AT) -> Any:
    with TestClient(create_app(data, clock=FixedClock(at)), base_url=LOOPBACK) as client:
        response = client.get(path)
        assert response.status_code == 200, response.text
        return response.text if "format=csv" in path else response.json()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    shutil.copytree(events_data(), folder)
    return folder


def test_every_source_of_events_with_its_accounts_the_silent_one_first() -> None:
    rows = asked(events_data(), "/v1/sources?part=events")["data"]
    names = (
        "source",
        "state",
        "worst_check",
        "accepted",
        "stored",
        "duplicate",
        "quarantined",
        "unaccounted",
    )
    assert [tuple(row[name] for name in names) for row in rows] == [
        ("till", "alarm", "silence", 1, 1, 0, 0, 0),
        ("web", "learning", "", 4, 2, 1, 1, 0),
    ]
    assert (
        rows[0]["state_says"]
        == "nothing came for 5 hours, where 2 hours are usual at most at this time of the day"
    )
    assert rows[0]["silent_seconds"] == 5 * 3600
    assert rows[1]["last_event_at"] == "2024-03-04T08:57:00"


def test_the_same_as_a_file_and_beside_the_sources_of_the_run() -> None:
    whole = asked(events_data(), "/v1/sources?part=events")
    table = list(csv.DictReader(io.StringIO(asked(events_data(), "/v1/sources?part=events&format=csv"))))
    assert [row["source"] for row in table] == ["till", "web"]
    assert [int(row["accepted"]) for row in table] == [row["accepted"] for row in whole["data"]]
    beside = asked(events_data(), "/v1/sources")
    assert {row["source"] for row in beside["data"]} == {"shop", "market", "crm.customers"}
    assert [row["source"] for row in beside["meta"]["events"]] == ["till", "web"]
    assert beside["meta"]["collector"]["state"] == "ok"
    assert beside["meta"]["collector"]["canary_seconds"] == 0.0123


def test_a_collector_that_is_gone_or_fails_is_told(data: Path) -> None:
    def collector(at: dt.datetime = AT) -> tuple[str, str]:
        found = asked(data, "/v1/sources", at)["meta"]["collector"]
        return found["state"], found["says"].partition(":")[0]

    assert collector(AT + dt.timedelta(minutes=10)) == ("alarm", "has said nothing for 10 minutes")
    (row,) = [r for r in asked(data, "/v1/sources?part=events", AT + dt.timedelta(minutes=10))["data"]
              if r["source"] == "till"]  # fmt: skip
    assert (row["state"], row["silent_seconds"]) == ("watch", None), "nobody listens, so nobody is silent"
    assert row["state_says"] == "no collector listens for it just now"
    say(data, AT, "answered 503")
    assert collector() == ("alarm", "does not take events")
    say(data, AT, stopped=True)
    assert collector(AT + dt.timedelta(hours=2)) == ("watch", "has been stopped for 2 hours")
    for path in data.glob(f"{LOG}*"):
        path.unlink()
    assert collector() == ("alarm", "has lost its log")
    (data / LOG).write_bytes(b"no log" * 1000)
    assert collector() == ("alarm", "has a log that cannot be read")


def test_looking_writes_nothing(data: Path) -> None:
    def there() -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in data.glob(f"{LOG}*") if path.suffix == ".db"}

    before = there()
    for path in ("/v1/sources", "/v1/sources?part=events"):
        asked(data, path)
    assert there() == before


def test_a_project_without_events_is_told_of_none(tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(events_data(), data)
    for name in (LOG, "collecting.json"):
        (data / name).unlink()
    found = asked(data, "/v1/sources")
    assert (found["meta"]["events"], found["meta"]["collector"]) == ([], None)
    assert asked(data, "/v1/sources?part=events")["data"] == []
    assert not (data / LOG).exists(), "no log is made by looking"
