"""Models: the routes give the models' own tables, and the card says what they say."""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from evervalue.api.queries.models import PARTS
from evervalue.models.papers import PAPERS
from evervalue.models.purchase_models import MODELS
from evervalue.pipeline.backtest import SPENDS
from evervalue.warehouse.duckdb import Connection, connect
from evervalue.warehouse.publish import Publisher
from tests.support.site import saas_data

TABLES = {
    "fits": "models.fits",
    "backtest": "models.backtest",
    "calibration": "models.backtest_deciles",
    "parameters": "models.parameters",
}


@pytest.fixture(scope="module")
def con(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    """The published tables, asked beside the server: of a copy, as one process opens a file once."""
    file = tmp_path_factory.mktemp("asked") / "snapshot.duckdb"
    shutil.copy(Publisher(saas_data()).current().path, file)
    opened = connect(file, read_only=True)
    yield opened
    opened.close()


def answer(client: TestClient, path: str) -> Any:
    response = client.get(path)
    assert response.status_code == 200, response.text
    return response.json()["data"]


@pytest.mark.parametrize("part", PARTS)
def test_files_hold_what_the_answer_holds(client: TestClient, part: str) -> None:
    rows = answer(client, f"/v1/models?part={part}")
    told = list(
        csv.DictReader(
            io.StringIO(client.get(f"/v1/models?part={part}&format=csv").text.removeprefix("\ufeff"))
        )
    )
    assert len(told) == len(rows) > 0
    assert list(told[0]) == list(rows[0])
    tag = client.get(f"/v1/models?part={part}").headers["etag"]
    assert client.get(f"/v1/models?part={part}", headers={"If-None-Match": tag}).status_code == 304


@pytest.mark.parametrize(("part", "table"), TABLES.items())
def test_every_row_of_the_table_is_there(client: TestClient, con: Connection, part: str, table: str) -> None:
    assert con.execute(f"select count(*) from {table}").fetchone() == (
        len(answer(client, f"/v1/models?part={part}")),
    )


def test_every_measure_is_that_of_the_backtest(client: TestClient, con: Connection) -> None:
    told = {
        (row["target"], row["origin"], row["customers"], row["model"], row["measure"]): row["value"]
        for row in answer(client, "/v1/models?part=backtest")
    }
    for *key, value in con.execute(
        "select target, origin::text, customers, model, measure, value from models.backtest where isfinite(value)"
    ).fetchall():
        assert told[tuple(key)] == value
    for row in answer(client, "/v1/models?part=coverage"):
        where = [row["target"], row["origin"], row["customers"], row["model"]]
        assert told[(*where, "coverage")] == row["coverage"]
        assert told[(*where, "interval_mass")] == row["interval_mass"]


def test_the_chosen_model_is_the_fitted_one(client: TestClient) -> None:
    (orders,) = [fit for fit in answer(client, "/v1/models") if fit["role"] == "orders"]
    for part in ("backtest", "calibration", "coverage"):
        chosen = {row["model"] for row in answer(client, f"/v1/models?part={part}") if row["is_chosen"]}
        assert chosen == {orders["model_key"]}


def test_the_card_says_what_the_tables_say(client: TestClient) -> None:
    card = answer(client, "/v1/models/card")
    fits = {fit["role"]: fit for fit in answer(client, "/v1/models")}
    assert {model["role"]: model["data_sha256"] for model in card["models"]} == {
        role: fit["data_sha256"] for role, fit in fits.items()
    }
    headline = answer(client, "/v1/clv")
    assert card["total"]["expected_clv"] == headline["expected_clv"]
    assert card["asked"]["horizon_days"] == 365
    assert card["backtest"]["origins"] == 3
    assert card["run"]["versions"]["evervalue"]
    parameters = {
        (r["role"], r["parameter"]): r["estimate"] for r in answer(client, "/v1/models?part=parameters")
    }
    assert {
        (model["role"], row["parameter"]): row["estimate"]
        for model in card["models"]
        for row in model["parameters"]
    } == parameters


def test_the_card_can_be_kept(client: TestClient) -> None:
    response = client.get("/v1/models/card?format=md")
    assert response.headers["content-type"].startswith("text/markdown")
    assert "attachment" in response.headers["content-disposition"]
    assert response.text.startswith("# Model card: SaaS example\n")
    for said in (
        "Batislam, Denizel and Filiztekin (2007)",
        "| alpha |",
        "## Tested on the past",
        "What it cannot do",
    ):
        assert said in response.text
    assert "None" not in response.text
    assert (
        client.get("/v1/models/card", headers={"If-None-Match": response.headers["etag"]}).status_code == 200
    )
    tagged = client.get("/v1/models/card?format=md", headers={"If-None-Match": response.headers["etag"]})
    assert tagged.status_code == 304


def test_every_model_that_a_run_can_choose_has_its_paper() -> None:
    assert {*MODELS, *SPENDS} <= set(PAPERS)


@pytest.mark.parametrize("path", ["/v1/models?part=opinions", "/v1/models/card?format=pdf"])
def test_what_cannot_be_asked_is_refused(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 422


def test_the_description_names_every_part(client: TestClient) -> None:
    paths = client.get("/v1/openapi.json").json()["paths"]
    for path in ("/v1/clv", "/v1/clv/customers", "/v1/models", "/v1/models/card"):
        schema = paths[path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        assert schema["properties"]["data"]
    parts = paths["/v1/models"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    assert len(parts["properties"]["data"]["anyOf"]) == len(PARTS)
