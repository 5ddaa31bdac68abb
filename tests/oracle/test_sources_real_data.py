"""Real files: every line and every cent of them is where the sources say it is."""

from __future__ import annotations

import csv
import tomllib
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from evervalue.warehouse.duckdb import connect
from tests.support.sources import Warehouse


def project(folder: Path) -> dict[str, Any]:
    """The settings of a project in `folder`."""
    return tomllib.loads((folder / "evervalue.toml").read_text(encoding="utf-8"))


def test_the_example_company_to_the_last_digit(saas_sales: Path) -> None:
    settings = project(saas_sales.parent)
    warehouse = Warehouse(saas_sales.parent)
    warehouse.load_all(settings["sources"])
    with saas_sales.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    expected = [
        (
            int(r["Row ID"]),
            r["Order ID"],
            r["Customer ID"],
            Decimal(r["Sales"]),
            Decimal(r["Profit"]),
            Decimal(r["Quantity"]),
        )
        for r in rows
    ]
    found = warehouse.mapped("line, order_id, customer_id, amount, margin, quantity")
    assert found == expected
    month, day, year = rows[0]["Order Date"].split("/")
    assert warehouse.mapped("order_date::text")[0] == (f"{year}-{int(month):02}-{int(day):02}",)
    totals = (
        "rows_read, rows_mapped, rows_quarantined, amount_read::text, amount_mapped::text, "
        "margin_read::text, margin_mapped::text"
    )
    assert warehouse.rows(f"select {totals} from mapped.source_totals") == [
        (9994, 9994, 0, "2297200.8603", "2297200.8603", "286397.0217", "286397.0217")
    ]


def online_retail(folder: Path, warehouse: Warehouse, path: str) -> None:
    """Load Online Retail from a file and account for every line, by the file itself."""
    settings = project(folder)["sources"]["invoices"]
    report = warehouse.load_all({"invoices": {**settings, "path": path}}, time_zone="Europe/London").sources[
        "invoices"
    ]
    assert (report.rows_read, report.rows_mapped) == (541_909, 406_829)
    assert report.quarantined == {"missing_customer": 135_080}
    there = f"read_parquet('{folder}/online_retail_2010_2011.parquet', file_row_number = true)"
    amount = "(p.Quantity::decimal(18,4) * (p.UnitPrice::varchar)::decimal(20,10))::decimal(18,4)"
    assert warehouse.rows(
        "select amount_read, amount_mapped, amount_quarantined from mapped.source_totals"
    ) == warehouse.rows(
        f"select sum({amount}), sum({amount}) filter (CustomerID is not null), sum({amount}) filter "
        f"(CustomerID is null) from {there} as p"
    )
    differing = warehouse.rows(
        f"select count(*) from mapped.order_lines as m full join (select * from {there} where CustomerID "
        "is not null) as p "
        "on m.line = p.file_row_number + 1 where m.order_id is distinct from p.InvoiceNo or m.amount is "
        f"distinct from {amount} "
        "or m.customer_id is distinct from p.CustomerID::varchar or m.order_date is distinct from p.InvoiceDate::date "
        "or m.quantity is distinct from p.Quantity or m.product_id is distinct from trim(p.StockCode)"
    )
    assert differing == [(0,)]
    assert dict(warehouse.rows("select kind, count(*) from mapped.order_lines group by kind")) == {
        "sale": 397_924,
        "cancellation": 8_905,
    }


@pytest.mark.slow
def test_online_retail_from_parquet(data_dir: Path) -> None:
    folder = data_dir / "online_retail"
    online_retail(folder, Warehouse(folder), "online_retail_2010_2011.parquet")


@pytest.mark.slow
def test_online_retail_from_text(data_dir: Path, tmp_path: Path) -> None:
    folder = data_dir / "online_retail"
    con = connect()
    con.execute(
        "copy (select * replace (strftime(InvoiceDate, '%-m/%-d/%Y %-H:%M') as InvoiceDate) from "
        f"'{folder}/online_retail_2010_2011.parquet') "
        f"to '{tmp_path}/retail.csv' (header)"
    )
    online_retail(folder, Warehouse(tmp_path), "retail.csv")


def test_complete_journey(data_dir: Path) -> None:
    folder = data_dir / "complete_journey"
    warehouse = Warehouse(folder)
    report = warehouse.load_all(project(folder)["sources"]).sources["baskets"]
    counted = warehouse.rows(
        f"select count(*), sum((sales_value::varchar)::decimal(18,4)) from '{folder}/transactions_w01_08.parquet'"
    )
    assert [(report.rows_read, warehouse.rows("select sum(amount) from mapped.order_lines")[0][0])] == counted
    assert report.rows_quarantined == 0


def test_rfm_orders(data_dir: Path) -> None:
    folder = data_dir / "rfm_reference"
    warehouse = Warehouse(folder)
    report = warehouse.load_all(project(folder)["sources"]).sources["orders"]
    assert (report.rows_read, report.rows_mapped) == (4_906, 4_906)
    assert (
        warehouse.rows(
            "select count(distinct customer_id), min(order_date)::text, max(order_date)::text from mapped.order_lines"
        )[0][0]
        == 995
    )


@pytest.mark.parametrize("name", ["CDNOW_master.txt.gz", "cdnow_master.parquet"])
def test_cdnow_from_text_and_from_parquet(shared_data: Callable[[str], Path], name: str) -> None:
    folder = shared_data("cdnow")
    warehouse = Warehouse(folder)
    amount, quantity = ("dollar_value", "number_of_cds") if name.endswith("gz") else ("amount", "n_cds")
    columns = {"ordered_at": "date", "customer_id": "customer_id", "amount": amount, "quantity": quantity}
    report = warehouse.load_all({"cds": {"path": name, "columns": columns}})
    assert report.sources["cds"].rows_mapped == 69_659
    assert "255 lines repeat another line" in report.warnings[0]
    assert warehouse.rows(
        "select sum(amount)::text, min(order_date)::text, max(order_date)::text, count(*) filter (amount = "
        "0) from mapped.order_lines"
    ) == [("2500315.6300", "1997-01-01", "1998-06-30", 80)]


def test_northwind_customers(shared_data: Callable[[str], Path]) -> None:
    warehouse = Warehouse(shared_data("northwind"))
    source = {
        "path": "customers.csv",
        "provides": "customers",
        "columns": {"customer_id": "CustomerID", "customer_name": "CompanyName"},
        "attributes": {"country": "Country"},
    }
    assert warehouse.load_all({"people": source}).sources["people"].rows_mapped == 93
    assert warehouse.rows("select customer_name from mapped.customers where customer_id = 'ANATR'") == [
        ("Ana Trujillo Emparedados y helados",)
    ]
