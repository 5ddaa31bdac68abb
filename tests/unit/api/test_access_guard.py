"""The guard where nobody has to sign in: what has no mark is shut, and other sites change nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from evervalue.api.access import MARK, form_of, needs, who_of
from evervalue.api.guard import FORM_BYTES, Guard, leaves
from evervalue.dashboard.app import create_app, handle
from evervalue.governance.roles import Right
from tests.support.site import LOOPBACK

CHANGING = {"POST", "PUT", "PATCH", "DELETE"}


def unmarked(request: Request) -> Response:
    raise AssertionError("nobody may come here")


@needs(Right.WORK)
def keeps(request: Request) -> Response:
    return JSONResponse([who_of(request).name, form_of(request).multi_items()])


@needs(Right.WORK)
async def reads_itself(request: Request) -> Response:
    return JSONResponse((await request.body()).decode())


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nothing is published here: who may ask is decided before anything is read."""
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def app(data: Path) -> FastAPI:
    app = create_app(data)
    app.router.routes.extend(
        [
            Route("/unmarked", unmarked, methods=["POST", "DELETE"]),
            Route("/keep", keeps, methods=["POST"]),
            Route("/body", reads_itself, methods=["POST"]),
        ]
    )
    return app


@pytest.fixture(scope="module")
def open_client(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app, base_url=LOOPBACK, raise_server_exceptions=False) as found:
        yield found


def test_every_changing_route_says_which_right_it_needs(data: Path) -> None:
    app = create_app(data)
    found = leaves(app.router.routes)
    assert len(found) > 20
    forgotten = [
        leaf.path
        for leaf in found
        if (leaf.methods is None or leaf.methods & CHANGING) and MARK not in leaf.endpoint.__dict__
    ]
    assert not forgotten, "put @needs(Right....) on them"


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_what_changes_something_and_has_no_mark_is_shut_even_where_nobody_signs_in(
    open_client: TestClient, method: str
) -> None:
    answer = open_client.request(method, "/unmarked")
    assert answer.status_code == 403
    assert "takes no changes" in answer.text


def test_a_form_can_be_read_without_waiting_and_once_more(open_client: TestClient) -> None:
    sent = {"name": ["a&b", "ü"], "csrf": "x"}
    assert open_client.post("/keep", data=sent).json() == ["local", [["name", "a&b"], ["name", "ü"]]]
    assert open_client.post("/body", data={"name": "x"}).json() == "name=x"
    assert open_client.post("/body", content=b"plain").json() == "plain"


def test_a_form_has_a_limit(open_client: TestClient) -> None:
    assert open_client.post("/keep", data={"name": "x" * FORM_BYTES}).status_code == 413
    many = b"&".join(b"a=1" for _ in range(10_001))
    head = {"Content-Type": "application/x-www-form-urlencoded"}
    assert open_client.post("/keep", content=many, headers=head).status_code == 413


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site", "Origin": LOOPBACK},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_a_page_of_another_site_changes_nothing(open_client: TestClient, headers: dict[str, str]) -> None:
    assert open_client.post("/keep", headers=headers).status_code == 403


@pytest.mark.parametrize("headers", [{"Origin": LOOPBACK}, {"Sec-Fetch-Site": "same-origin"}, {}])
def test_a_page_of_this_server_does(open_client: TestClient, headers: dict[str, str]) -> None:
    assert open_client.post("/keep", headers=headers).status_code == 200


def test_an_unknown_address_or_method_is_told_as_before(open_client: TestClient) -> None:
    assert open_client.post("/v1/customers").status_code == 405
    assert open_client.post("/v1/nothing").status_code == 404
    assert open_client.get("/v1/nothing").status_code == 404


def test_the_guard_finds_the_route_that_answers(data: Path) -> None:
    """It looks at the routes itself: were it to find another one, a right could be passed by."""
    seen: list[tuple[object, object]] = []

    class Watch:
        def __init__(self, app: ASGIApp) -> None:
            self.app = app

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            found = guard._leaf(scope) if scope["type"] == "http" else None
            await self.app(scope, receive, send)
            if scope["type"] == "http":
                seen.append((found.endpoint if found else None, scope.get("endpoint")))

    app = create_app(data)
    guard = Guard(app, handle)
    app.add_middleware(Watch)
    with TestClient(app, base_url=LOOPBACK, raise_server_exceptions=False) as client:
        for leaf in leaves(app.router.routes):
            for path in (re.sub("{[^}]*}", "1093", leaf.path), re.sub("{[^}]*}", "%2e%2fa%2Fb", leaf.path)):
                client.request("GET" if leaf.methods is None else min(leaf.methods), path)
    assert len(seen) > 40
    assert len({guarded for guarded, _ in seen}) > 20
    assert [guarded for guarded, _ in seen] == [answered for _, answered in seen]
