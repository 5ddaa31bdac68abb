"""Columns are guessed from names and cells, and the written settings load again."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evervalue.core.errors import MissingColumns
from evervalue.sources.file_source import FileSource, source_for_file
from evervalue.sources.guess import Proposal, guess
from evervalue.sources.settings import files_source
from evervalue.sources.toml_text import render_toml
from evervalue.warehouse.duckdb import connect

HEADER = "order,date,customer,amount\n"


def look(path: Path, name: str | None = None) -> Proposal:
    return guess(connect(), name or path.name, path.parent)


def source(path: Path, **given: Any) -> FileSource:
    return source_for_file(connect, path.name, base=path.parent, **given)


def written(tmp_path: Path, text: str, encoding: str = "utf-8") -> Path:
    path = tmp_path / "sales.csv"
    path.write_text(text, encoding=encoding)
    return path


def test_the_example_company(saas_sales: Path) -> None:
    proposal = look(saas_sales)
    assert proposal.columns == {
        "ordered_at": "Order Date", "customer_id": "Customer ID", "customer_name": "Customer", "order_id": "Order ID",
        "line_id": "Row ID", "amount": "Sales", "margin": "Profit", "quantity": "Quantity", "discount": "Discount",
        "product_name": "Product", "region": "Region", "country": "Country",
    }  # fmt: skip
    assert {k: g.column for k, g in proposal.attributes.items()} == {"industry": "Industry"}
    assert proposal.guesses["line_id"].says == "unique in every row"
    assert proposal.guesses["customer_id"].says == "99 distinct values, 1:1 with 'Customer'"
    assert proposal.guesses["order_id"].says == "5,009 distinct values, 2.0 lines each, each of one customer"
    assert proposal.date_format == ("%m/%d/%Y", "'1/13/2021'")
    assert proposal.monetary == "margin"
    assert proposal.lacks == []


def test_what_is_written_loads_again(saas_sales: Path) -> None:
    text = render_toml(look(saas_sales), "SaaS")
    settings = tomllib.loads(text)
    assert files_source("sales", settings["sources"]["sales"]).columns["margin"] == "Profit"
    assert settings["lrfm"] == {"monetary": "margin", "bins": 4, "ties": "share"}
    assert 'line_id = "Row ID"                          # unique in every row' in text
    assert "date_format = \"%m/%d/%Y\"                    # because of '1/13/2021'" in text


def test_online_retail(data_dir: Path) -> None:
    proposal = look(data_dir / "online_retail" / "online_retail_2010_2011.parquet")
    assert proposal.columns == {
        "ordered_at": "InvoiceDate", "customer_id": "CustomerID", "order_id": "InvoiceNo", "quantity": "Quantity",
        "unit_price": "UnitPrice", "product_id": "StockCode", "product_name": "Description", "country": "Country",
    }  # fmt: skip
    assert "135,080 empty (those rows go to quarantine)" in proposal.guesses["customer_id"].says
    assert proposal.kinds["cancellation"][0] == '{ column = "InvoiceNo", starts_with = "C" }'
    assert proposal.monetary == "revenue"
    loaded = files_source("sales", tomllib.loads(render_toml(proposal, "x"))["sources"]["sales"])
    assert loaded.kinds["cancellation"].starts_with == "C"


def test_complete_journey(data_dir: Path) -> None:
    proposal = look(data_dir / "complete_journey" / "transactions_w01_08.parquet")
    expected = {
        "ordered_at": "transaction_timestamp",
        "customer_id": "household_id",
        "order_id": "basket_id",
        "amount": "sales_value",
    }
    assert expected.items() <= proposal.columns.items()


def test_rfm_orders(data_dir: Path) -> None:
    proposal = look(data_dir / "rfm_reference" / "rfm_data_orders.csv.gz")
    assert proposal.columns == {"ordered_at": "order_date", "customer_id": "customer_id", "amount": "revenue"}


@pytest.mark.parametrize("name", ["cdnow_sample.csv", "cdnow_master.parquet", "CDNOW_master.txt.gz"])
def test_cdnow(shared_data: Callable[[str], Path], name: str) -> None:
    columns = look(shared_data("cdnow") / name).columns
    assert columns["ordered_at"] == "date"
    assert columns["customer_id"] in ("master_id", "customer_id")
    assert columns["amount"] in ("amount", "dollar_value")


def test_northwind_orders_lack_money_and_say_so(shared_data: Callable[[str], Path]) -> None:
    proposal = look(shared_data("northwind") / "orders.csv")
    assert proposal.lacks == ["amount"]
    text = render_toml(proposal, "Northwind")
    assert '# amount = "..."' in text
    assert "NEEDED: net revenue of the line" in text
    tomllib.loads(text)


def test_what_the_column_does_not_settle_is_left_to_the_user(tmp_path: Path) -> None:
    path = written(tmp_path, HEADER + '1,03/04/2022,a,"1.234"\n2,05/06/2022,b,"2.345"\n')
    proposal = look(path)
    text = render_toml(proposal, "x")
    assert '# date_format = "%d/%m/%Y"' in text
    assert "DECIDE: column 'date' (ordered_at) holds '03/04/2022', '05/06/2022', and no cell settles" in text
    assert '# decimal = ","' in text
    tomllib.loads(text)


def test_names_that_need_escaping(tmp_path: Path) -> None:
    path = written(tmp_path, '"Order ""No""",date,customer,amount\n1,2022-01-05,a,5.5\n1,2022-01-05,a,5.5\n')
    settings = tomllib.loads(render_toml(look(path), 'A "name"'))
    assert settings["project"]["name"] == 'A "name"'


def test_a_file_with_bad_rows_is_guessed_by_the_others(tmp_path: Path) -> None:
    rows = "1,2022-01-05,a,5.5\n2,soon,b,5.5\n3,2022-01-07,c,x\n"
    proposal = look(written(tmp_path, HEADER + rows))
    assert {"ordered_at": "date", "amount": "amount"}.items() <= proposal.columns.items()
    assert proposal.guesses["ordered_at"].says == "the only column of dates, in 67% of the cells"
    assert proposal.guesses["amount"].says == "numbers in 67% of the cells"


def test_orders_of_several_customers_are_left_out_where_they_are_many(tmp_path: Path) -> None:
    few = "".join(f"{i},2022-01-05,c{i},5.5\n" for i in range(50)) + "7,2022-01-05,other,5.5\n"
    assert "; 1 belong to several customers" in look(written(tmp_path, HEADER + few)).guesses["order_id"].says
    many = look(written(tmp_path, HEADER + "1,2022-01-05,a,5.5\n1,2022-01-05,b,5.5\n2,2022-01-05,a,5.5\n"))
    assert "order_id" not in many.columns
    assert '# order_id = "order"' in render_toml(many, "x")


def test_a_currency_sign_names_the_currency(tmp_path: Path) -> None:
    path = written(tmp_path, HEADER + "1,2022-01-05,a,€5.50\n2,2022-01-06,b,€7.25\n")
    assert tomllib.loads(render_toml(look(path), "x"))["project"]["currency"] == "EUR"


def test_a_long_file_is_judged_by_its_beginning(tmp_path: Path) -> None:
    row = "1,2022-01-05,customer with quite a long name to fill the file,5.5\n"
    path = written(tmp_path, HEADER + row * 210_000)
    proposal = look(path)
    assert not proposal.whole
    assert proposal.rows == 199_999
    assert "its first 199,999 rows" in render_toml(proposal, "x")


def test_the_source_of_a_file_with_everything_given(saas_sales: Path) -> None:
    found = source(saas_sales, customer="Customer", order="Order ID", date="Order Date", monetary="Profit")
    assert found.monetary == "margin"
    columns = found.source.columns
    assert (columns["customer_id"], columns["margin"], columns["amount"]) == ("Customer", "Profit", "Sales")
    assert "customer_name" not in columns
    assert "discount" not in columns
    assert not any(said.startswith(("customer_id", "ordered_at", "margin")) for said in found.says)


def test_the_source_of_a_file_with_nothing_given(saas_sales: Path) -> None:
    found = source(saas_sales)
    assert found.source.columns["customer_id"] == "Customer ID"
    assert found.monetary == "margin"
    assert "customer_id = 'Customer ID' (guessed: 99 distinct values, 1:1 with 'Customer')" in found.says


def test_money_that_is_not_profit_is_revenue(saas_sales: Path) -> None:
    found = source(saas_sales, monetary="Sales")
    assert found.monetary == "revenue"
    assert "margin" not in found.source.columns


def test_profit_alone_is_the_amount_and_losses_are_sales(tmp_path: Path) -> None:
    path = written(tmp_path, "order,date,customer,profit\n1,2022-01-05,a,5.5\n2,2022-01-05,b,-5.5\n")
    found = source(path, monetary="profit")
    assert found.monetary == "margin"
    assert found.source.columns["amount"] == found.source.columns["margin"] == "profit"
    assert found.source.kinds["sale"].starts_with == ""


def test_given_columns_that_are_not_there(saas_sales: Path) -> None:
    with pytest.raises(MissingColumns) as caught:
        source(saas_sales, customer="Custmer", monetary="Proft")
    assert "'Custmer' (--customer) (did you mean 'Customer'?)" in str(caught.value)
    assert "'Proft' (--monetary) (did you mean 'Profit'?)" in str(caught.value)


def test_columns_that_cannot_be_guessed_name_the_option(tmp_path: Path) -> None:
    path = written(tmp_path, "x,y\n1,2\n")
    with pytest.raises(MissingColumns, match=r"--date.*--customer.*--monetary.*it has x, y"):
        source(path)


def test_a_guess_that_is_not_needed_does_not_stop_the_scores(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "order,date,customer,amount,quantity,discount\n1,2022-01-05,a,5.5,1.234,1.234\n2,2022-01-05,b,5.5,2.345,1.234\n",
    )
    assert {"quantity", "discount"}.isdisjoint(source(path).source.columns)


def test_the_name_of_a_column_adds_no_setting(tmp_path: Path) -> None:
    """Whoever sends a file may not write into the settings that are made of it."""
    evil = 'Name\n[server.oidc]\nissuer = "https://evil.example"\nclient_id = "x"\ndefault_role = "admin"\n#'
    quoted_name = evil.replace('"', '""')
    (tmp_path / "sales.csv").write_text(
        f'Order ID,Order Date,"{quoted_name}",Amount\n1,2024-01-02,a,10.5\n2,2024-01-03,b,11.5\n'
    )
    con = connect(temp_directory=tmp_path)
    text = render_toml(guess(con, "sales.csv", tmp_path), "Shop")
    assert "[server" not in [line.strip()[:7] for line in text.splitlines()]
    assert "server" not in tomllib.loads(text)
