"""Behind a reverse proxy: who asks, by which name, and under which path."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from starlette.types import Scope

from evervalue.api.proxy import PREFIX, Proxied, networks, path_prefix, shown
from evervalue.api.settings import ServerSettings
from evervalue.core.errors import SettingsError
from evervalue.dashboard.app import create_app
from tests.support.running import run
from tests.support.site import LOOPBACK, saas_data

PAGES = ["/", "/gems", "/segments", "/customers", "/customers/1093", "/sources", "/sources/sales", "/tables"]


def seen(
    headers: dict[str, str],
    *,
    client: tuple[str, int] | None = ("10.0.0.7", 5),
    trusted: tuple[str, ...] = ("10.0.0.0/8",),
    prefix: str = "",
    path: str = "/gems",
) -> tuple[Scope, str]:
    """The request as the application sees it, and the prefix that its links get."""
    found: list[Any] = []

    async def app(scope: Scope, *_: object) -> None:
        found.extend([scope, shown("")])

    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    scope = {
        "type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "headers": raw, "client": client,
        "scheme": "http", "query_string": b"",
    }  # fmt: skip
    run(Proxied(app, prefix, trusted)(scope, None, None))  # type: ignore[arg-type]
    assert PREFIX.get() == ""
    return found[0], found[1]


def test_a_trusted_proxy_says_who_asks_by_which_name_and_under_which_path() -> None:
    scope, prefix = seen(
        {
            "Host": "app:8000",
            "X-Forwarded-For": "6.6.6.6, 203.0.113.9, 10.0.0.3",
            "X-Forwarded-Proto": "https",
            "X-Forwarded-Host": "value.example",
            "X-Forwarded-Prefix": "/value/",
        }
    )
    assert scope["client"] == ("203.0.113.9", 0), (
        "the nearest that is no proxy of ours; what stands before is hearsay"
    )
    assert scope["scheme"] == "https"
    assert dict(scope["headers"])[b"host"] == b"value.example"
    assert prefix == "/value"
    assert scope["state"]["by_proxy"]


@pytest.mark.parametrize("client", [("192.0.2.1", 1), None, ("not an address", 1)])
def test_nobody_else_is_believed(client: tuple[str, int] | None) -> None:
    said = {
        "Host": "app",
        "X-Forwarded-For": "127.0.0.1",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Prefix": "/evil",
    }
    scope, prefix = seen(said, client=client)
    assert scope["client"] == client
    assert scope["scheme"] == "http"
    assert dict(scope["headers"])[b"host"] == b"app"
    assert prefix == ""
    assert scope["state"]["by_proxy"], "whoever passes others on is not this machine itself"


@pytest.mark.parametrize(
    "given",
    ["//evil.example", "/a/../b", "/a b", "/.", "/é", "/a?b", "javascript:alert(1)", "/" + "a" * 300, "/a//b", "/a\"b"],
)  # fmt: skip
def test_a_prefix_that_is_none_is_not_taken(given: str) -> None:
    _, prefix = seen({"X-Forwarded-Prefix": given}, prefix="/set")
    assert prefix == "/set"


@pytest.mark.parametrize("given", ["a b.example", "x/y", "x@y", ""])
def test_a_host_that_is_none_is_not_taken(given: str) -> None:
    scope, _ = seen({"Host": "app", "X-Forwarded-Host": given})
    assert dict(scope["headers"])[b"host"] == b"app"


def test_addresses_with_ports_and_of_both_kinds_are_read() -> None:
    for said, client in (
        ("203.0.113.9:4711", "203.0.113.9"),
        ("[2001:db8::1]:99", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
        ("10.1.1.1, 10.0.0.2", "10.1.1.1"),
    ):
        assert seen({"X-Forwarded-For": said})[0]["client"] == (client, 0)
    assert seen({"X-Forwarded-For": "unknown"})[0]["client"] == ("10.0.0.7", 5)
    assert seen({"X-Forwarded-For": "1.2.3.4"}, client=("::ffff:10.0.0.7", 5))[0]["client"] == ("1.2.3.4", 0)


def test_the_prefix_is_taken_off_where_it_stands() -> None:
    for path, inside in (
        ("/value/gems", "/gems"),
        ("/value", "/"),
        ("/value/", "/"),
        ("/gems", "/gems"),
        ("/valued/gems", "/valued/gems"),
        ("/value/customers/a%2Fb", "/customers/a%2Fb"),
    ):
        scope, prefix = seen({}, prefix="/value", path=path)
        assert (scope["path"], prefix) == (inside, "/value")
        assert scope["raw_path"] == inside.encode()


def test_settings_that_cannot_be_are_told() -> None:
    with pytest.raises(SettingsError, match="/value"):
        path_prefix("/a b")
    with pytest.raises(SettingsError, match=re.escape("10.0.0.0/8")):
        networks(["nearby"])


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    settings = ServerSettings(prefix="/value")
    with TestClient(create_app(saas_data(), settings), base_url=LOOPBACK, follow_redirects=False) as found:
        yield found


@pytest.mark.parametrize("path", PAGES)
def test_every_address_of_a_page_carries_the_prefix(client: TestClient, path: str) -> None:
    answer = client.get("/value" + path)
    assert answer.status_code == 200
    found = re.findall(
        r'(?:href|src|action|hx-[a-z]+|data-(?:stream|events|chart-src))="(/[^"]*)"', answer.text
    )
    found += re.findall(r'"href":\s*"(/[^"]*)"', answer.text)
    assert found
    assert [each for each in found if not each.startswith("/value/")] == []


def test_redirects_cookies_fragments_problems_and_the_description_carry_it(client: TestClient) -> None:
    theme = client.get("/value/theme?to=dark&back=/value/gems")
    assert theme.headers["location"] == "/value/gems"
    assert "Path=/value/" in theme.headers["set-cookie"]
    assert client.get("/value/theme?back=//evil.example").headers["location"] == "/value/"
    assert client.get("/value/customers?format=csv").headers["location"].startswith("/value/v1/customers?")
    grid = {"HX-Request": "true", "HX-Target": "div#grid"}
    assert (
        client.get("/value/customers?tier=mid", headers=grid)
        .headers["hx-push-url"]
        .startswith("/value/customers")
    )
    missing = client.get("/value/v1/customers/nobody").json()
    assert missing["instance"] == "/value/v1/customers/nobody"
    described = client.get("/value/v1/openapi.json").json()
    assert described["servers"] == [{"url": "/value"}]
    assert "/v1/customers" in described["paths"]
    assert client.get("/healthz").text == "ok\n"
