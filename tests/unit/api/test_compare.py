"""Two runs held against each other: what is said equals plain arithmetic over both snapshots."""

from __future__ import annotations

import csv
import io
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from evervalue.dashboard import change_words
from evervalue.dashboard.app import create_app
from evervalue.dashboard.formats import Formats
from evervalue.warehouse.attached import attached
from evervalue.warehouse.publish import Publisher
from tests.support.site import LOOPBACK, saas_data
from tests.support.two_runs import own_two_runs, shared_two_runs

FIRST, SECOND = "20240301T120000Z", "20240302T120000Z"
RANK = {"High-Value": 3, "Mid-Value": 2, "Low-Value": 1, None: 0}
Customers = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with TestClient(create_app(shared_two_runs()), base_url=LOOPBACK, follow_redirects=False) as found:
        yield found


def customers_of(run_id: str) -> Customers:
    """Every customer of a run, by key."""
    path = Publisher(shared_two_runs()).get(run_id).path
    con = attached({"run": path}, memory_limit="64MB")
    try:
        rows = con.execute(
            "select customer_id, customer_value, monetary, lrfm_score from run.insight.customer_list"
        ).fetchall()
    finally:
        con.close()
    return {key: {"tier": tier, "monetary": money, "score": score} for key, tier, money, score in rows}


def plainly(before: Customers, now: Customers) -> dict[str, dict[str, Any]]:
    """What became of each customer, in plain Python."""
    found = {}
    for key in before.keys() | now.keys():
        was, is_ = before.get(key), now.get(key)
        if was is None:
            movement = "joined"
        elif is_ is None:
            movement = "left"
        else:
            way = RANK[is_["tier"]] - RANK[was["tier"]]
            movement = "up" if way > 0 else "down" if way < 0 else "same"
        found[key] = {
            "movement": movement,
            "from": (was["tier"] or "No sale yet") if was else "Not there",
            "to": (is_["tier"] or "No sale yet") if is_ else "Not there",
            "change": (is_["monetary"] if is_ else 0) - (was["monetary"] if was else 0),
        }
    return found


def test_movement_and_customers_equal_plain_arithmetic(client: TestClient) -> None:
    before, now = customers_of(FIRST), customers_of(SECOND)
    wanted = plainly(before, now)
    assert {"up", "joined", "left", "same"} <= {w["movement"] for w in wanted.values()}, (
        "the example shows them"
    )
    rows = client.get("/v1/compare?part=customers&limit=1000").json()["data"]
    assert {
        r["customer_id"]: (r["movement"], r["tier_before"], r["tier_now"], Decimal(r["monetary_change"]))
        for r in rows
    } == {key: (w["movement"], w["from"], w["to"], w["change"]) for key, w in wanted.items()}
    cells = client.get("/v1/compare?part=movement").json()["data"]
    assert {(c["tier_before"], c["tier_now"]): c["customers"] for c in cells} == Counter(
        (w["from"], w["to"]) for w in wanted.values()
    )
    assert sum(c["customers"] for c in cells if c["tier_before"] != "Not there") == len(before)
    assert sum(c["customers"] for c in cells if c["tier_now"] != "Not there") == len(now)
    assert sum(Decimal(c["monetary_before"]) for c in cells) == sum(c["monetary"] for c in before.values())
    assert sum(Decimal(c["monetary_now"]) for c in cells) == sum(c["monetary"] for c in now.values())


def test_the_summary_is_both_headlines(client: TestClient) -> None:
    body = client.get("/v1/compare").json()
    before, now = customers_of(FIRST), customers_of(SECOND)
    told = body["data"]
    assert (told["customers_before"], told["customers_now"]) == (len(before), len(now))
    assert Decimal(told["monetary_change"]) == sum(c["monetary"] for c in now.values()) - sum(
        c["monetary"] for c in before.values()
    )
    assert told["expected_now"] is None, "no value was predicted"
    assert (body["meta"]["run_id"], body["meta"]["against"]) == (SECOND, FIRST)
    assert "full join" in body["meta"]["changes"]
    back = client.get(f"/v1/compare?run={FIRST}&against={SECOND}").json()["data"]
    assert Decimal(back["monetary_change"]) == -Decimal(told["monetary_change"])


def test_the_page_and_the_files_say_what_the_answers_say(client: TestClient) -> None:
    cells = client.get("/v1/compare?part=movement").json()["data"]
    page = client.get("/changes").text
    shown = re.findall(r'(\d+)<span class="vh"> customers from ([^<]+) to ([^<]+), revenue </span>', page)
    assert {(was, now): int(n) for n, was, now in shown} == {
        (c["tier_before"], c["tier_now"]): c["customers"] for c in cells
    }
    for part in ("movement", "customers", "summary", "settings"):
        text = client.get(f"/v1/compare?part={part}&format=csv").text
        data = client.get(f"/v1/compare?part={part}&limit=1000").json()["data"]
        rows = data if isinstance(data, list) else [data]
        found = list(csv.DictReader(io.StringIO(text)))
        assert len(found) == len(rows)
        assert [
            {k: str(v) for k, v in r.items() if isinstance(v, str | int) and not isinstance(v, bool)}
            for r in rows
        ] == [
            {k: f[k] for k, v in r.items() if isinstance(v, str | int) and not isinstance(v, bool)}
            for r, f in zip(rows, found, strict=True)
        ]
        assert client.get(f"/v1/compare?part={part}&format=xlsx").content[:2] == b"PK"


def test_a_cell_leads_to_its_customers(client: TestClient) -> None:
    for c in client.get("/v1/compare?part=movement").json()["data"]:
        codes = {
            "High-Value": "high",
            "Mid-Value": "mid",
            "Low-Value": "low",
            "No sale yet": "unscored",
            "Not there": "absent",
        }
        query = f"part=customers&was={codes[c['tier_before']]}&now={codes[c['tier_now']]}"
        assert client.get(f"/v1/compare?{query}").json()["meta"]["total"] == c["customers"]
    only = client.get("/v1/compare?part=customers&moved=joined").json()["data"]
    assert [row["customer"] for row in only] == ["joiner"]
    assert [r["customer"] for r in client.get("/v1/compare?part=customers&q=LEAV").json()["data"]] == [
        "leaver"
    ]


def test_settings_that_changed_are_said(client: TestClient) -> None:
    rows = client.get("/v1/compare?part=settings").json()["data"]
    assert {"setting": "mid_value_at", "before": "10", "now": "9"} in rows
    assert any(row["setting"] == "as_of" for row in rows)
    for path in ("/changes", "/changes/panel", "/changes/matrix"):
        page = client.get(path).text
        assert "mid-Value begins at a score of changed from 10 to 9" in page
        assert "the cutoff moved" in page


def test_a_run_is_named_or_meant_by_a_day(client: TestClient) -> None:
    by_day = client.get("/v1/compare?against=2024-03-01").json()["meta"]
    assert by_day["against"] == FIRST
    for query, status in {
        "against=2001-01-01": 404,
        "against=nothing": 404,
        f"against={SECOND}": 400,
        "run=../../etc": 404,
        "moved=sideways": 422,
        "part=customers&sort=x": 400,
        f"against={'x' * 1_000}": 422,
    }.items():
        assert client.get(f"/v1/compare?{query}").status_code == status, query
        assert client.get(f"/changes?{query}".replace("part=customers&", "")).status_code == status, query


def test_lists_are_read_page_by_page(client: TestClient) -> None:
    every = [
        r["customer_id"]
        for r in client.get("/v1/compare?part=customers&limit=1000&sort=score_change").json()["data"]
    ]
    seen: list[str] = []
    after = ""
    while True:
        asked: dict[str, str | int] = {
            "part": "customers",
            "limit": 4,
            "sort": "score_change",
            "after": after,
        }
        body = client.get("/v1/compare", params=asked).json()
        seen += [r["customer_id"] for r in body["data"]]
        if not (after := body["meta"]["next_cursor"]):
            break
    assert seen == every


def test_a_pair_that_is_open_survives_its_files_and_one_that_is_gone_is_told(tmp_path: Path) -> None:
    own = own_two_runs(tmp_path)
    with TestClient(create_app(own), base_url=LOOPBACK) as client:
        wanted = client.get("/v1/compare?part=movement").json()["data"]
        (own / "runs" / FIRST / "snapshot.duckdb").unlink()
        assert client.get("/v1/compare?part=movement").json()["data"] == wanted
        shutil.rmtree(own / "runs" / FIRST)
        assert client.get(f"/v1/compare?against={FIRST}").status_code == 404
        alone = client.get("/v1/compare")
        assert alone.status_code == 404
        assert "only one that is kept" in alone.json()["detail"]
        assert "nothing to compare" in client.get("/changes").text
        assert "first run that is kept" in client.get("/changes/panel").text
    own = own_two_runs(tmp_path / "again")
    (own / "runs" / FIRST / "snapshot.duckdb").write_bytes(b"nothing")
    with TestClient(create_app(own), base_url=LOOPBACK) as client:
        assert client.get("/v1/compare").status_code == 404
        assert client.get("/").status_code == 200


def test_overview_and_segments_load_what_changed_alone_and_lead_there_without_script(
    client: TestClient,
) -> None:
    page = client.get(f"/?against={FIRST}").text
    assert f'hx-get="/changes/panel?against={FIRST}"' in page
    assert f'href="/changes?against={FIRST}"' in page
    assert 'hx-get="/changes/matrix"' in client.get("/segments").text
    panel = client.get("/changes/panel").text
    assert "1 customer joined, 1 left." in panel
    assert "Revenue rose by" in panel


def test_runs_of_an_earlier_version_are_compared_as_far_as_they_go(tmp_path: Path) -> None:
    """A snapshot without a table or a column of today."""
    from evervalue.warehouse.duckdb import connect

    own = own_two_runs(tmp_path)
    con = connect(own / "runs" / FIRST / "snapshot.duckdb")
    con.execute("drop table insight.value_headline")
    con.execute("drop index if exists insight.customer_list_by_customer_id")
    con.execute("alter table insight.customer_list drop column expected_clv")
    con.close()
    with TestClient(create_app(own), base_url=LOOPBACK) as client:
        told = client.get("/v1/compare").json()["data"]
        assert told["expected_before"] is None
        assert client.get("/v1/compare?part=customers").json()["data"][0]["expected_before"] is None
        assert client.get("/changes").status_code == 200


def test_one_run_alone_has_nothing_to_compare() -> None:
    with TestClient(create_app(saas_data()), base_url=LOOPBACK) as client:
        assert client.get("/changes").status_code == 200
        assert client.get("/v1/compare").status_code == 404


def test_what_is_expected_may_change_alone() -> None:
    totals = {
        "monetary_before": Decimal(5), "monetary_now": Decimal(5), "monetary_change": Decimal(0),
        "expected_before": Decimal(111), "expected_now": Decimal(13), "gems_change": 0, "gems_now": 0,
    }  # fmt: skip
    said = change_words.findings(totals, [], "profit", Formats("en_US", "USD"), money=True)
    assert any("Expected value fell by $98" in sentence for sentence in said)
    unknown = change_words.findings(totals, [], "profit", Formats("en_US", "USD"), money=False)
    assert not any("money" in sentence for sentence in unknown)
