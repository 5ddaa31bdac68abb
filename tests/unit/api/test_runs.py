"""Kept runs: the list says what their own tables say, pages say the same, and readers can be pointed to another."""

from __future__ import annotations

import csv
import io
import json
import threading
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from evervalue.dashboard.app import create_app
from evervalue.pipeline.failed_runs import KEPT, failed_runs, note_failure, told
from evervalue.warehouse.attached import attached
from evervalue.warehouse.publish import Publisher
from tests.support.site import LOOPBACK
from tests.support.two_runs import own_two_runs, shared_two_runs

FIRST, SECOND = "20240301T120000Z", "20240302T120000Z"


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with TestClient(create_app(shared_two_runs()), base_url=LOOPBACK, follow_redirects=False) as found:
        yield found


@pytest.fixture
def own(tmp_path: Path) -> Path:
    return own_two_runs(tmp_path)


def test_the_list_says_what_the_tables_of_each_run_say(client: TestClient) -> None:
    body = client.get("/v1/runs").json()
    assert [row["run_id"] for row in body["data"]] == [SECOND, FIRST]
    assert [row["is_current"] for row in body["data"]] == [True, False]
    for row in body["data"]:
        snapshot = Publisher(shared_two_runs()).get(row["run_id"])
        con = attached({"run": snapshot.path}, memory_limit="64MB")
        wanted = con.execute(
            "select customers, high_value, mid_value, low_value, gems, monetary from run.insight.headline"
        ).fetchone()
        con.close()
        assert wanted is not None
        assert (
            row["customers"],
            row["high_value"],
            row["mid_value"],
            row["low_value"],
            row["gems"],
        ) == wanted[:5]
        assert Decimal(row["monetary"]) == wanted[5]
        assert row["rows_read"] == snapshot.manifest["inputs"][0]["rows_read"]
    assert body["data"][0]["expected_clv"] is None, "this run predicts no value"


def test_the_page_and_the_file_have_the_rows_of_the_list(client: TestClient) -> None:
    rows = client.get("/v1/runs").json()["data"]
    found = list(csv.DictReader(io.StringIO(client.get("/v1/runs?format=csv").text)))
    assert [(r["run_id"], r["customers"], r["monetary"]) for r in found] == [
        (r["run_id"], str(r["customers"]), r["monetary"]) for r in rows
    ]
    assert client.get("/v1/runs?format=xlsx").content[:2] == b"PK"
    page = client.get("/runs", headers={"accept": "text/html"}).text
    for row in rows:
        assert row["run_id"] in page
        assert f'title="EUR {row["monetary"]}"' in page or f'title="USD {row["monetary"]}"' in page
        assert client.get(f"/runs/{row['run_id']}").status_code == 200


def test_the_list_is_read_page_by_page(client: TestClient) -> None:
    first = client.get("/v1/runs?limit=1").json()
    assert [r["run_id"] for r in first["data"]] == [SECOND]
    assert first["meta"]["previous_cursor"] is None
    second = client.get("/v1/runs", params={"limit": 1, "after": first["meta"]["next_cursor"]}).json()
    assert [r["run_id"] for r in second["data"]] == [FIRST]
    assert second["meta"]["next_cursor"] is None
    back = client.get("/v1/runs", params={"limit": 1, "before": second["meta"]["previous_cursor"]}).json()
    assert [r["run_id"] for r in back["data"]] == [SECOND]
    assert client.get("/v1/runs?after=x").status_code == 400
    assert client.get("/v1/runs?limit=0").status_code == 422


def test_one_run_is_its_manifest(client: TestClient) -> None:
    body = client.get(f"/v1/runs/{FIRST}").json()["data"]
    manifest = Publisher(shared_two_runs()).get(FIRST).manifest
    assert body["inputs"] == manifest["inputs"]
    assert body["tables"] == manifest["tables"]
    assert body["snapshot_sha256"] == manifest["sha256"]
    assert body["settings"]["mid_value_at"] == 10
    tables = list(csv.DictReader(io.StringIO(client.get(f"/v1/runs/{FIRST}?part=tables&format=csv").text)))
    assert len(tables) == len(manifest["tables"])
    for path in ("/v1/runs/20240302T12", "/runs/20240302T12"):
        answer = client.get(path, headers={"accept": "application/json"})
        assert answer.status_code == 404
        assert SECOND in answer.text or "did you mean" in answer.text


def test_an_answer_is_not_sent_twice(client: TestClient) -> None:
    tag = client.get("/v1/runs").headers["etag"]
    assert client.get("/v1/runs", headers={"if-none-match": tag}).status_code == 304


def test_readers_are_pointed_to_another_run_without_a_failed_request(own: Path) -> None:
    with TestClient(create_app(own), base_url=LOOPBACK, follow_redirects=False) as client:
        seen: set[str] = set()
        bad: list[int] = []
        stop = threading.Event()

        def read() -> None:
            while not stop.is_set():
                answer = client.get("/v1/headline")
                if answer.status_code != 200:
                    bad.append(answer.status_code)
                else:
                    seen.add(answer.json()["meta"]["run_id"])

        thread = threading.Thread(target=read)
        thread.start()
        try:
            for run_id in (FIRST, SECOND, FIRST):
                page = client.get(f"/runs/{run_id}/publish")
                assert page.status_code == 200
                assert 'name="csrf"' in page.text or "already" in page.text
                answer = client.post(f"/runs/{run_id}/publish")
                assert (answer.status_code, answer.headers["location"]) == (303, f"/runs?published={run_id}")
                assert client.get("/v1/headline").json()["meta"]["run_id"] == run_id
        finally:
            stop.set()
            thread.join()
        assert bad == []
        assert seen <= {FIRST, SECOND}
        assert client.get("/v1/runs").json()["data"][1]["is_current"]
        told = client.post(f"/v1/runs/{SECOND}/publish").json()["data"]
        assert told == {"run_id": SECOND, "before": FIRST}
        assert client.post("/v1/runs/none/publish").status_code == 404


def test_a_damaged_run_is_shown_as_such_and_not_published(own: Path) -> None:
    (own / "runs" / FIRST / "snapshot.duckdb").write_bytes(b"not a database")
    with TestClient(create_app(own), base_url=LOOPBACK, follow_redirects=False) as client:
        row = client.get("/v1/runs").json()["data"][1]
        assert (row["run_id"], row["is_readable"], row["customers"]) == (FIRST, False, None)
        page = client.get("/runs").text
        assert "cannot be read" in page
        assert f"/runs/{FIRST}/publish" not in page
        assert "cannot be read" in client.get(f"/runs/{FIRST}").text
        answer = client.post(f"/v1/runs/{FIRST}/publish")
        assert answer.status_code == 503
        assert client.get("/v1/headline").json()["meta"]["run_id"] == SECOND


def test_runs_are_listed_where_the_published_one_cannot_be_opened(own: Path) -> None:
    (own / "runs" / SECOND / "snapshot.duckdb").write_bytes(b"not a database")
    with TestClient(create_app(own), base_url=LOOPBACK, follow_redirects=False) as client:
        assert client.get("/", headers={"accept": "text/html"}).status_code == 503
        page = client.get("/runs")
        assert page.status_code == 200
        assert f"/runs/{FIRST}/publish" in page.text
        assert client.post(f"/runs/{FIRST}/publish").status_code == 303
        assert client.get("/").status_code == 200


def test_no_runs_yet(tmp_path: Path) -> None:
    with TestClient(create_app(tmp_path), base_url=LOOPBACK) as client:
        assert client.get("/v1/runs").json()["data"] == []
        assert "No run has been published here" in client.get("/runs").text


def test_failed_runs_are_remembered_up_to_a_number(own: Path) -> None:
    row = {
        "begun_at": "2024-03-01T12:00:00",
        "ended_at": "2024-03-01T12:01:00",
        "step": "x",
        "kind": "InputError",
    }
    for n in range(KEPT + 5):
        note_failure(own, {**row, "run_id": f"r{n:02}", "says": "=sum(1)"})
    assert [r["run_id"] for r in failed_runs(own)][:2] == ["r24", "r23"]
    assert len(failed_runs(own)) == KEPT
    with (own / "failed-runs.jsonl").open("a") as file:
        file.write('{"half": \n[1]\n')
    with TestClient(create_app(own), base_url=LOOPBACK) as client:
        body = client.get("/v1/runs?part=failed&limit=3").json()
        assert [r["run_id"] for r in body["data"]] == ["r24", "r23", "r22"]
        assert body["meta"]["total"] == KEPT
        assert "'=sum(1)" in client.get("/v1/runs?part=failed&format=csv").text
        assert "20 runs failed" in client.get("/runs").text


def test_why_a_run_failed_says_nothing_of_a_customer() -> None:
    from evervalue.core.errors import CheckFailed, InputError

    assert "@" not in told(InputError("cell 'zoe@example.org' is no number"))
    assert "cust-7" not in told(CheckFailed("customers.lrfm does not keep its head. 1 row: cust-7."))
    assert "secret" not in told(RuntimeError("secret"))
    cells = "2 cells of amount are no numbers, for example {}. Map another column."
    assert "Zoe" not in told(InputError(cells.format("'Zoe O'Neil', 'Bo'")))
    assert "'1.234,56'" in told(InputError(cells.format("'1.234,56', '7'")))
    assert json.dumps(told(KeyboardInterrupt()))
