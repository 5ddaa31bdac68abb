"""How much one client may ask, and what it is told when that is too much."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from starlette.requests import Request
from starlette.responses import Response

from evervalue.api.app import create_app
from evervalue.api.limits import MOST_BUCKETS, Buckets, Limited, Limits, Rate
from evervalue.api.settings import ServerSettings
from tests.support.running import run
from tests.support.site import LOOPBACK, saas_data

TIGHT = Limits(
    address=Rate("address", per_second=1, burst=6),
    client=Rate("client", per_second=1, burst=3),
    files=Rate("files", per_second=0.1, burst=1),
    sign_in=Rate("sign-in", per_second=0.1, burst=2),
)


class Asker:
    """Asks a server that answers everything, at a time of the test's choosing."""

    def __init__(self, limits: Limits = TIGHT, status: int = 200) -> None:
        self.at = 100.0
        self.turned_away: Counter[str] = Counter()

        async def app(_: object, __: object, send: Any) -> None:
            await send({"type": "http.response.start", "status": status, "headers": []})
            await send({"type": "http.response.body", "body": b""})

        def refused(_: Request, error: Exception) -> Response:
            return Response(str(error), 429, getattr(error, "headers", {}))

        self.buckets = Buckets(now=lambda: self.at)
        self.limited = Limited(app, refused, limits, self.turned_away, self.buckets)

    def ask(
        self,
        client: str = "203.0.113.9",
        *,
        path: str = "/v1/gems",
        query: str = "",
        method: str = "GET",
        by_proxy: bool = False,
        **headers: str,
    ) -> tuple[int, dict[str, str]]:
        told: list[Any] = []

        async def send(message: Any) -> None:
            told.append(message)

        scope = {
            "type": "http", "method": method, "path": path, "query_string": query.encode(), "client": (client, 1),
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
            "state": {"by_proxy": by_proxy},
        }  # fmt: skip
        run(self.limited(scope, None, send))  # type: ignore[arg-type]
        return told[0]["status"], {k.decode(): v.decode() for k, v in told[0]["headers"]}


def test_an_address_gets_as_much_as_its_bucket_holds_and_then_what_drips_in() -> None:
    asker = Asker()
    assert [asker.ask()[0] for _ in range(8)] == [200] * 6 + [429] * 2
    status, headers = asker.ask()
    assert (status, headers["retry-after"]) == (429, "1")
    assert headers["ratelimit-policy"] == '"address";q=6;w=6'
    assert headers["ratelimit"] == '"address";r=0;t=6'
    assert asker.ask("203.0.113.10")[0] == 200, "another address has a bucket of its own"
    asker.at += 2
    assert [asker.ask()[0] for _ in range(3)] == [200, 200, 429]
    asker.at += 1000
    assert [asker.ask()[0] for _ in range(7)] == [200] * 6 + [429]
    assert asker.turned_away == {"address": 5}


def test_a_key_and_a_session_have_buckets_of_their_own() -> None:
    sent: list[dict[str, Any]] = [
        {"authorization": "Bearer a"},
        {"cookie": "theme=dark; evervalue-session-8765=a; x=y"},
    ]
    for told in sent:
        asker = Asker()
        assert [asker.ask(**told)[0] for _ in range(4)] == [200, 200, 200, 429]
        other: dict[str, Any] = {
            name: value.replace("=a", "=b").replace("r a", "r b") for name, value in told.items()
        }
        assert asker.ask(**other)[0] == 200
        assert asker.turned_away == {"client": 1}
    asker = Asker()
    asker.ask(cookie="evervalue-session-8765=a; x=y")
    asker.ask(cookie="evervalue-session-8765=a; x=other")
    assert len(asker.buckets.held) == 2, "other cookies make no other client"


def test_files_and_signing_in_are_counted_apart() -> None:
    asker = Asker()
    assert asker.ask(query="format=csv")[0] == 200
    status, headers = asker.ask(query="tier=mid&format=xlsx")
    assert (status, headers["retry-after"]) == (429, "10")
    assert asker.ask()[0] == 200
    asker = Asker()
    assert [asker.ask(path="/signin", method="POST")[0] for _ in range(3)] == [200, 200, 429]
    assert asker.ask(path="/signin")[0] == 200, "to look at the form is no attempt"


def test_keys_cannot_be_guessed_by_trying() -> None:
    asker = Asker(Limits(), status=401)
    tried = 0
    while asker.ask(authorization=f"Bearer {tried}")[0] == 401:
        tried += 1
    assert tried < 300, "a made-up key for each attempt does not help"


def test_this_machine_is_not_limited_unless_a_proxy_passes_others_on() -> None:
    asker = Asker()
    assert {asker.ask("127.0.0.1")[0] for _ in range(20)} == {200}
    assert [asker.ask("127.0.0.1", by_proxy=True)[0] for _ in range(7)] == [200] * 6 + [429]


def test_addresses_of_one_household_share_a_bucket() -> None:
    asker = Asker()
    assert [asker.ask(f"2001:db8:1:2::{n}")[0] for n in range(1, 8)] == [200] * 6 + [429]
    assert asker.ask("2001:db8:1:3::1")[0] == 200


def test_what_is_remembered_has_an_end() -> None:
    buckets = Buckets(now=lambda: 0.0)
    for n in range(MOST_BUCKETS + 10):
        buckets.of(TIGHT.address, n)
    assert len(buckets.held) == MOST_BUCKETS


def test_a_request_costs_microseconds() -> None:
    buckets = Buckets()
    for n in range(1000):
        buckets.of(TIGHT.address, n)
    begun = time.perf_counter()
    for n in range(20_000):
        buckets.of(TIGHT.address, n % 1000).tokens -= 1
    assert (time.perf_counter() - begun) / 20_000 < 100e-6, "2 where nobody else computes"


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    settings = ServerSettings(limits=TIGHT)
    with TestClient(create_app(saas_data(), settings), base_url=LOOPBACK, client=("203.0.113.9", 1)) as found:
        yield found


def test_a_real_answer_is_a_problem_that_says_how_long_to_wait(client: TestClient) -> None:
    first = client.get("/v1/headline")
    assert first.status_code == 200
    assert first.headers["ratelimit"].startswith('"address";r=5')
    for _ in range(10):
        last = client.get("/v1/headline")
    assert last.status_code == 429
    told = last.json()
    assert told["type"] == "urn:evervalue:problem:too-many-requests"
    assert "Ask again in 1 second" in told["detail"]
    assert int(last.headers["retry-after"]) >= 1
    assert last.headers["content-type"] == "application/problem+json"
    with TestClient(client.app, base_url=LOOPBACK, client=("127.0.0.1", 1)) as here:
        assert 'rate_limited_total{limit="address"}' in here.get("/metrics").text
