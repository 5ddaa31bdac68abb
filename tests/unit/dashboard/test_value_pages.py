"""Lifetime value and Models: pages say what the routes say, and say why where there is nothing to say."""

from __future__ import annotations

import html
import re
import shutil
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from evervalue.dashboard.app import create_app
from evervalue.dashboard.formats import Formats
from evervalue.pipeline.settings import read_project
from evervalue.warehouse.duckdb import connect
from evervalue.warehouse.publish import Publisher
from tests.support.projects import project, run_project
from tests.support.site import LOOPBACK, saas_data

FORMATS = Formats("en_US", "USD")
ONE = "order,date,customer,amount\n1,2024-01-01,Ann,10\n2,2024-03-01,Ann,30\n3,2024-05-02,Ann,25\n"
PAGES = ("/value", "/models")


def page(client: TestClient, path: str) -> str:
    response = client.get(path)
    assert response.status_code == 200, response.text
    return html.unescape(response.text)


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with TestClient(create_app(saas_data()), base_url=LOOPBACK) as found:
        yield found


def small(folder: Path, more: str = "", files: str = ONE) -> TestClient:
    """The pages of a small company."""
    toml = '[sources.sales]\npath = "sales.csv"\n[sources.sales.columns]\norder_id = "order"\nordered_at = "date"\n'
    toml += 'customer_id = "customer"\namount = "amount"\n'
    folder = project(folder, {"sales.csv": files}, toml + more, value=True)
    run_project(folder)
    return TestClient(create_app(read_project(folder).data_dir), base_url=LOOPBACK)


@pytest.mark.parametrize("asked", ["", "?tier=mid", "?tier=high&region=EMEA"])
def test_the_page_shows_what_the_routes_say(client: TestClient, asked: str) -> None:
    text = page(client, f"/value{asked}")
    more = asked.replace("?", "&")
    for part in ("distribution", "alive", "top", "falling"):
        for row in client.get(f"/v1/clv?part={part}{more}").json()["data"][:12]:
            for name in ("expected_clv", "past_monetary", "clv_low", "clv_high"):
                if row.get(name) is not None:
                    assert f'title="{FORMATS.exact(Decimal(row[name]))}"' in text, (part, name)
    for row in client.get("/v1/clv?part=forecast").json()["data"]:
        assert f">{FORMATS.percent(row['expected_share'], 1)}</td>" in text


def test_the_whole_has_an_interval_and_a_part_has_none(client: TestClient) -> None:
    whole = client.get("/v1/clv").json()["data"]
    low, high = (FORMATS.short_money(Decimal(whole[end])) for end in ("clv_low", "clv_high"))
    ends = f"between {low} and {high}"
    assert ends in page(client, "/value")
    part = page(client, "/value?tier=mid")
    assert ends not in part
    assert "ends of intervals cannot be added" in part
    assert "43 Mid-Value customers are expected to bring" in part


@pytest.mark.parametrize("asked", ["", "?tier=mid&region=EMEA"])
def test_every_band_leads_to_exactly_its_customers(client: TestClient, asked: str) -> None:
    text = page(client, f"/value{asked}")
    more = asked.replace("?", "&")
    bands = [
        *client.get(f"/v1/clv?part=distribution{more}").json()["data"],
        *client.get(f"/v1/clv?part=alive{more}").json()["data"],
    ]
    links = re.findall(r'<tr><th scope="row"><a href="(/customers\?[^"]*(?:clv|p_alive)_[^"]*)">', text)
    numbers = [row["customers"] for row in bands if row["customers"]]
    found = [client.get(f"/v1{link}").json()["meta"]["total"] for link in links]
    assert found == numbers
    assert sum(found[:-1]) == numbers[-1]


def test_models_shows_every_measure_of_the_chosen_model(client: TestClient) -> None:
    rows = client.get("/v1/models?part=backtest").json()["data"]
    text = page(client, "/models?target=orders&measure=crps")
    for row in rows:
        if row["origin"] is None and row["target"] == "orders" and row["measure"] == "crps":
            assert FORMATS.number(row["value"], 3) in text
    for row in client.get("/v1/models?part=parameters").json()["data"]:
        assert f">{row['estimate']:.4g}</td>" in text
    for fit in client.get("/v1/models").json()["data"]:
        assert fit["model_says"] in text
        assert all(line in text for line in (fit["findings"] or "").splitlines())
    assert "Tested on the past, the models forecast" in text


@pytest.mark.parametrize("path", ["/models?measure=luck", "/models?target=profit", "/value?tier=best"])
def test_what_cannot_be_asked_is_refused(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 422


def test_a_region_that_is_not_there_is_an_empty_view(client: TestClient) -> None:
    text = page(client, "/value?region=Atlantis")
    assert "0 customers in Atlantis" in text
    assert "No customer is in this view" in text


def test_one_customer(tmp_path: Path) -> None:
    with small(tmp_path) as client:
        text = page(client, "/value")
        assert "1 customer is expected to bring" in text
        assert "One customer, and what is expected of them" in text
        assert "Ann" in text
        assert "docs/methods/" in page(client, "/models")


def test_without_end_nothing_is_compared_with_the_past(tmp_path: Path) -> None:
    with small(tmp_path, '[value]\nhorizon = "inf"\n') as client:
        text = page(client, "/value")
        assert "in the time to come" in text
        assert "Who is falling cannot be told" in text
        assert client.get("/v1/clv?part=falling").json()["data"] == []
        assert client.get("/v1/clv?part=alive").json()["data"][0]["past_monetary"] is None


def test_value_switched_off(tmp_path: Path) -> None:
    with small(tmp_path, '[value]\nmodel = "none"\n') as client:
        text = page(client, "/value")
        assert "No value is predicted in this run" in text
        assert 'Value is switched off in the settings: [value] model = "none".' in text
        models = page(client, "/models")
        assert "No model predicts value in this run" in models
        assert "Nothing was tested on the past" in models
        assert client.get("/v1/models/card?format=md").status_code == 200
        assert client.get("/v1/clv?part=distribution").json()["data"] == []


def test_a_run_of_an_earlier_version(tmp_path: Path) -> None:
    shutil.copytree(saas_data() / "runs", tmp_path / "runs")
    shutil.copy(saas_data() / "current", tmp_path / "current")
    con = connect(Publisher(tmp_path).current().path)
    for table in con.execute(
        "select table_name from information_schema.tables where table_name like 'value_%'"
    ).fetchall():
        con.execute(f"drop table insight.{table[0]}")
    con.execute("drop table run.fits")
    con.close()
    with TestClient(create_app(tmp_path), base_url=LOOPBACK) as client:
        for path in PAGES:
            assert "evervalue run" in page(client, path)
