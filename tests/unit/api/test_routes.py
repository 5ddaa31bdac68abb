"""The routes give the study's numbers, in one shape, to the last digit."""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from fastapi.testclient import TestClient

from evervalue.api.app import create_app
from evervalue.api.cursor import Cursor
from evervalue.pipeline.settings import read_project
from tests.support.projects import project, run_project
from tests.support.site import LOOPBACK, revenue_data

TOP10 = Path(__file__).parents[2] / "data" / "saas_top10.csv"
META = {"run_id", "as_of", "currency", "sql", "parameters", "seconds"}


def answer(client: TestClient, path: str) -> Any:
    response = client.get(path)
    assert response.status_code == 200, response.text
    body = response.json()
    assert set(body) == {"data", "meta"}
    assert set(body["meta"]) >= META
    assert body["meta"]["as_of"] == "2024-01-01"
    return body["data"]


def test_the_headline(client: TestClient) -> None:
    found = answer(client, "/v1/headline")
    assert (found["high_value"], found["mid_value"], found["low_value"]) == (14, 43, 42)
    assert (found["top10_mid"], found["top20_mid"], found["gems"]) == (5, 11, 14)
    assert found["monetary"] == "286397.0217"
    assert found["revenue"] == "2297200.8603"


def test_the_top_ten_are_the_published_ones_to_the_last_digit(client: TestClient) -> None:
    found = answer(client, "/v1/customers?limit=10")
    with TOP10.open(newline="") as file:
        published = list(csv.DictReader(file))
    assert [{name: str(row[name]) for name in published[0]} for row in found] == published


def test_lrfm_fields_are_those_that_were_promised(client: TestClient) -> None:
    promised = [
        "customer",
        "length_days",
        "recency_days",
        "frequency",
        "monetary",
        "l_score",
        "r_score",
        "f_score",
        "m_score",
        "lrfm_score",
        "customer_value",
    ]
    assert set(promised) <= set(answer(client, "/v1/customers?limit=1")[0])
    assert set(promised) - {"customer_value"} <= set(answer(client, "/v1/gems?limit=1")[0])


def test_gems_carry_reason_action_and_step(client: TestClient) -> None:
    found = answer(client, "/v1/gems")
    assert len(found) == 14
    by_name = {row["customer"]: row for row in found}
    assert by_name["Siemens"]["action"] == "account_management"
    assert by_name["Walt Disney"]["action"] == "reactivate"
    assert by_name["Coca-Cola"]["action"] == "loyalty"
    assert by_name["Valero Energy"]["orders_to_high"] == 1
    assert by_name["Bank of America Corp."]["orders_to_high"] is None
    assert all(row["reason"] and row["action_says"] for row in found)
    assert {row["customer"] for row in answer(client, "/v1/gems?action=loyalty")} == {
        "Coca-Cola",
        "Trafigura Group",
    }


def pages_hold_every_row_once(client: TestClient, sort: str, rows: int, limit: int) -> None:
    everyone = client.get("/v1/customers", params={"limit": 1000, "sort": sort}).json()["data"]
    whole = [row["customer_id"] for row in everyone]
    assert len(set(whole)) == rows
    asked: dict[str, str | int] = {"limit": limit, "sort": sort}
    seen: list[str] = []
    cursor = ""
    while True:
        page = client.get("/v1/customers", params={**asked, "after": cursor}).json()
        seen += [row["customer_id"] for row in page["data"]]
        if page["meta"]["next_cursor"] is None:
            break
        cursor = page["meta"]["next_cursor"]
    assert seen == whole
    back = [row["customer_id"] for row in page["data"]]
    while page["meta"]["previous_cursor"]:
        cursor = page["meta"]["previous_cursor"]
        page = client.get("/v1/customers", params={**asked, "before": cursor}).json()
        back = [row["customer_id"] for row in page["data"]] + back
    assert back == whole


@pytest.mark.parametrize(
    "sort", ["monetary", "customer", "region", "lrfm_score", "l_score", "last_order_date"]
)
@pytest.mark.parametrize("way", ["", "-"])
def test_pages_hold_every_row_once_in_order_forth_and_back(client: TestClient, sort: str, way: str) -> None:
    pages_hold_every_row_once(client, way + sort, 99, 20)


@pytest.fixture(scope="module")
def long_names(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A shop whose customers' names, which are their keys, are 3000 characters long and end differently."""
    rows = ["order,date,customer,amount"]
    rows += [f"{n},2024-01-{n % 28 + 1:02},{'Ñ' * 3000}{n:03},{10 + n}" for n in range(1, 25)]
    toml = """
[project]
name = "Long names"
currency = "EUR"
[sources.sales]
path = "sales.csv"
[sources.sales.columns]
order_id = "order"
ordered_at = "date"
customer_name = "customer"
amount = "amount"
"""
    folder = tmp_path_factory.mktemp("long") / "project"
    run_project(project(folder, {"sales.csv": "\n".join(rows) + "\n"}, toml))
    data = read_project(folder).data_dir
    with TestClient(create_app(data), base_url=LOOPBACK, raise_server_exceptions=False) as found:
        yield found


@pytest.mark.parametrize("sort", ["customer", "-customer", "-monetary", "monetary", "region", "-l_score"])
def test_very_long_names_are_paged_too(long_names: TestClient, sort: str) -> None:
    pages_hold_every_row_once(long_names, sort, 24, 5)


def test_a_cursor_whose_row_is_gone_is_refused(long_names: TestClient) -> None:
    gone = Cursor("customer", "x" * 3000, "x" * 3000, 3).encode()
    assert long_names.get("/v1/customers", params={"sort": "customer", "after": gone}).status_code == 400


def test_filters_are_joined_and_said(client: TestClient) -> None:
    body = client.get("/v1/customers?tier=mid&tier=high&region=EMEA&q=a&limit=1000").json()
    assert (
        body["meta"]["says"] == f"{len(body['data'])} Mid-Value or High-Value customers in EMEA matching “a”"
    )
    assert body["meta"]["total"] == len(body["data"]) > 5
    for row in body["data"]:
        assert row["customer_value"] in ("Mid-Value", "High-Value")
        assert row["region"] == "EMEA"
        assert "a" in (row["customer"] + row["customer_id"]).lower()


def test_search_takes_wildcards_literally(client: TestClient) -> None:
    for text in ("%", "_", "\\", "'", "';--", "&amp;"):
        assert client.get("/v1/customers", params={"q": text}).json()["data"] == []
    assert client.get("/v1/customers", params={"q": "at&t"}).json()["data"][0]["customer"] == "AT&T"


def test_one_customer_is_whole(client: TestClient) -> None:
    found = answer(client, "/v1/customers/1093")
    assert found["customer"] == "Valero Energy"
    assert found["gem"]["points_to_high"] == 3
    assert found["what_if"][0]["orders_added"] == 1
    assert found["orders"][0]["order_date"] == "2023-12-16"
    latest = {row["attribute"]: row["value"] for row in found["attributes_history"] if row["is_latest"]}
    assert latest["industry"] == "Energy"
    orders = answer(client, "/v1/customers/1093?part=orders")
    assert len(orders) == 58
    assert len(answer(client, "/v1/customers/1093?part=months")) == 48


PREDICTED = (
    "p_alive", "expected_orders", "orders_low", "orders_high", "expected_order_value", "expected_clv", "clv_low",
    "clv_high",
)  # fmt: skip
ASKED = ("interval", "horizon_days", "discount_rate_annual", "model", "model_says")


def test_a_customer_carries_the_whole_prediction_and_why(client: TestClient) -> None:
    found = answer(client, "/v1/customers/1093")
    (told,) = answer(client, "/v1/customers/1093?part=value")
    assert {name: found[name] for name in (*PREDICTED, *ASKED)} == {
        name: told[name] for name in (*PREDICTED, *ASKED)
    }
    assert found["orders_low"] <= found["expected_orders"] <= found["orders_high"]
    assert (found["interval"], found["horizon_days"]) == (0.9, 365)
    assert "CRPS" in found["model_says"]
    head, row = client.get("/v1/customers/1093?format=csv").text.splitlines()[:2]
    assert {*PREDICTED, *ASKED} <= set(head.split(","))
    assert "Valero Energy" in row


def test_the_list_carries_the_prediction_of_each_and_says_once_how_it_was_made(client: TestClient) -> None:
    body = client.get("/v1/customers?limit=3").json()
    for row in body["data"]:
        (told,) = answer(client, f"/v1/customers/{row['customer_id']}?part=value")
        assert {name: row[name] for name in PREDICTED} == {name: told[name] for name in PREDICTED}
        assert body["meta"]["prediction"] == {name: told[name] for name in ASKED}
    assert set(PREDICTED) <= set(client.get("/v1/customers?format=csv").text.splitlines()[0].split(","))


def test_the_description_of_the_api_says_what_every_field_of_a_customer_is(client: TestClient) -> None:
    described = client.get("/v1/openapi.json").json()

    def fields(path: str) -> Any:
        shape = described["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        return shape["properties"]["data"]

    one = fields("/v1/customers/{customer_id}")["anyOf"][0]["properties"]
    found = answer(client, "/v1/customers/1093")
    assert set(one) == set(found)
    assert all(field["description"] for field in one.values())
    assert "purchase day" in one["expected_order_value"]["description"]
    assert one["expected_clv"]["type"] == ["string", "null"]  # money is text, so that no digit is lost
    assert one["interval"]["type"] == ["number", "null"]
    for path in ("/v1/customers", "/v1/gems"):
        each = fields(path)["items"]["properties"]
        assert set(each) == set(answer(client, f"{path}?limit=1")[0])
        assert all(field["description"] for field in each.values())


def test_segments_have_parts(client: TestClient) -> None:
    assert [row["customer_value"] for row in answer(client, "/v1/segments")] == [
        "High-Value",
        "Mid-Value",
        "Low-Value",
    ]
    tops = answer(client, "/v1/segments?part=concentration")
    assert next(r for r in tops if (r["top_n"], r["customer_value"]) == (20, "Mid-Value"))["customers"] == 11
    assert len(answer(client, "/v1/segments?part=lorenz")) == 101
    grid = answer(client, "/v1/segments?part=scores")
    assert sum(r["customers"] for r in grid if (r["x_dimension"], r["y_dimension"]) == ("R", "F")) == 99


def test_months_and_the_run(client: TestClient) -> None:
    assert len(answer(client, "/v1/revenue")) == 48
    assert answer(client, "/v1/runs/current")["currency"] == "USD"
    source = answer(client, "/v1/runs/current?part=sources")[0]
    assert (source["rows_read"], source["rows_stored"], source["amount_unexplained"]) == (
        9994,
        9994,
        "0.0000",
    )
    tables = {row["table_name"]: row for row in answer(client, "/v1/runs/current?part=tables")}
    assert "lrfm_score" in tables["customers.lrfm"]["sql"]


ROUTES = [
    "/v1/headline",
    "/v1/revenue",
    "/v1/segments",
    "/v1/segments?part=scores",
    "/v1/gems",
    "/v1/customers",
    "/v1/customers/1093",
    "/v1/customers/1093?part=orders",
    "/v1/runs/current",
    "/v1/runs/current?part=tables",
]


@pytest.mark.parametrize("path", ROUTES)
def test_every_answer_comes_as_csv_with_the_same_values(client: TestClient, path: str) -> None:
    data = client.get(path).json()["data"]
    response = client.get(path + ("&" if "?" in path else "?") + "format=csv")
    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    assert "attachment" in response.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(response.text)))
    first = data[0] if isinstance(data, list) else data
    if isinstance(data, list) and len(data) < 50:
        assert len(rows) == len(data)
    for name, text in rows[0].items():
        value = first[name]
        if isinstance(value, str | int) and not isinstance(value, bool):
            assert text.removeprefix("'") == str(value)


@pytest.mark.parametrize("path", ROUTES)
def test_every_answer_comes_as_a_workbook_with_the_same_values(client: TestClient, path: str) -> None:
    data = client.get(path).json()["data"]
    response = client.get(path + ("&" if "?" in path else "?") + "format=xlsx")
    assert response.headers["content-disposition"].endswith('.xlsx"')
    sheet = openpyxl.load_workbook(io.BytesIO(response.content)).active
    assert sheet is not None
    head, first = [[cell.value for cell in row] for row in sheet.iter_rows(min_row=1, max_row=2)]
    expected = data[0] if isinstance(data, list) else data
    for name, value in zip(head, first, strict=True):
        wanted = expected[str(name)]
        if isinstance(value, dt.datetime):
            assert value.date().isoformat() == wanted
        elif isinstance(value, int | float) and not isinstance(value, bool):
            assert float(value) == pytest.approx(float(wanted), rel=1e-12)
        else:
            assert value == wanted or (value is None and wanted in (None, ""))


def test_a_workbook_holds_no_formula() -> None:
    with TestClient(create_app(revenue_data()), base_url=LOOPBACK) as client:
        body = client.get("/v1/customers?format=xlsx").content
    sheet = openpyxl.load_workbook(io.BytesIO(body)).active
    assert sheet is not None
    cells = [cell for row in sheet.iter_rows() for cell in row]
    assert "=cmd|' /C calc'!A0" in [cell.value for cell in cells]
    assert {cell.data_type for cell in cells} <= {"s", "n", "d", "b", "inlineStr"}


@pytest.mark.parametrize("path", ROUTES)
def test_a_held_answer_is_not_sent_again(client: TestClient, path: str) -> None:
    tag = client.get(path).headers["etag"]
    assert client.get(path, headers={"If-None-Match": tag}).status_code == 304
    assert client.get(path, headers={"If-None-Match": '"another"'}).status_code == 200
    other = client.get(path + ("&" if "?" in path else "?") + "format=csv").headers["etag"]
    assert other != tag


def test_cells_that_a_spreadsheet_would_run_are_made_safe() -> None:
    with TestClient(create_app(revenue_data()), base_url=LOOPBACK) as client:
        text = client.get("/v1/customers?format=csv&sort=customer").text
    names = [row["customer"] for row in csv.DictReader(io.StringIO(text))]
    assert "'=cmd|' /C calc'!A0" in names
    assert "Plain" in names
