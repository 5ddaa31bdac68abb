"""Signs of life, and what the server counts."""

from __future__ import annotations

import datetime as dt
import logging
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from evervalue.api import health
from evervalue.api.metrics import Meters, rendered
from evervalue.api.settings import ServerSettings
from evervalue.api.workers import Workers
from evervalue.core.clock import FixedClock
from evervalue.dashboard.app import create_app
from evervalue.governance.roles import NOBODY, Role, Who
from tests.support.event_sites import AT, events_data
from tests.support.site import LOOPBACK, saas_data

FOREIGN = ("203.0.113.5", 50000)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A copy of the published example that a test may spoil."""
    shutil.copytree(saas_data() / "runs", tmp_path / "runs")
    shutil.copy(saas_data() / "current", tmp_path / "current")
    return tmp_path


@pytest.fixture
def client(data: Path) -> Iterator[TestClient]:
    with TestClient(create_app(data), base_url=LOOPBACK, raise_server_exceptions=False) as found:
        yield found


def samples(client: TestClient) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Every sample of the page, read by Prometheus' own parser."""
    answer = client.get("/metrics")
    assert answer.status_code == 200
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_a_server_that_can_work_says_so_to_anybody(data: Path) -> None:
    with TestClient(create_app(data), base_url="http://10.1.2.3:8080", client=FOREIGN) as client:
        assert client.get("/healthz").text == "ok\n"
        ready = client.get("/readyz")
        assert ready.status_code == 200
        assert ready.headers["cache-control"] == "no-store"
        parts = {part["part"]: part["ok"] for part in ready.json()["data"]["parts"]}
        assert parts == {"snapshot": True, "state": True}
        assert client.get("/v1/headline").status_code == 421, "other addresses want a name that is known"


def test_what_is_missing_is_named_with_what_to_do_and_without_paths(data: Path) -> None:
    pointer = (data / "current").read_text()
    (data / "current").unlink()
    with TestClient(create_app(data), base_url=LOOPBACK) as client:
        assert client.get("/healthz").status_code == 200
        missing = client.get("/readyz")
        assert missing.status_code == 503
        assert missing.headers["content-type"] == "application/problem+json"
        assert missing.headers["retry-after"] == "5"
        assert [each["where"] for each in missing.json()["errors"]] == ["snapshot"]
        assert "evervalue run" in missing.json()["detail"]

        (data / "current").write_text("no-such-run\n")
        assert "evervalue publish --rollback" in client.get("/readyz").json()["detail"]

        (data / "current").write_text(pointer)
        assert client.get("/readyz").status_code == 200

        for left in data.glob("state.db*"):
            left.unlink()
        (data / "state.db").mkdir()
        with TestClient(create_app(data), base_url=LOOPBACK) as other:
            spoilt = other.get("/readyz")
        assert spoilt.status_code == 503
        assert [each["where"] for each in spoilt.json()["errors"]] == ["state"]
        assert str(data) not in spoilt.text


def test_a_full_disk_is_told(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "LEAST_FREE_BYTES", 1 << 62)
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert "make room" in answer.json()["detail"]


def test_a_collector_that_is_gone_is_told_but_pages_go_on(tmp_path: Path) -> None:
    shutil.copytree(events_data(), tmp_path / "data")
    told = {}
    for minutes in (0, 10):
        clock = FixedClock(AT + dt.timedelta(minutes=minutes))
        with TestClient(create_app(tmp_path / "data", clock=clock), base_url=LOOPBACK) as client:
            answer = client.get("/readyz")
        assert answer.status_code == 200
        told[minutes] = {part["part"]: part for part in answer.json()["data"]["parts"]}["collector"]
    assert told[0]["ok"]
    assert not told[10]["ok"]
    assert "collector" in told[10]["says"]


def test_requests_are_counted_by_the_template_of_their_route(client: TestClient) -> None:
    for _ in range(3):
        client.get("/v1/customers/1093")
    client.get("/customers/1093")
    client.get("/v1/nowhere/Zorro-4711")
    client.get("/v1/customers/Zorro-4711")
    client.head("/v1/headline")
    found = samples(client)
    one = "/v1/customers/{customer_id:key}"

    def of(route: str, status: str, method: str = "GET") -> float:
        labels = (("method", method), ("route", route), ("status", status))
        return found["evervalue_http_requests_total", labels]

    assert of(one, "200") == 3
    assert of(one, "404") == 1
    assert of("(none)", "404") == 1
    assert of("/v1/headline", "200") == 1
    timed = (("method", "GET"), ("route", one))
    assert found["evervalue_http_request_seconds_count", timed] == 4
    assert found["evervalue_http_request_seconds_bucket", (("le", "+Inf"), *timed)] == 4
    assert 0 < found["evervalue_http_request_seconds_sum", timed] < 60
    assert found["evervalue_http_in_flight", ()] == 1
    assert found["evervalue_snapshots_open", ()] == 1
    assert found["evervalue_snapshot_age_seconds", ()] > 0
    assert found["evervalue_result_cache_misses_total", ()] > 0
    ((_, run),) = [key for key in found if key[0] == "evervalue_snapshot_workers"]
    assert dict(run)["run_id"] == client.get("/v1/headline").json()["meta"]["run_id"]


def test_no_key_of_a_customer_comes_into_metrics_or_log(
    client: TestClient, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    from evervalue.api.snapshots import Reading

    client.get("/v1/customers/Zorro-4711")

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(Reading, "result", broken)
    with caplog.at_level(logging.INFO):
        assert client.get("/v1/customers/Zorro-4711?part=orders").status_code == 500
    said = [record.getMessage() for record in caplog.records if record.name.startswith("evervalue")]
    assert any("incident" in line for line in said)
    assert not any("Zorro" in line for line in said)
    assert "Zorro" not in client.get("/metrics").text


def test_metrics_are_told_to_this_machine_and_to_no_stranger(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = create_app(data, ServerSettings(allowed_hosts=("value.example",)))
    monkeypatch.setattr(health, "who_of", lambda _: NOBODY)
    with TestClient(app, base_url="http://value.example", client=FOREIGN) as stranger:
        refused = stranger.get("/metrics")
        assert refused.status_code == 403
        assert refused.headers["content-type"] == "application/problem+json"
    with TestClient(app, base_url=LOOPBACK, client=("127.0.0.1", 1)) as here:
        assert here.get("/metrics").status_code == 200
        passed_on = here.get("/metrics", headers={"X-Forwarded-For": "203.0.113.5"})
        assert passed_on.status_code == 403, "a proxy on this machine passes strangers on"
    viewer = Who("prometheus", Role.VIEWER)
    monkeypatch.setattr(health, "who_of", lambda _: viewer)
    with TestClient(app, base_url="http://value.example", client=FOREIGN) as known:
        assert known.get("/metrics").status_code == 200


def test_processes_add_up_and_one_that_ended_keeps_its_counts(tmp_path: Path) -> None:
    told = [Meters(), Meters()]
    facts = {
        "hits": 2, "misses": 1, "streams": 1, "resident_bytes": 100, "snapshots": 1, "run_id": "r1",
        "published_at": 10.0,
    }  # fmt: skip

    def worker(one: Meters) -> Workers:
        return Workers(tmp_path, lambda: {**one.told(), **facts})

    workers = [worker(one) for one in told]
    told[0].answered("/a", "GET", 200, 0.02)
    told[1].answered("/a", "GET", 200, 0.2)
    told[1].answered("/b", "GET", 500, None)
    workers[1]._write()

    page = rendered(workers[0].all(), now=40.0)
    assert 'evervalue_http_requests_total{route="/a",method="GET",status="200"} 2' in page
    assert 'evervalue_http_request_seconds_bucket{route="/a",method="GET",le="0.025"} 1' in page
    assert 'evervalue_http_request_seconds_count{route="/a",method="GET"} 2' in page
    assert "evervalue_workers 2" in page
    assert 'evervalue_snapshot_workers{run_id="r1"} 2' in page
    assert "evervalue_resident_memory_bytes 200.0" in page
    assert "evervalue_snapshot_age_seconds 30.0" in page

    workers[1]._write(ended=True)
    page = rendered(workers[0].all(), now=40.0)
    assert 'evervalue_http_requests_total{route="/a",method="GET",status="200"} 2' in page
    assert "evervalue_workers 1" in page
    assert "evervalue_resident_memory_bytes 100.0" in page
    assert "evervalue_result_cache_hits_total 4.0" in page


def test_counting_costs_microseconds() -> None:
    meters = Meters()
    meters.answered("/a", "GET", 200, 0.01)
    begun = time.perf_counter()
    for _ in range(10_000):
        meters.answered("/a", "GET", 200, 0.01)
    assert (time.perf_counter() - begun) / 10_000 < 100e-6
    assert sum(meters.answers.values()) == 10_001
