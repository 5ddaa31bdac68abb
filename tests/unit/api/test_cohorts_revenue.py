"""Cohorts and revenue over the API: what adds up, what leads to the rows behind it, and what cannot be asked."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from fastapi.testclient import TestClient

from evervalue.dashboard.app import create_app
from evervalue.pipeline.settings import read_project
from tests.support.projects import project, run_project
from tests.support.site import LOOPBACK

TOML = """
[project]
name = "Corner shop"
currency = "EUR"
[sources.sales]
path = "sales.csv"
[sources.sales.columns]
order_id = "order"
ordered_at = "date"
customer_id = "customer"
product_id = "sku"
product_name = "product"
region = "region"
amount = "amount"
margin = "margin"
discount = "discount"
[sources.sales.attributes]
industry = "industry"
[sources.sales.kinds]
return = { column = "amount", below = 0 }
"""
ROWS = """order,date,customer,sku,product,region,amount,margin,discount,industry
1,2022-11-30,ann,A,Apple,north,100,40,0,food
1,2022-11-30,ann,B,Beer,north,50,-5,0.2,food
2,2022-12-31,bob,A,Apple,south,30,12,0,food
3,2023-01-01,bob,B,Beer,,20,-2,0.2,food
4,2023-01-15,ann,A,Apple,north,-25,-10,0,food
5,2023-02-28,cat,A,Apples,north,70,28,0,toys
6,2023-03-01,dan,C,,south,-15,-6,0,toys
7,2022-10-01,bob,C,,south,-5,-2,0,food
8,2024-12-31,ann,A,Apples,south,200,80,,food
"""
DIMENSIONS = ("product", "region", "discount", "industry")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    folder = project(tmp_path_factory.mktemp("shop") / "shop", {"sales.csv": ROWS}, TOML, basis="margin")
    run_project(folder)
    with TestClient(create_app(read_project(folder).data_dir), base_url=LOOPBACK) as found:
        yield found


def data(client: TestClient, path: str, **asked: object) -> Any:
    response = client.get(f"/v1{path}?{urlencode(asked)}" if asked else f"/v1{path}")
    assert response.status_code == 200, response.text
    return response.json()["data"]


def added(rows: list[dict[str, Any]], column: str) -> Decimal:
    return sum((Decimal(row[column]) for row in rows), Decimal(0))


def test_the_shop_has_these_dimensions(shop: TestClient) -> None:
    found = {row["dimension"]: row for row in data(shop, "/revenue", part="dimensions")}
    assert tuple(found) == DIMENSIONS, "in the order of the page; what the data does not have is not offered"
    assert [row["is_attribute"] for row in found.values()] == [False, False, False, True]
    assert found["region"]["said_revenue"] == "405.0000"
    assert found["region"]["value_count"] == 2


@pytest.mark.parametrize("by", DIMENSIONS)
def test_every_dimension_adds_up_to_the_headline(shop: TestClient, by: str) -> None:
    headline, rows = data(shop, "/headline"), data(shop, "/revenue", by=by)
    for column in ("revenue", "margin"):
        assert added(rows, column) == Decimal(headline[column])
    assert added(rows, "returned") == Decimal(-45), "of customers without a sale too"
    assert added(rows, "sold") + added(rows, "returned") == Decimal(headline["revenue"])
    assert sum(row["lines"] for row in rows) == 9
    assert sum(row["revenue_share"] for row in rows) == pytest.approx(1)
    curve = data(shop, "/revenue", by=by, part="concentration")
    assert (curve[0]["revenue_share"], curve[100]["revenue"]) == (0, headline["revenue"])


@pytest.mark.parametrize("by", DIMENSIONS)
def test_a_value_leads_to_its_customers_months_and_lines(shop: TestClient, by: str) -> None:
    for row in data(shop, "/revenue", by=by):
        asked = {"by": by, "value": row["value"]}
        assert len(data(shop, "/customers", **asked)) == row["customers"], row
        lines = data(shop, "/revenue", part="lines", **asked)
        assert (len(lines), added(lines, "amount")) == (row["lines"], Decimal(row["revenue"]))
        months = data(shop, "/revenue", part="months", **asked)
        assert (added(months, "revenue"), len(months)) == (Decimal(row["revenue"]), 27)
        file = shop.get(f"/v1/revenue?{urlencode({**asked, 'part': 'lines', 'format': 'csv'})}")
        amounts = [Decimal(line["amount"]) for line in csv.DictReader(io.StringIO(file.text))]
        assert sum(amounts) == Decimal(row["revenue"])


def test_a_product_goes_by_its_key_and_its_latest_name(shop: TestClient) -> None:
    apple = data(shop, "/revenue", by="product")[0]
    assert (apple["value"], apple["name"], apple["orders"], apple["customers"]) == ("A", "Apples", 4, 3)
    assert apple["margin_rate"] == pytest.approx(150 / 375)
    assert apple["return_rate"] == pytest.approx(25 / 400)
    beer = next(row for row in data(shop, "/revenue", by="product", sort="margin") if row["value"] == "B")
    assert Decimal(beer["margin"]) == -7


def test_change_compares_two_periods_of_one_length(shop: TestClient) -> None:
    answer = shop.get("/v1/revenue?by=product").json()
    periods = answer["meta"]["periods"]
    assert (periods["compared_months"], periods["now_from"], periods["before_from"]) == (
        12,
        "2024-01-01",
        "2023-01-01",
    )
    apple = answer["data"][0]
    assert (apple["revenue_now"], apple["revenue_before"]) == ("200.0000", "45.0000")
    assert apple["change"] == pytest.approx(200 / 45 - 1)


def test_revenue_is_read_page_by_page(shop: TestClient) -> None:
    whole = data(shop, "/revenue", by="product", sort="name")
    pages: list[Any] = []
    cursor: str | None = ""
    while cursor is not None:
        answer = shop.get(f"/v1/revenue?by=product&sort=name&limit=1&after={cursor}").json()
        pages += answer["data"]
        cursor = answer["meta"]["next_cursor"]
    assert pages == whole
    assert [row["value"] for row in data(shop, "/revenue", by="product", q="APPLE")] == ["A"]


def test_revenue_without_a_dimension_is_by_month_as_ever(shop: TestClient) -> None:
    rows = data(shop, "/revenue")
    assert set(rows[0]) == {"month", "revenue", "margin", "orders", "customers"}
    assert added(rows, "revenue") == Decimal(data(shop, "/headline")["revenue"])


@pytest.mark.parametrize("by", ["month", "quarter", "year"])
def test_a_cell_leads_to_its_customers_and_orders(shop: TestClient, by: str) -> None:
    cells = [row for row in data(shop, "/cohorts", by=by) if row["orders"] or Decimal(row["revenue"])]
    assert cells
    for cell in cells:
        year, month = cell["cohort"][:4], int(cell["cohort"][5:7])
        cohort = {"month": cell["cohort"][:7], "quarter": f"{year}-Q{(month + 2) // 3}", "year": year}[by]
        found = data(shop, "/customers", cohort=cohort, age=cell["age"])
        assert len(found) == cell["active_customers"], cell
        assert len(data(shop, "/customers", cohort=cohort)) == cell["customers"]
        orders = data(shop, "/cohorts", part="orders", cohort=cohort, age=cell["age"])
        assert added(orders, "revenue") == Decimal(cell["revenue"])


def test_cohorts_keep_returns_and_leave_out_who_never_bought(shop: TestClient) -> None:
    """Bob took something back before his first sale, which counts with it; Dan never bought and is in no cohort."""
    sizes = data(shop, "/cohorts", by="month", part="sizes")
    assert sum(row["customers"] for row in sizes) == 3
    assert len(sizes) == 26, "months without a new customer are zeros"
    assert added(sizes, "revenue") == Decimal(data(shop, "/headline")["revenue"]) + 15
    december = [row for row in data(shop, "/cohorts", by="month") if row["cohort"] == "2022-12-01"]
    assert (december[0]["revenue"], december[1]["revenue"]) == ("25.0000", "20.0000")
    assert december[-1]["is_complete"], "the cutoff is the first day of a month"


def test_cells_that_are_not_complete_have_no_value(shop: TestClient) -> None:
    rows = data(shop, "/cohorts", by="year", measure="retention")
    assert {(row["cohort"], row["age"]): row["value"] for row in rows if row["cohort"] == "2023-01-01"} == {
        ("2023-01-01", 0): 1.0,
        ("2023-01-01", 1): None,
    }


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/cohorts?by=week", 422),
        ("/cohorts?cohort=2021-13&part=orders", 422),
        ("/cohorts?part=orders", 422),
        ("/cohorts?part=sizes&measure=revenue", 422),
        ("/customers?cohort=0000", 422),
        ("/customers?cohort=9999-12", 422),
        ("/customers?age=1", 422),
        ("/customers?cohort=2021&age=241", 422),
        ("/customers?value=A", 422),
        ("/revenue?by=colour", 400),
        ("/revenue?part=lines", 400),
        ("/revenue?by=product&part=lines&value=nothing", 404),
        ("/revenue?by=product&sort=colour", 400),
        ("/revenue?by=product&part=months&value=" + "x" * 2000, 422),
    ],
)
def test_what_cannot_be_asked_is_said(shop: TestClient, path: str, status: int) -> None:
    response = shop.get(f"/v1{path}")
    assert (response.status_code, response.headers["content-type"]) == (status, "application/problem+json")


@pytest.mark.parametrize("value", ["' or 1=1 --", "$value", "%", "A'; drop table x; --"])
def test_values_are_bound_and_never_run(shop: TestClient, value: str) -> None:
    assert data(shop, "/customers", by="product", value=value) == []
    assert data(shop, "/customers", by=value, value="A") == []


@pytest.mark.parametrize(
    ("path", "title"),
    [
        ("/revenue", "Apples brings 88% of the revenue, and 2 lose money"),
        ("/revenue?by=region&value=", "No region said: €20 revenue, 5% of all"),
        ("/revenue?by=product&value=C", "C: -€20 revenue"),
        ("/cohorts", "0% of customers order again in month 12 after their first"),
    ],
)
def test_the_title_is_a_finding(shop: TestClient, path: str, title: str) -> None:
    page = shop.get(path, headers={"accept-language": "en"})
    assert page.status_code == 200
    assert re.findall("<h1>(.*?)</h1>", page.text) == [title]


def test_one_month_of_data_has_no_finished_cell(tmp_path: Path) -> None:
    rows = "order,date,customer,amount\n1,2024-01-05,a,10\n2,2024-01-20,b,20\n"
    folder = project(tmp_path / "new", {"sales.csv": rows})
    run_project(folder)
    with TestClient(create_app(read_project(folder).data_dir), base_url=LOOPBACK) as client:
        cells = data(client, "/cohorts", measure="retention")
        assert [(row["customers"], row["value"]) for row in cells] == [(2, None)]
        assert "<h1>No customer has lived a whole month yet</h1>" in client.get("/cohorts").text
        assert data(client, "/revenue", part="dimensions") == []
        assert "<h1>The lines say nothing to part revenue by</h1>" in client.get("/revenue").text


def test_cohorts_of_hundreds_of_months_are_the_newest(tmp_path: Path) -> None:
    rows = "order,date,customer,amount\n1,1990-01-05,a,10\n2,2024-01-20,b,20\n3,2023-12-20,a,30\n"
    folder = project(tmp_path / "old", {"sales.csv": rows})
    run_project(folder)
    with TestClient(create_app(read_project(folder).data_dir), base_url=LOOPBACK) as client:
        assert {row["cohort"] for row in data(client, "/cohorts", by="month")} == {"2024-01-01"}
        years = data(client, "/cohorts", by="year", part="sizes")
        assert (len(years), years[-1]["cohort"]) == (35, "1990-01-01")
        assert client.get("/cohorts").status_code == 200


def test_a_filter_is_carried_on_by_the_page_it_leads_to(shop: TestClient) -> None:
    page = shop.get("/customers?by=product&value=A").text
    assert '<input type="hidden" name="by" value="product">' in page
    assert '<input type="hidden" name="value" value="A">' in page
    assert "/v1/customers?by=product&amp;value=A&amp;format=csv" in page
    says = shop.get("/v1/customers?by=product&value=A&cohort=2022&age=0").json()["meta"]["says"]
    assert says == "2 customers of 2022 who ordered in their first year, with product A"
