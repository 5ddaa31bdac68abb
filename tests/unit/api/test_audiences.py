"""Audiences: a saved filter, its members in every run, and what joined and left since the last export."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from evervalue.api.app import create_app
from evervalue.pipeline.settings import read_project
from tests.support.projects import project, run_project
from tests.support.site import LOOPBACK

FIRST = "order,date,customer,amount\n1,2024-01-01,=ann,10\n2,2024-01-02,bo,20\n3,2024-01-03,cy,30\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = project(tmp_path_factory.mktemp("audiences") / "project", {"sales.csv": FIRST})
    run_project(found)
    return found


@pytest.fixture(scope="module")
def client(folder: Path) -> Iterator[TestClient]:
    app = create_app(read_project(folder).data_dir)
    with TestClient(app, base_url=LOOPBACK, raise_server_exceptions=False) as found:
        yield found


def answer(client: TestClient, path: str) -> Any:
    response = client.get(path)
    assert response.status_code == 200, response.text
    return response.json()["data"]


def keys(client: TestClient, path: str) -> list[str]:
    rows = csv.DictReader(io.StringIO(client.get(path + "&format=csv").text))
    return [row["customer_id"] for row in rows]


def save(client: TestClient, name: str, **filters: object) -> Any:
    response = client.post("/v1/audiences", json={"name": name, "filter": filters})
    assert response.status_code == 201, response.text
    return response.json()["data"]


def test_joined_and_left_over_two_runs(client: TestClient, folder: Path) -> None:
    made = save(client, "Matches n or c", q="n")
    path = f"/v1/audiences/{made['id']}"
    assert (made["customers"], made["owner"], made["filter"]) == (1, "local", {"q": "n"})
    everybody = save(client, "Everybody")
    all_path = f"/v1/audiences/{everybody['id']}"
    exported = client.post(f"{all_path}/exports").json()["data"]
    assert (exported["number"], exported["customers"], exported["joined"], exported["left"]) == (1, 3, 3, 0)
    assert [answer(client, all_path)[name] for name in ("customers", "joined", "left")] == [3, 0, 0]

    lines = FIRST.replace("2,2024-01-02,bo,20\n", "") + "4,2024-01-04,dan,5\n5,2024-01-05,eve,5\n"
    (folder / "sales.csv").write_text(lines, "utf-8")
    run_project(folder)

    assert [answer(client, all_path)[name] for name in ("customers", "joined", "left")] == [4, 2, 1]
    assert sorted(keys(client, f"{all_path}/members?part=all")) == ["'=ann", "cy", "dan", "eve"]
    assert sorted(keys(client, f"{all_path}/members?part=joined")) == ["dan", "eve"]
    assert keys(client, f"{all_path}/members?part=left") == ["bo"]
    gone = answer(client, f"{all_path}/members?part=left")
    assert [(row["customer_id"], row["customer"]) for row in gone] == [("bo", None)], (
        "no longer listed: the key alone"
    )
    again = client.post(f"{all_path}/exports").json()["data"]
    assert (again["number"], again["customers"], again["joined"], again["left"]) == (2, 4, 2, 1)
    assert answer(client, all_path)["last_export"] == again
    assert [one["number"] for one in answer(client, f"{all_path}/exports")] == [2, 1]
    assert sorted(keys(client, f"{all_path}/exports/1?part=all")) == ["'=ann", "bo", "cy"]
    assert sorted(keys(client, f"{all_path}/exports/2?part=joined")) == ["dan", "eve"]
    assert keys(client, f"{all_path}/exports/2?part=left") == ["bo"]
    assert answer(client, path)["customers"] == 2, "ann and dan"
    assert {one["name"] for one in answer(client, "/v1/audiences")} >= {"Everybody", "Matches n or c"}


def test_members_are_the_filtered_customers(client: TestClient) -> None:
    made = save(client, "With a", q="a")
    listed = answer(client, "/v1/customers?q=a")
    assert answer(client, f"/v1/audiences/{made['id']}/members") == listed
    sheet = client.get(f"/v1/audiences/{made['id']}/members?format=xlsx")
    assert sheet.content.startswith(b"PK")
    about = client.get(f"/v1/audiences/{made['id']}/members?part=joined").json()["meta"]
    assert about["parameters"]["exported"] == "[keys of exported customers]"


def test_an_audience_is_deleted_with_its_exports(client: TestClient) -> None:
    made = save(client, "Short-lived")
    path = f"/v1/audiences/{made['id']}"
    client.post(f"{path}/exports")
    assert client.delete(path).status_code == 204
    for gone in (path, f"{path}/members", f"{path}/exports", f"{path}/exports/1"):
        assert client.get(gone).status_code == 404
    assert client.delete(path).status_code == 404


@pytest.mark.parametrize(
    ("body", "status", "where"),
    [
        ({"name": ""}, 422, "name"),
        ({"name": "x" * 121}, 422, "name"),
        ({"name": "x", "filter": {"colour": "red"}}, 422, "colour"),
        ({"name": "x", "filter": {"tier": ["best"]}}, 422, "tier"),
        ({"name": "x", "owner": "somebody else"}, 422, "owner"),
        ({"name": "EVERYBODY TWICE"}, 409, "already"),
    ],
)
def test_a_wrong_audience_is_told(
    client: TestClient, body: dict[str, object], status: int, where: str
) -> None:
    if status == 409:
        save(client, "everybody twice")
    response = client.post("/v1/audiences", json=body)
    assert response.status_code == status
    assert where in response.json()["detail"]


def test_what_is_not_there_is_not_found(client: TestClient) -> None:
    for path in ("/v1/audiences/none", "/v1/audiences/none/members", "/v1/audiences/none/exports/1"):
        assert client.get(path).status_code == 404
    assert client.post("/v1/audiences/none/exports").status_code == 404
    made = save(client, "Never exported")
    assert client.get(f"/v1/audiences/{made['id']}/exports/1").status_code == 404
