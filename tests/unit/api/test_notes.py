"""Notes and saved views over HTTP: typed, refused in words, and gone when they are taken away."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from evervalue.api.app import create_app
from tests.support.site import LOOPBACK, saas_data


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[TestClient]:
    """A client of an application that may write beside a copy of the published run."""
    shutil.copytree(saas_data(), tmp_path / "data", ignore=shutil.ignore_patterns("warehouse*", "state.db*"))
    app = create_app(tmp_path / "data")
    with TestClient(app, base_url=LOOPBACK, raise_server_exceptions=False) as client:
        yield client


def test_a_note_is_added_listed_and_taken_away(desk: TestClient) -> None:
    made = desk.post("/v1/notes/1093", json={"says": "Renews in March. <script>"})
    assert made.status_code == 201
    note = made.json()["data"]
    assert (note["says"], note["author"]) == ("Renews in March. <script>", "local")
    assert desk.get("/v1/notes/1093").json()["data"] == [note]
    assert desk.delete("/v1/notes/1093", params={"id": note["id"]}).status_code == 204
    assert desk.get("/v1/notes/1093").json()["data"] == []
    assert desk.delete("/v1/notes/1093", params={"id": note["id"]}).status_code == 404


@pytest.mark.parametrize(
    "body", [{}, {"says": ""}, {"says": 7}, {"says": "x" * 4001}, {"says": "a", "by": "b"}]
)
def test_what_is_no_note_is_refused(desk: TestClient, body: dict[str, object]) -> None:
    answer = desk.post("/v1/notes/1093", json=body)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_note_needs_its_customer(desk: TestClient) -> None:
    assert desk.post("/v1/notes/nobody", json={"says": "x"}).status_code == 404
    assert desk.post("/v1/notes/1093", json={"says": " \n"}).json()["detail"].startswith("The note is empty")


def test_views_are_kept_and_refused(desk: TestClient) -> None:
    made = desk.post("/v1/views", json={"name": "Mid", "address": "/customers?tier=mid", "is_shared": True})
    assert made.status_code == 201
    assert desk.get("/v1/views").json()["data"] == [made.json()["data"]]
    wrong = desk.post("/v1/views", json={"name": "Mid", "address": "https://evil.example/"})
    assert wrong.status_code == 422
    assert "page of this server" in wrong.json()["detail"]
    assert desk.delete(f"/v1/views/{made.json()['data']['id']}").status_code == 204
    assert desk.get("/v1/views").json()["data"] == []
