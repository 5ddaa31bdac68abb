"""Every route of the application against every role: nobody gets what the route's right does not give them."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from starlette.requests import Request

from evervalue.api.access import ANYBODY
from evervalue.api.answers import etag
from evervalue.api.guard import Leaf, leaves
from evervalue.api.snapshots import Reading
from evervalue.core.clock import FixedClock
from evervalue.dashboard.app import create_app
from evervalue.governance.people import People
from evervalue.governance.roles import RIGHTS, Right, Role, Who
from evervalue.governance.settings import Access
from evervalue.governance.tickets import kept, signed
from tests.support.site import LOOPBACK

NOW = dt.datetime(2024, 5, 6, tzinfo=dt.UTC)
DENIED = {401, 403}
OPEN = {
    "/signin", "/signin/oidc", "/signin/oidc/back", "/theme", "/static/{digest}/{name}", "/healthz", "/readyz",
    "/metrics",
}  # fmt: skip
"""What needs no sign-in: whoever adds to it says why in a review."""
OWN_REASON = {"/signin": "wrong passwords are told as 401", "/account/password": "only accounts have one"}


class Matrix:
    """An application with an account a role."""

    def __init__(self, data: Path) -> None:
        self.app: FastAPI = create_app(data, clock=FixedClock(NOW), access=Access())
        self.people: People = self.app.state.people
        self.accounts = {
            role: self.people.accounts.add(f"the {role}", role, None, by="test", subject=role)
            for role in Role
        }
        self.tickets: dict[Role, str] = {}
        self.client = TestClient(
            self.app, base_url=LOOPBACK, raise_server_exceptions=False, follow_redirects=False
        )

    def status(self, role: Role | None, method: str, path: str) -> int:
        """What a session of that role is answered, its token included."""
        self.client.cookies.clear()
        headers = {"Accept": "application/json"}
        if role is not None:
            shown = self.tickets.get(role, "")
            if not self.people.sessions.find(shown):
                shown = self.people.sessions.begin(self.accounts[role].id, address="", browser="")
                self.tickets[role] = shown
            self.client.cookies.set("evervalue-session-80", shown, domain="127.0.0.1")
            headers["X-CSRF-Token"] = signed(self.people.secret, "csrf", kept(shown))
        answer = self.client.request(method, path, headers=headers)
        is_door = answer.status_code == 303 and answer.headers["location"].startswith("/signin?back=")
        return 401 if is_door and not path.startswith("/v1") else answer.status_code


@pytest.fixture(scope="module")
def matrix(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Matrix]:
    found = Matrix(tmp_path_factory.mktemp("data"))
    yield found
    found.client.close()


def asked(leaf: Leaf) -> list[tuple[str, str, frozenset[str]]]:
    """Method, path and rights of each way in which a route can be asked."""
    path = re.sub("{[^}]*}", "x", leaf.path)
    found = []
    for method in sorted((leaf.methods or {"GET"}) - {"HEAD"}):
        right = leaf.needs(method)
        assert right is not None, f"{method} {leaf.path} has no mark"
        found.append((method, path, frozenset({right})))
        if method == "GET" and right != ANYBODY:
            for wanted in ("format=csv", "limit=1&format=xlsx", "%66ormat=CSV")[: 3 if "/v1/" in path else 1]:
                found.append((method, f"{path}?{wanted}", frozenset({right, Right.EXPORT})))
    return found


def test_role_by_route(matrix: Matrix) -> None:
    seen = 0
    wrong = []
    for leaf in leaves(matrix.app.router.routes):
        plain = re.sub(r"\{(\w+):\w+\}", r"{\1}", leaf.path)
        assert (leaf.mark == ANYBODY) == (plain in OPEN), plain
        for method, path, rights in asked(leaf):
            for role in (None, *Role):
                may = rights == {ANYBODY} or (role is not None and rights <= RIGHTS[role])
                status = matrix.status(role, method, path)
                if plain in OWN_REASON and method == "POST" and may:
                    continue
                if (status not in DENIED) != may or (role is None and not may and status != 401):
                    wrong.append((method, path, role, status))
                seen += 1
    assert not wrong
    assert seen > 300


def test_nobody_manages_but_admins(matrix: Matrix) -> None:
    """The marks themselves: a page of Admin that lost its mark would pass the matrix, which is made of the marks."""
    for leaf in leaves(matrix.app.router.routes):
        if leaf.path.startswith("/admin"):
            assert leaf.mark == Right.MANAGE, leaf.path
        if leaf.path.endswith("/publish"):
            assert leaf.mark == Right.MANAGE, leaf.path


def test_the_roles_are_these() -> None:
    assert {role: {str(right) for right in rights} for role, rights in RIGHTS.items()} == {
        Role.VIEWER: {"read"},
        Role.ANALYST: {"read", "export", "work"},
        Role.ADMIN: {"read", "export", "work", "manage"},
    }


def test_an_answer_that_one_role_holds_is_not_another_roles() -> None:
    reading = cast("Reading", SimpleNamespace(run_id="r1"))
    tags = set()
    for role in Role:
        scope = {
            "type": "http", "method": "GET", "path": "/v1/customers", "query_string": b"", "headers": [],
            "server": ("127.0.0.1", 80), "scheme": "http", "state": {"who": Who("a", role)},
        }  # fmt: skip
        tags.add(etag(reading, Request(scope)))
    assert len(tags) == len(Role)
