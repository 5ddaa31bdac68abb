"""The Act pages show what the tables and the API have, and have an answer where there is nothing to show."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from html import unescape
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from evervalue.api.snapshots import SnapshotReader, Statement
from evervalue.dashboard import act_words
from evervalue.dashboard.app import create_app
from evervalue.dashboard.formats import Formats
from evervalue.pipeline.settings import read_project
from tests.support.projects import project, run_project
from tests.support.site import LOOPBACK, saas_data

US = Formats("en_US", "USD")


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with TestClient(create_app(saas_data()), base_url=LOOPBACK) as found:
        yield found


def test_the_queue_is_the_table_and_the_answer(client: TestClient) -> None:
    page = client.get("/act").text
    api = client.get("/v1/actions?limit=25").json()["data"]
    sql = "select customer, expected_clv, why from actions.queue order by queue_position"
    with SnapshotReader(saas_data()).lease() as reading:
        table = list(reading.result(Statement(sql, {})).rows)
    assert [(row["customer"], Decimal(row["expected_clv"]), row["why"]) for row in api] == table
    body = page[page.index("<tbody>") : page.index("</tbody>")]
    assert [unescape(name) for name in re.findall(r'<th scope="row"><a [^>]*>([^<]*)</a>', body)] == [
        row[0] for row in table
    ]
    stakes = re.findall(r'data-label="At stake"><span title="USD ([^"]*)">', body)
    assert [Decimal(text.replace(",", "")) for text in stakes] == [row[1] for row in table]
    for row in client.get("/v1/actions?limit=1000").json()["data"][:3]:
        assert row["why"] in unescape(page)


def test_targeting_shows_the_answers_figures(client: TestClient) -> None:
    asked = "budget=333&contact_cost=7.5&uplift=3&margin=80"
    page = unescape(client.get(f"/act/targeting?{asked}").text)
    told = client.get(f"/v1/targeting?{asked}").json()["data"]
    for name in ("expected_gain", "expected_net"):
        assert f'title="{US.exact(Decimal(told[name]))}"' in page, name
    for name in ("contacts", "beyond_budget", "not_worth"):
        assert f'<td class="num">{told[name]}</td>' in page, name
    people = client.get(f"/v1/targeting?{asked}&part=customers&limit=25").json()["data"]
    places = [page.index(f">{row['customer']}</a>") for row in people]
    assert places == sorted(places)


def test_a_run_without_predictions_has_a_queue_and_says_why_there_is_no_targeting(tmp_path: Path) -> None:
    lines = "\n".join(f"{n},2024-01-{1 + n // 4:02},c{n % 5},{n}" for n in range(1, 60))
    folder = project(tmp_path / "p", {"sales.csv": f"order,date,customer,amount\n{lines}\n"})
    run_project(folder)
    with TestClient(create_app(read_project(folder).data_dir), base_url=LOOPBACK) as client:
        assert client.get("/act").status_code == 200
        page = client.get("/act/targeting").text
        told = client.get("/v1/targeting").json()["data"]
        assert client.get("/act/audiences").status_code == 200
    assert "Value is not predicted here." in page
    assert (told["predicted"], told["contacts"], told["expected_net"]) == (0, 0, "0.0000")


def test_a_decision_that_cannot_be_is_told(client: TestClient) -> None:
    given = {"customer_id": "1093", "reason": "gem", "choice": "burn"}
    assert client.post("/act/decisions", data=given).status_code == 422
    assert client.post("/act/audiences", data={"name": " "}).status_code == 422
    assert client.post("/act/audiences/none/export").status_code == 404


def test_masses_are_told_in_the_unit_that_fits() -> None:
    said = [
        act_words.kilograms(Decimal(kg), US)
        for kg in ("0", "0.0004", "0.0025", "0.049", "2.45", "197", "12400")
    ]
    assert said == ["0 g", "under 1 g", "2.5 g", "49 g", "2.4 kg", "197 kg", "12.4 t"]
