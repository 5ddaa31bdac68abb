"""Systems of several tables: lookups, rows set aside, made columns, signs and units; only changed rows are mapped."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from evervalue.core.errors import InputError, MissingColumns, SettingsError
from evervalue.sources.systems import system
from tests.support.sources import Warehouse

ORDERS = "OrderID,CustomerID,OrderDate,Status\n1,a,2024-01-01,Won\n2,b,2024-01-02,Lost\n3,a,2024-01-03,won\n"
LINES = "OrderID,Product,Qty,Price\n1,x,2,10.50\n1,y,1,4.00\n2,x,1,10.50\n3,z,3,1.10\n9,x,1,1.00\n"
CUSTOMERS = "CustomerID,First,Last\na,Ada,Lovelace\nb,Bob,\n"

SHOP: dict[str, Any] = {
    "tables": {
        "orders": {"path": "orders.csv"},
        "lines": {"path": "lines.csv"},
        "people": {"path": "people.csv"},
    },
    "outputs": {
        "lines": {
            "from": "lines",
            "lookups": {"orders": {"OrderID": "OrderID"}, "people": {"orders.CustomerID": "CustomerID"}},
            "only": {"column": "orders.Status", "in": ["Won"]},
            "columns": {
                "order_id": "OrderID",
                "ordered_at": "orders.OrderDate",
                "customer_id": "orders.CustomerID",
                "customer_name": ["people.First", "people.Last"],
                "product_id": "Product",
                "quantity": "Qty",
                "unit_price": {"any_of": ["UnitPrice", "Price"]},
            },
            "attributes": {"status": "orders.Status"},
        },
        "people": {"provides": "customers", "from": "people", "columns": {"customer_id": "CustomerID"}},
    },
}


@pytest.fixture
def shop(tmp_path: Path) -> Warehouse:
    warehouse = Warehouse(tmp_path)
    warehouse.write(ORDERS, "orders.csv")
    warehouse.write(LINES, "lines.csv")
    warehouse.write(CUSTOMERS, "people.csv")
    return warehouse


def test_lookups_bring_columns_and_rows_that_do_not_count_are_set_aside(shop: Warehouse) -> None:
    report = shop.load_all({"shop": SHOP}).sources["shop.lines"]
    assert shop.mapped("order_id, customer_id, customer_name, amount") == [
        ("1", "a", "Ada Lovelace", Decimal("21.0000")),
        ("1", "a", "Ada Lovelace", Decimal("4.0000")),
        ("3", "a", "Ada Lovelace", Decimal("3.3000")),
    ]
    # Order 2 was lost; order 9 is nowhere, so its status is not "won" either.
    assert (report.rows_read, report.rows_mapped, report.rows_set_aside, report.quarantined) == (5, 3, 2, {})
    assert shop.rows("select customer_id from mapped.customers order by 1") == [("a",), ("b",)]
    assert shop.rows(
        "select amount_read, amount_mapped, amount_set_aside from mapped.source_totals where source = 'shop.lines'"
    ) == [(Decimal("39.8000"), Decimal("28.3000"), Decimal("11.5000"))]


def test_rows_that_are_set_aside_for_want_of_a_partner_are_told(shop: Warehouse) -> None:
    """Not those that other rules leave out anyway, nor those whose partner is there and does not fit."""
    shop.write(LINES + "8,x,1,2.00\n,x,1,5.00\n7,gift,1,1.00\n", "lines.csv")
    lines = dict(SHOP["outputs"]["lines"])
    lines["only"] = [lines["only"], {"column": "Product", "not_in": ["gift"]}]
    tables = {**SHOP, "outputs": {"lines": lines}}
    report = shop.load_all({"shop": tables}).sources["shop.lines"]
    assert report.rows_set_aside == 5
    told = (
        "sources.shop.outputs.lines: 3 rows set aside because no row of shop.orders belongs to them (for example "
        "OrderID = 8), and `only` asks for orders.Status. If they count, find out why shop.orders lacks what they name."
    )
    assert report.warnings == [told]
    assert shop.load_all({"shop": tables}).sources["shop.lines"].warnings == [told]
    shop.write(ORDERS + "9,a,2024-01-04,Won\n8,a,2024-01-04,Lost\n", "orders.csv")
    (told,) = shop.load_all({"shop": tables}).sources["shop.lines"].warnings
    assert "1 row set aside because no row of shop.orders belongs to it (OrderID is empty)" in told


def test_a_partner_that_is_found_through_another_may_be_missing(shop: Warehouse) -> None:
    shop.write(CUSTOMERS.replace("b,Bob,", "c,Cleo,"), "people.csv")
    lines = {**SHOP["outputs"]["lines"], "only": {"column": "people.First", "not_in": ["Ada"]}}
    assert shop.load_all({"shop": {**SHOP, "outputs": {"lines": lines}}}).sources["shop.lines"].warnings == []
    lines["only"] = {"column": "people.First", "in": ["Ada"]}
    (told,) = shop.load_all({"shop": {**SHOP, "outputs": {"lines": lines}}}).sources["shop.lines"].warnings
    assert "2 rows set aside because no row of shop.people belongs to them" in told
    assert "(for example orders.CustomerID = b)" in told
    lines["only"] = {"column": "people.First", "filled": True}
    assert shop.load_all({"shop": {**SHOP, "outputs": {"lines": lines}}}).sources["shop.lines"].warnings == []


def test_a_row_without_the_partner_it_needs_is_refused(shop: Warehouse) -> None:
    lines = {k: v for k, v in SHOP["outputs"]["lines"].items() if k != "only"}
    report = shop.load_all({"shop": {**SHOP, "outputs": {"lines": lines}}}).sources["shop.lines"]
    assert report.quarantined == {"no_match": 1}
    assert shop.rows("select line, says, row_json from raw.quarantine") == [
        (
            5,
            "no row of orders belongs to it, which ordered_at is looked up in",
            '{"OrderID":"9","Product":"x","Qty":"1","Price":"1.00"}',
        )
    ]


def test_a_table_that_is_looked_up_must_be_unique(shop: Warehouse) -> None:
    shop.write(ORDERS + "3,b,2024-01-04,Won\n", "orders.csv")
    with pytest.raises(
        InputError, match="shop.orders has 1 value of OrderID more than once .for example 3, up to 2"
    ):
        shop.load_all({"shop": SHOP})
    assert shop.rows("select count(*) from mapped.order_lines") == [(0,)]


def test_a_key_that_stands_for_nothing_finds_nobody(shop: Warehouse) -> None:
    """Not even another one that stands for nothing; and several of them do not make a table ambiguous."""
    shop.write(ORDERS + ",b,2024-01-04,Won\n ,a,2024-01-04,Won\nNULL,b,2024-01-05,Won\n", "orders.csv")
    shop.write(LINES + ",x,1,5.00\nNULL,x,1,6.00\n", "lines.csv")
    report = shop.load_all({"shop": SHOP}).sources["shop.lines"]
    assert shop.rows("select distinct order_id, customer_id from mapped.order_lines order by 1") == [
        ("1", "a"),
        ("3", "a"),
    ]
    assert report.rows_read == report.rows_mapped + report.rows_set_aside + sum(report.quarantined.values())


def test_a_number_finds_the_same_number_in_text(shop: Warehouse) -> None:
    shop.con.execute(
        "copy (select n::double as OrderID, 'a' as CustomerID, date '2024-01-01' as OrderDate, 'Won' as Status "
        f"from range(1, 10) as r(n)) to '{shop.folder / 'orders.parquet'}' (format parquet)"
    )
    orders = {**SHOP["tables"], "orders": {"path": "orders.parquet"}}
    report = shop.load_all({"shop": {**SHOP, "tables": orders}}).sources["shop.lines"]
    assert (report.rows_mapped, report.quarantined) == (5, {})


def test_a_lookup_may_take_some_rows_of_its_own_table(shop: Warehouse) -> None:
    """As shops export orders: what holds for the whole order stands on its first row alone."""
    shop.write(
        "Name,Date,Email,Item,Price\n#1,2024-01-01,a@x.de,p,10\n#1,,,q,5\n#2,2024-01-02,b@x.de,p,10\n",
        "orders.csv",
    )
    export = {
        "tables": {"orders": {"path": "orders.csv"}},
        "outputs": {
            "lines": {
                "from": "orders",
                "lookups": {
                    "head": {
                        "table": "orders",
                        "on": {"Name": "Name"},
                        "only": {"column": "Date", "filled": True},
                    }
                },
                "columns": {
                    "order_id": "Name",
                    "ordered_at": "head.Date",
                    "customer_id": "head.Email",
                    "amount": "Price",
                },
            }
        },
    }
    shop.load_all({"shop": export})
    assert shop.mapped("order_id, customer_id, amount::integer") == [
        ("#1", "a@x.de", 10),
        ("#1", "a@x.de", 5),
        ("#2", "b@x.de", 10),
    ]


def test_signs_and_smallest_units(shop: Warehouse) -> None:
    shop.write(
        "id,date,who,amount,currency,type\n1,2024-01-01,a,1999,usd,charge\n2,2024-01-02,a,1999,jpy,charge\n3,2024-01-03,a,500,usd,refund\n4,2024-01-03,a,1234,kwd,charge\n"
    )
    shop.load(
        columns={"ordered_at": "date", "customer_id": "who", "amount": "amount", "currency": "currency"},
        minor_units=["amount"],
        negative={"column": "type", "in": ["Refund"]},
    )
    assert shop.mapped("amount, kind") == [
        (Decimal("19.9900"), "sale"),
        (Decimal("1999.0000"), "sale"),
        (Decimal("-5.0000"), "return"),
        (Decimal("1.2340"), "sale"),
    ]
    assert shop.rows("select amount_read from mapped.source_totals") == [(Decimal("2015.2240"),)]


def test_only_rows_that_changed_are_mapped_again(shop: Warehouse) -> None:
    shop.write("order,date,customer,amount\n1,2024-01-01,a,10.50\n", "in/1.csv")
    shop.write("order,date,customer,amount\n2,2024-01-01,b,20.50\n", "in/2.csv")
    shop.load("in")
    before = dict(shop.rows("select order_id, rowid from mapped.order_lines"))
    shop.write("order,date,customer,amount\n3,2024-01-01,c,30.50\n", "in/3.csv")
    shop.write("order,date,customer,amount\n2,2024-01-01,b,21.50\nx,y,,\n", "in/2.csv")
    shop.load("in")
    after = dict(shop.rows("select order_id, rowid from mapped.order_lines"))
    assert after["1"] == before["1"], "the row of the unchanged file was mapped again"
    assert shop.rows("select order_id, amount::varchar from mapped.order_lines order by 1") == [
        ("1", "10.5000"),
        ("2", "21.5000"),
        ("3", "30.5000"),
    ]
    assert shop.refused() == [(2, "missing_customer")]
    assert shop.rows(
        "select sum(rows_read), sum(rows_mapped), sum(rows_quarantined) from mapped.source_totals"
    ) == [(4, 3, 1)]


def test_what_a_row_was_is_kept(shop: Warehouse) -> None:
    shop.write("order,date,customer,amount\n1,2024-01-01,a,10\n")
    shop.load()
    shop.write("order,date,customer,amount,note\n1,2024-01-01,a,11,new\n")
    shop.load()
    assert shop.rows('select "order", amount, _run_id, _until_run_id from raw."sales~past"') == [
        ("1", "10", "run1", "run2")
    ]
    assert shop.rows('select "order", amount, _run_id from raw.sales') == [("1", "11", "run2")]


def test_a_column_that_is_not_there_is_named_with_its_setting(shop: Warehouse) -> None:
    lines = {
        **SHOP["outputs"]["lines"],
        "columns": {**SHOP["outputs"]["lines"]["columns"], "ordered_at": "orders.Date"},
    }
    with pytest.raises(
        MissingColumns, match=r"'Date' .outputs.lines.columns.ordered_at. .did you mean 'OrderDate'"
    ):
        shop.load_all({"shop": {**SHOP, "outputs": {"lines": lines}}})
    lines = {**lines, "columns": {**SHOP["outputs"]["lines"]["columns"], "product_id": "Article"}}
    with pytest.raises(MissingColumns, match=r"right name under \[sources.shop.outputs.lines.columns\]"):
        shop.load_all({"shop": {**SHOP, "outputs": {"lines": lines}}})


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"kind": "postgres", "columns": {}}, "sources.x.connection is missing"),
        ({"kind": "oracle", "columns": {}}, "sources.x.kind"),
        ({"kind": "mysql", "connection": "mysql://u:secret@h/d"}, "a password does not belong in the file"),
        ({"kind": "sql", "connection": "${A}", "capture": "changes"}, "changes are captured from postgres"),
        ({"kind": "changes", "path": "x"}, "sources.x.format is missing"),
        ({"tables": {"a": {"path": "a.csv"}}, "outputs": {}}, "has no output"),
        ({"tables": {}, "outputs": {"o": {"from": "a", "columns": {}}}}, "has no table"),
        ({**SHOP, "outputs": {"o": {**SHOP["outputs"]["lines"], "from": "line"}}}, "no table is called 'line' .did"),
        ({**SHOP, "path": "x.csv"}, "sources.x.path is not a setting beside tables and outputs"),
    ],
)  # fmt: skip
def test_impossible_settings_are_explained(values: dict[str, Any], says: str) -> None:
    with pytest.raises(SettingsError, match=says) as error:
        system("x", values)
    assert "secret" not in str(error.value)
