"""Cohorts agree with plain Python over the file, on the SaaS example and on CDNOW's cohort of early 1997."""

from __future__ import annotations

import csv
import datetime as dt
import shutil
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from evervalue.api.app import create_app
from evervalue.pipeline.settings import read_project
from tests.support.plain_cohorts import Line, month_number, plain_cohorts
from tests.support.projects import SAAS, project, run_project
from tests.support.site import LOOPBACK, saas_data

CDNOW = """
[project]
name = "CDNOW"
currency = "USD"
[sources.sales]
path = "cdnow_sample.csv"
duplicates = "keep"
[sources.sales.columns]
ordered_at = "date"
customer_id = "master_id"
amount = "amount"
"""


def saas_lines() -> list[Line]:
    with (SAAS / "SaaS-Sales.csv").open(encoding="utf-8-sig", newline="") as file:
        return [
            Line(
                row["Customer ID"],
                row["Order ID"],
                dt.datetime.strptime(row["Order Date"], "%m/%d/%Y").date(),
                Decimal(row["Sales"]),
                Decimal(row["Profit"]),
            )
            for row in csv.DictReader(file)
        ]


def asked(data: Path, address: str) -> Any:
    with TestClient(create_app(data), base_url=LOOPBACK) as client:
        response = client.get(address)
        assert response.status_code == 200, response.text
        return response.json()["data"]


@pytest.mark.parametrize("by", ["month", "quarter", "year"])
def test_saas(by: str) -> None:
    lines = saas_lines()
    sizes, cells = plain_cohorts(lines, by)
    found = asked(saas_data(), f"/v1/cohorts?by={by}")
    assert {dt.date.fromisoformat(row["cohort"]) for row in found} == set(sizes)
    unit, cutoff = {"month": 1, "quarter": 3, "year": 12}[by], month_number(dt.date(2024, 1, 1))
    revenue: dict[str, Decimal] = {}
    for row in found:
        cohort = dt.date.fromisoformat(row["cohort"])
        size, cell = sizes[cohort], cells.pop((cohort, row["age"]), None)
        assert row["customers"] == size
        assert row["active_customers"] == (len(cell.active) if cell else 0)
        assert row["retention"] == row["active_customers"] / size
        assert row["orders"] == (len(cell.orders) if cell else 0)
        assert Decimal(row["revenue"]) == (cell.revenue if cell else 0)
        assert Decimal(row["margin"]) == (cell.margin if cell else 0)
        revenue[row["cohort"]] = revenue.get(row["cohort"], Decimal(0)) + Decimal(row["revenue"])
        assert Decimal(row["cumulative_revenue"]) == revenue[row["cohort"]]
        assert abs(Decimal(row["mean_revenue"]) - revenue[row["cohort"]] / size) <= Decimal("0.00005")
        youngest = month_number(cohort) + unit - 1
        assert row["is_complete"] == (youngest + (row["age"] + 1) * unit <= cutoff)
    assert cells == {}, "every sale is in a cell"
    assert sum(revenue.values()) == sum(line.amount for line in lines)


def test_curves_compare_at_equal_age() -> None:
    """Of the year's curve: all customers in the same month of their own age, and no age that some have not lived."""
    _, cells = plain_cohorts(saas_lines(), "month")
    found = asked(saas_data(), "/v1/cohorts?by=year&part=curves")
    together: dict[int, Decimal] = {}
    for (_, age), cell in cells.items():
        together[age] = together.get(age, Decimal(0)) + cell.margin
    assert [row["age_months"] for row in found] == list(range(40)), (
        "September 2020 has 40 whole months before 2024"
    )
    total = Decimal(0)
    for row in found:
        total += together[row["age_months"]]
        assert row["customers"] == 99
        assert abs(Decimal(row["mean_margin"]) - total / 99) <= Decimal("0.00005")
        active = set().union(*(c.active for (_, age), c in cells.items() if age == row["age_months"]))
        assert row["retention"] == len(active) / 99


def test_cdnow(tmp_path: Path, shared_data: Callable[[str], Path]) -> None:
    """The published sample: 2,357 customers whose first purchase was in the first quarter of 1997."""
    source = shared_data("cdnow") / "cdnow_sample.csv"
    folder = project(tmp_path / "cdnow", {}, CDNOW)
    shutil.copy(source, folder / "cdnow_sample.csv")
    run_project(folder)
    data = read_project(folder).data_dir
    with source.open(newline="") as file:
        lines = [
            Line(
                row["master_id"],
                f"{row['date']} {place}",
                dt.datetime.strptime(row["date"].replace("-", ""), "%Y%m%d").date(),
                Decimal(row["amount"]),
            )
            for place, row in enumerate(csv.DictReader(file))
        ]
    quarters = [row for row in asked(data, "/v1/cohorts?by=quarter&part=sizes") if row["customers"]]
    assert [(row["cohort"], row["customers"]) for row in quarters] == [("1997-01-01", 2357)]
    sizes, cells = plain_cohorts(lines, "month")
    assert len(sizes) == 3
    for row in asked(data, "/v1/cohorts?by=month"):
        cohort = dt.date.fromisoformat(row["cohort"])
        cell = cells.pop((cohort, row["age"]), None)
        assert (row["customers"], row["active_customers"]) == (sizes[cohort], len(cell.active) if cell else 0)
        assert Decimal(row["revenue"]) == (cell.revenue if cell else 0)
    assert cells == {}
