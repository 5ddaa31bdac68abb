"""The queue of actions: its rows are those of the table, what is decided stands beside them, and holds over runs."""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from evervalue.api.app import create_app
from evervalue.api.snapshots import SnapshotReader, Statement
from evervalue.core.clock import FixedClock
from evervalue.pipeline.settings import read_project
from tests.support.own import own_saas
from tests.support.projects import project, published, run_project
from tests.support.site import LOOPBACK, saas_data

NOON = dt.datetime(2024, 3, 1, 12, tzinfo=dt.UTC)
DECISIONS = "/v1/actions/decisions"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return own_saas(tmp_path_factory.mktemp("actions"))


@pytest.fixture
def client(data: Path) -> Iterator[TestClient]:
    for old in data.glob("state.db*"):
        old.unlink()
    app = create_app(data, clock=FixedClock(NOON))
    with TestClient(app, base_url=LOOPBACK, raise_server_exceptions=False) as found:
        yield found


def answer(client: TestClient, path: str) -> Any:
    response = client.get(path)
    assert response.status_code == 200, response.text
    return response.json()


def decide(client: TestClient, **decision: object) -> Any:
    response = client.post(DECISIONS, json={"customer_id": "1093", "reason": "gem", **decision})
    assert response.status_code == 201, response.text
    return response.json()["data"]


def sql(query: str) -> list[tuple[Any, ...]]:
    with SnapshotReader(saas_data()).lease() as reading:
        return list(reading.result(Statement(query, {})).rows)


def test_the_answer_is_the_table_and_so_is_the_export(client: TestClient) -> None:
    table = sql(
        "select queue_position, customer_id, reason, expected_clv, priority from actions.queue order by 1"
    )
    found = answer(client, "/v1/actions")["data"]
    told = [
        (r["queue_position"], r["customer_id"], r["reason"], r["expected_clv"], r["priority"]) for r in found
    ]
    assert told == [(*row[:3], str(row[3]), row[4]) for row in table]
    written = list(csv.DictReader(io.StringIO(client.get("/v1/actions?format=csv").text)))
    assert [{k: "" if v is None else str(v) for k, v in row.items()} for row in found] == written


def test_the_table_keeps_its_own_rules() -> None:
    gems = sql("select customer_id, reason, action, step_value from insight.hidden_gems order by 1")
    assert (
        sql("select customer_id, why, action, step_value from actions.queue where reason = 'gem' order by 1")
        == gems
    )
    assert sql(
        """select count(*) from actions.queue as q join customers.lrfm as l using (customer_id)
        where q.reason = 'at_risk' and not (l.customer_value = 'High-Value' and (q.p_alive < 0.5 or l.r_score < 4
          and l.lrfm_score = 14))"""
    ) == [(0,)]
    assert sql("select reason, count(*) from actions.queue group by 1 order by 1") == [
        ("at_risk", 4),
        ("gem", 14),
    ]
    stakes = [row[0] for row in sql("select expected_clv from actions.queue order by queue_position")]
    assert stakes == sorted(stakes, reverse=True)
    priorities = [row[0] for row in sql("select priority from actions.queue order by queue_position")]
    before, all_of_it = 0, sum(stakes)
    for stake, priority in zip(stakes, priorities, strict=True):
        assert priority == (1 if before < all_of_it / 2 else 2 if before < all_of_it * 9 / 10 else 3)
        before += stake


def test_decisions_stand_beside_the_queue(client: TestClient) -> None:
    first = answer(client, "/v1/actions")
    assert first["meta"]["total"] == 18
    tag = client.get("/v1/actions").headers["etag"]
    assert client.get("/v1/actions", headers={"If-None-Match": tag}).status_code == 304
    row = decide(client, choice="assign", note="they know us")
    assert (row["who"], row["assignee"], row["at"]) == ("local", "local", "2024-03-01T12:00:00Z")
    assert client.get("/v1/actions", headers={"If-None-Match": tag}).status_code == 200
    (mine,) = answer(client, "/v1/actions?show=mine")["data"]
    assert (mine["customer_id"], mine["status"], mine["note"]) == ("1093", "assigned", "they know us")
    decide(client, choice="done")
    assert answer(client, "/v1/actions")["meta"]["total"] == 17
    assert [r["customer_id"] for r in answer(client, "/v1/actions?show=done")["data"]] == ["1093"]
    decide(client, choice="snooze", until="2024-03-05")
    (asleep,) = answer(client, "/v1/actions?show=snoozed")["data"]
    assert (asleep["until"], asleep["assignee"]) == ("2024-03-05", "local")
    decide(client, choice="reopen")
    assert answer(client, "/v1/actions")["meta"]["total"] == 18
    assert [r["choice"] for r in answer(client, DECISIONS)["data"]] == ["reopen", "snooze", "done", "assign"]
    assert answer(client, f"{DECISIONS}?customer_id=none")["data"] == []


def test_what_an_answer_says_of_itself_leaves_decisions_out(client: TestClient) -> None:
    decide(client, choice="done", note="a secret note")
    assert "secret" not in str(answer(client, "/v1/actions?show=open")["meta"])


@pytest.mark.parametrize(
    ("decision", "status", "where"),
    [
        ({"choice": "burn"}, 422, "choice"),
        ({"choice": "snooze"}, 422, "until"),
        ({"choice": "done", "reason": "because"}, 422, "reason"),
        ({"choice": "done", "note": "x" * 2001}, 422, "note"),
        ({"choice": "done", "customer_id": "nobody"}, 404, "nobody"),
        ({"choice": "done", "who": "somebody else"}, 422, "who"),
    ],
)
def test_a_wrong_decision_is_told_and_not_kept(
    client: TestClient, decision: dict[str, object], status: int, where: str
) -> None:
    response = client.post(DECISIONS, json={"customer_id": "1093", "reason": "gem", **decision})
    assert response.status_code == status
    assert where in response.json()["detail"]
    assert answer(client, DECISIONS)["data"] == []


def test_filters_that_cannot_be_are_told(client: TestClient) -> None:
    assert client.get("/v1/actions?show=none").status_code == 422
    assert client.get("/v1/actions?sort=colour").status_code == 400
    assert answer(client, "/v1/actions?q=nothing-has-this")["data"] == []
    assert answer(client, "/v1/actions?q=' or 1=1 --")["data"] == []


def test_pages_of_the_queue_hold_together(client: TestClient) -> None:
    decide(client, choice="done")
    seen: list[str] = []
    path: str | None = "/v1/actions?limit=5"
    while path:
        found = answer(client, path)
        seen += [row["customer_id"] for row in found["data"]]
        after = found["meta"]["next_cursor"]
        path = f"/v1/actions?limit=5&after={after}" if after else None
    assert len(seen) == len(set(seen)) == 17


def test_decisions_hold_over_runs_and_reasons_without_prediction(tmp_path: Path) -> None:
    """Ten customers, without predictions: the best earner falls silent; what was decided of it holds in a new run."""
    lines = [f"{n},2024-01-{1 + n // 9:02},c{n % 9},10" for n in range(90)]
    lines += ["900,2023-01-01,quiet,5000"]
    csv_text = "order,date,customer,amount\n" + "\n".join(lines) + "\n"
    folder = project(tmp_path / "project", {"sales.csv": csv_text})
    run_project(folder)
    rows = published(
        folder, "select customer_id, reason, expected_clv, why from actions.queue where reason = 'silent'"
    )
    assert [row[:3] for row in rows] == [("quiet", "silent", None)]
    assert "among the quietest customers" in rows[0][3]
    app = create_app(read_project(folder).data_dir, clock=FixedClock(NOON))
    with TestClient(app, base_url=LOOPBACK, raise_server_exceptions=False) as client:
        decide(client, customer_id="quiet", reason="silent", choice="decline", note="moved away")
        first = answer(client, "/v1/actions?show=done")
        (folder / "sales.csv").write_text(csv_text + "901,2024-01-10,c1,10\n", "utf-8")
        run_project(folder)
        again = answer(client, "/v1/actions?show=done")
    assert first["meta"]["run_id"] != again["meta"]["run_id"]
    (row,) = again["data"]
    assert (row["customer_id"], row["status"], row["note"]) == ("quiet", "declined", "moved away")
