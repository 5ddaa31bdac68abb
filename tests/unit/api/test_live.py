"""What the API says of a customer on top of the run, as events come."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from evervalue.api import live_rules
from evervalue.api.app import create_app
from evervalue.api.live import Customer, figures_now
from evervalue.api.openapi_live import live_profile
from evervalue.api.profile import profile
from evervalue.api.settings import ServerSettings
from evervalue.api.snapshots import SnapshotReader, Statement
from tests.support.live_shop import LiveShop
from tests.support.projects import run_project
from tests.support.site import LOOPBACK, saas_data, serving


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> LiveShop:
    shop = LiveShop(tmp_path_factory.mktemp("live") / "shop")
    shop.send({"type": "page", "userId": "c0"})
    return shop


@pytest.fixture(scope="module")
def client(published: LiveShop) -> Iterator[TestClient]:
    with TestClient(create_app(published.data), base_url=LOOPBACK) as found:
        yield found


def live(client: TestClient, key: str) -> dict[str, Any]:
    found: dict[str, Any] = client.get(f"/v1/customers/{key}").json()["data"]
    return found


def test_an_order_changes_the_profile_at_once(published: LiveShop, client: TestClient) -> None:
    before = client.get("/v1/customers/c3")
    was = before.json()["data"]
    published.send(
        published.buys("c3", "w1", 25.5), {"type": "page", "userId": "c3", "properties": {"path": "/hats"}}
    )
    after = client.get("/v1/customers/c3", headers={"If-None-Match": before.headers["etag"]})
    assert after.status_code == 200
    now = after.json()["data"]["live"]
    assert now["frequency"] == was["frequency"] + 1
    assert Decimal(now["monetary"]) == Decimal(was["monetary"]) + Decimal("25.5")
    assert (now["cutoff"], now["recency_days"], now["is_provisional"]) == ("2024-03-02", 1, True)
    assert set(now) == set(live_profile()["properties"])
    assert now["as_of"].startswith("2024-03-01T11:")
    assert now["r_score"] == 4
    assert Decimal(now["expected_clv"]) > Decimal(was["expected_clv"])
    assert Decimal(now["clv_low"]) <= Decimal(now["expected_clv"]) <= Decimal(now["clv_high"])
    assert [(one["event"], one["path"], one["order_id"]) for one in now["recent_events"]] == [
        (None, "/hats", None),
        ("Order Completed", None, "w1"),
    ]
    assert after.json()["data"]["frequency"] == was["frequency"]  # what the run says stays what the run says
    assert client.get("/v1/customers/c3?part=live").json()["data"] == now
    again = client.get("/v1/customers/c3", headers={"If-None-Match": after.headers["etag"]})
    assert again.status_code == 304


def test_what_is_told_again_or_cannot_be_read_is_noted(published: LiveShop, client: TestClient) -> None:
    published.send(
        published.buys("c4", "w2", 10),
        published.buys("c4", "w2", 10),
        published.buys("c4", "w3", "cheap"),
        {**published.buys("c4", "w2", 99), "event": "Order Refunded"},
    )
    now = live(client, "c4")["live"]
    assert [(one["order_id"], one["kind"], one["revenue"]) for one in now["new_orders"]] == [
        ("w2", "sale", "10.0000"),
        ("w2", "refund", "-99.0000"),
        ("w2", "adjustment", "89.0000"),  # not more is taken back than was ordered
    ]
    assert len(now["notes"]) == 2


def test_who_is_known_by_events_alone_has_a_profile(published: LiveShop, client: TestClient) -> None:
    assert client.get("/v1/customers/nora").status_code == 404
    published.send(
        {"type": "identify", "userId": "nora", "traits": {"name": "Nora"}}, published.buys("nora", "w4", 20)
    )
    found = live(client, "nora")
    assert (found["customer"], found["live"]["customer"], found["live"]["frequency"]) == (None, "Nora", 1)
    assert found["live"]["is_published"] is False
    assert client.get("/v1/customers/nora?part=orders").json()["data"] == []


def test_a_visitor_who_becomes_known_brings_what_was_bought_before(
    published: LiveShop, client: TestClient
) -> None:
    was = live(client, "c5")["live"]["frequency"]
    order = {**published.buys("", "w5", 12), "userId": None, "anonymousId": "v5"}
    published.send(order)
    assert live(client, "c5")["live"]["frequency"] == was
    published.send({"type": "identify", "userId": "c5", "anonymousId": "v5"})
    assert live(client, "c5")["live"]["frequency"] == was + 1


def test_an_order_of_another_is_not_taken_back(published: LiveShop, client: TestClient) -> None:
    published.send(published.buys("c6", "w6", 30))
    run_project(published.folder)
    published.send({**published.buys("c7", "w6", 30), "event": "Order Cancelled"})
    now = live(client, "c7")["live"]
    assert now["new_orders"] == []
    assert "quarantine" in now["notes"][0]


class Listener(threading.Thread):
    """Reads a stream of server-sent events."""

    def __init__(self, address: str, path: str) -> None:
        super().__init__(daemon=True)
        host = address.removeprefix("http://").rstrip("/")
        self.con = http.client.HTTPConnection(host, timeout=20)
        self.con.request("GET", path)
        self.answer = self.con.getresponse()
        self.heard: list[tuple[float, dict[str, Any]]] = []
        self.came = threading.Semaphore(0)
        self.start()

    def run(self) -> None:
        while line := self.answer.readline():
            if line.startswith(b"data: "):
                self.heard.append((time.perf_counter(), json.loads(line[6:])))
                self.came.release()

    def end(self) -> None:
        """Hangs up."""
        assert self.con.sock is not None
        self.con.sock.shutdown(socket.SHUT_RDWR)
        self.join()
        self.answer.close()
        self.con.close()

    def next(self) -> dict[str, Any]:
        assert self.came.acquire(timeout=15)
        return self.heard[-1][1]


def test_a_stream_tells_the_profile_whenever_an_event_or_a_run_changes_it(tmp_path: Path) -> None:
    shop = LiveShop(tmp_path / "shop")
    shop.send({"type": "page", "userId": "c1"})
    with serving(create_app(shop.data)) as address:
        listener = Listener(address, "/v1/live/c2")
        assert listener.answer.headers["content-type"].startswith("text/event-stream")
        first = listener.next()
        shop.send(shop.buys("c1", "x1", 5))  # somebody else's
        shop.send(shop.buys("c2", "x2", 5))
        second = listener.next()
        assert second["frequency"] == first["frequency"] + 1
        assert second["events_since_run"] == 1
        run_project(shop.folder)
        third = listener.next()
        assert (third["frequency"], third["events_since_run"]) == (second["frequency"], 0)
        assert len(listener.heard) == 3
        listener.end()
    assert "c2" in json.dumps(third)


def test_nothing_is_live_without_sources_of_events() -> None:
    with TestClient(create_app(saas_data()), base_url=LOOPBACK) as found:
        key = found.get("/v1/customers?limit=1").json()["data"][0]["customer_id"]
        assert found.get(f"/v1/live/{key}").status_code == 204
        assert found.get(f"/v1/customers/{key}").json()["data"]["live"] is None


def test_what_a_public_key_tells_is_no_order(tmp_path: Path) -> None:
    shop = LiveShop(tmp_path / "shop", trust="browser")
    with TestClient(create_app(shop.data), base_url=LOOPBACK) as found:
        was = live(found, "c2")
        shop.send(shop.buys("c2", "z1", 999), {"type": "identify", "userId": "c2", "anonymousId": "c3"})
        now = live(found, "c2")["live"]
    assert (now["frequency"], now["monetary"], now["new_orders"]) == (was["frequency"], was["monetary"], [])
    assert now["events_since_run"] == 2
    assert now["joined_with"] == []


def test_nothing_happened_after_it_came(published: LiveShop, client: TestClient) -> None:
    published.send(published.buys("c8", "w8", 30, timestamp="2031-01-01T00:00:00Z"))
    now = live(client, "c8")["live"]
    assert (now["cutoff"], now["last_order_date"]) == ("2024-03-02", "2024-03-01")


def test_who_has_nothing_new_stands_as_in_the_run(published: LiveShop) -> None:
    reader = SnapshotReader(published.data, ServerSettings())
    with reader.lease() as reading:
        run = reading.once(live_rules.published)
        rows = reading.rows(Statement("select * from insight.customer_list", {}))
        for row in rows:
            key, name = row["customer_id"], row["customer"]
            known = profile(reading, key)
            stands = figures_now(reading, run, Customer(key, name, (), known), [key], [], run.as_of)
            computed = figures_now(reading, run, Customer(key, name, ()), [key], [], run.as_of)
            for field, number in computed.items():
                held = pytest.approx(number, abs=1e-9) if isinstance(number, float) else number
                assert stands[field] == held, (key, field)
    reader.close()
    assert len(rows) >= 30


def test_a_log_that_cannot_be_read_leaves_the_run_and_one_put_in_its_place_is_read(tmp_path: Path) -> None:
    shop = LiveShop(tmp_path / "shop")
    shop.send({"type": "page", "userId": "c1"})
    file = shop.data / "events.db"
    with TestClient(create_app(shop.data), base_url=LOOPBACK) as found:
        was = live(found, "c2")["live"]["frequency"]
        file.rename(file.with_suffix(".aside"))
        file.write_bytes(b"no log" * 1000)
        answer = found.get("/v1/customers/c2")
        assert (answer.status_code, answer.json()["data"]["live"]) == (200, None)
        assert found.get("/v1/customers/nobody").status_code == 404
        assert found.get("/v1/live/c2").status_code == 503  # and no 204, which would end the stream for good
        file.unlink()
        file.with_suffix(".aside").rename(file)
        assert live(found, "c2")["live"]["frequency"] == was
        for end in ("", "-wal", "-shm"):
            Path(f"{file}{end}").unlink(missing_ok=True)
        shop.send(shop.buys("c2", "r1", 5))
        assert live(found, "c2")["live"]["frequency"] == was + 1


def test_a_key_of_two_systems_that_do_not_share_it_is_two_people(tmp_path: Path) -> None:
    shop = LiveShop(tmp_path / "shop")
    settings = shop.folder / "evervalue.toml"
    settings.write_text(settings.read_text("utf-8") + '[sources.own]\nkind = "events"\n', "utf-8")
    shop.send({"type": "page", "userId": "c1"})
    shop.send({"type": "page", "userId": "o1"}, source="own")
    run_project(shop.folder)
    with TestClient(create_app(shop.data), base_url=LOOPBACK) as found:
        shop.send(shop.buys("kim", "k1", 5), shop.buys("kim", "k2", 6))
        shop.send(shop.buys("kim", "k3", 7), source="own")
        told = {key: live(found, key)["live"] for key in ("kim", "own:kim", "shop:kim")}
        assert {key: (one["customer_id"], one["frequency"]) for key, one in told.items()} == {
            "kim": ("kim", 1),
            "own:kim": ("own:kim", 1),
            "shop:kim": ("shop:kim", 2),
        }


def test_visits_are_parts_of_the_profile(published: LiveShop, client: TestClient) -> None:
    page = {
        "type": "page",
        "userId": "c9",
        "properties": {"path": "/hats"},
        "timestamp": "2024-02-10T09:00:00Z",
    }
    published.send(page, {**page, "timestamp": "2024-02-10T15:00:00Z"})
    run_project(published.folder)
    (features,) = client.get("/v1/customers/c9?part=features").json()["data"]
    assert (features["session_count"], features["active_days"]) == (2, 1)
    sessions = client.get("/v1/customers/c9?part=sessions").json()["data"]
    assert [one["started_at"] for one in sessions] == ["2024-02-10T15:00:00", "2024-02-10T09:00:00"]
    assert client.get("/v1/customers/c10?part=features").json()["data"] == []
