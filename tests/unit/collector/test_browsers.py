"""What browsers are told: who may send, with what, and where to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.collecting import Collecting, collecting

SHOP = "https://shop.example"


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collecting]:
    data: Path = tmp_path_factory.mktemp("data")
    with collecting(data) as found:
        yield found


def test_headers_that_a_bundle_adds_are_let_through(web: Collecting) -> None:
    """Its second try has X-Retry-Count, and settings may add any other."""
    asked = web.send(
        "/v1/t", method="OPTIONS", key="", Origin=SHOP,
        Access_Control_Request_Headers="authorization,content-type,x-retry-count,x-shop",
    )  # fmt: skip
    assert asked.status == 204
    assert asked.headers["access-control-allow-headers"] == "authorization,content-type,x-retry-count,x-shop"
    assert "access-control-request-headers" in asked.headers["vary"].lower()


def test_beacons_that_carry_credentials_are_taken(web: Collecting) -> None:
    """`sendBeacon` always sends as if cookies were wanted; browsers then ask for this answer by name."""
    for method in ("OPTIONS", "POST"):
        answer = web.send("/v1/t", {"userId": "u", "event": "e"}, method=method, Origin=SHOP)
        assert answer.headers["access-control-allow-credentials"] == "true"
        assert answer.headers["access-control-allow-origin"] == SHOP


def test_a_page_may_read_when_to_come_again(web: Collecting) -> None:
    answer = web.send("/v1/t", {"userId": "u", "event": "e"}, Origin=SHOP)
    assert "retry-after" in answer.headers["access-control-expose-headers"]


def test_nothing_is_said_to_who_is_no_page(web: Collecting) -> None:
    answer = web.send("/v1/t", {"userId": "u", "event": "e"})
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_the_settings_of_the_bundle_lead_to_where_they_came_from(web: Collecting) -> None:
    path = f"/v1/projects/{web.key}/settings"
    ours = web.send(path, method="GET", key="", Origin=SHOP).body["integrations"]["Segment.io"]
    assert ours == {"apiKey": web.key, "apiHost": f"127.0.0.1:{web.port}/v1", "protocol": "http"}
    behind = web.send(
        path, method="GET", key="", Host="events.shop.example", X_Forwarded_Proto="https"
    )  # as a proxy on this machine sends it
    assert behind.body["integrations"]["Segment.io"]["apiHost"] == "events.shop.example/v1"
    assert behind.body["integrations"]["Segment.io"]["protocol"] == "https"
