"""Presets: what the exports of well known systems become, row by row, and how a user's own settings override them."""

from __future__ import annotations

import csv
import re
import shutil
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from evervalue.core.errors import AmbiguousInput, MissingColumns, SettingsError
from evervalue.sources.fitted import find_column
from evervalue.sources.minor_units import exponent, exponent_sql
from evervalue.sources.presets import ABOUT, merged, names, preset
from evervalue.sources.systems import system
from evervalue.warehouse.duckdb import connect
from tests.support.sources import Warehouse

EXPORTS = Path(__file__).parents[2] / "data" / "exports"


class Export(Warehouse):
    """An export that was loaded by a preset, as the source `x`."""

    def __init__(self, name: str, folder: Path, **settings: Any) -> None:
        super().__init__(folder)
        self.report = self.load_all({"x": {"preset": name, "path": ".", **settings}}).sources

    def lines(self, columns: str, output: str = "") -> list[tuple[Any, ...]]:
        """Columns of the mapped order lines."""
        where = f"where source = 'x.{output}'" if output else ""
        found = self.rows(
            f"select {columns} from mapped.order_lines {where} order by source, order_id, line_id, amount"
        )
        return [tuple(str(c) if isinstance(c, Decimal) else c for c in row) for row in found]

    def counts(self, output: str) -> tuple[int, int, int]:
        """Rows read, mapped and set aside; none may be refused."""
        found = self.report[f"x.{output}"]
        assert found.quarantined == {}
        return found.rows_read, found.rows_mapped, found.rows_set_aside


@pytest.mark.parametrize("name", names())
def test_every_preset_is_whole(name: str) -> None:
    brought = preset(name)
    assert set(brought) == {*ABOUT, "tables", "outputs"}
    assert brought["tested"] in ("real export", "samples made after documentation")
    of_files = system("x", {"preset": name, "path": "in/"})
    in_database = system("x", {"preset": name, "kind": "postgres", "connection": "${X}", "schema": "crm"})
    assert (
        set(of_files.outputs) == set(in_database.outputs) == {f"x.{output}" for output in brought["outputs"]}
    )
    assert all(str(vars(table)["path"]).startswith("in/") for table in of_files.tables.values())
    assert all(str(vars(table)["table"]).startswith("crm.") for table in in_database.tables.values())
    assert all(vars(table)["key"] for table in in_database.tables.values()) or name == "shopify"


def test_northwind() -> None:
    export = Export("northwind", EXPORTS / "northwind")
    assert export.counts("lines") == (269, 269, 0)
    assert export.counts("freight") == (100, 100, 0)
    assert export.counts("customers") == (93, 93, 0)
    assert export.lines("order_id, line_id, customer_id, customer_name, category, quantity, amount, country")[0] == (
        "10248", "10248 11", "VINET", "Vins et alcools Chevalier", "Dairy Products", "12.0000", "168.0000", "France",
    )  # fmt: skip
    # 3 x 7.70 less 5 %, to the cent of a cent
    assert export.rows("select amount from mapped.order_lines where line_id = '10249 14'") == [
        (Decimal("167.4"),)
    ]
    with (EXPORTS / "northwind" / "orders.csv").open(encoding="utf-8") as file:
        freight = sum(Decimal(row["Freight"]) for row in csv.DictReader(file))
    assert export.rows("select sum(amount), min(cost_kind), max(order_id) from mapped.cost_entries") == [
        (freight, "freight", "10347")
    ]


def test_northwind_in_snake_case_and_without_what_is_optional(tmp_path: Path) -> None:
    """The names that databases and replication tools make of it: order_id, unit_price."""
    for file in ("orders", "order_details", "customers"):
        head, rest = (EXPORTS / "northwind" / f"{file}.csv").read_text("utf-8").split("\n", 1)
        snake = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", head).lower()
        assert snake != head
        (tmp_path / f"{file}.csv").write_text(f"{snake}\n{rest}", "utf-8")
    export = Export("northwind", tmp_path)
    whole = Export("northwind", EXPORTS / "northwind")
    columns = "order_id, line_id, ordered_at, customer_id, customer_name, quantity, amount"
    assert export.lines(columns) == whole.lines(columns)
    assert "columns.category is left out" in " ".join(export.report["x.lines"].notes)


def test_northwind_whole(shared_data: Callable[[str], Path]) -> None:
    export = Export("northwind", shared_data("northwind"))
    found = export.rows("select count(*), sum(amount), count(distinct order_id) from mapped.order_lines")
    assert found == [(2155, Decimal("1265793.0395"), 830)]


def test_chinook(shared_data: Callable[[str], Path]) -> None:
    export = Export("chinook", EXPORTS / "chinook")
    with (EXPORTS / "chinook" / "invoice.csv").open(encoding="utf-8") as file:
        totals = {row["InvoiceId"]: Decimal(row["Total"]) for row in csv.DictReader(file)}
    by_invoice = export.rows("select order_id, sum(amount) from mapped.order_lines group by order_id")
    assert dict(by_invoice) == totals
    assert export.lines("line_id, customer_id, customer_name, country")[0] == (
        "1",
        "2",
        "Leonie Köhler",
        "Germany",
    )
    whole = Export("chinook", shared_data("chinook"))
    assert whole.rows("select count(*), sum(amount) from mapped.order_lines") == [(2240, Decimal("2328.60"))]


def test_maven_crm(shared_data: Callable[[str], Path]) -> None:
    export = Export("maven_crm", shared_data("maven_crm"))
    assert export.counts("won") == (8800, 4238, 4562)
    assert export.rows("select sum(amount), count(distinct customer_id) from mapped.order_lines") == [
        (Decimal(10005534), 85)
    ]


def test_salesforce_sets_deleted_rows_aside() -> None:
    """Every opportunity of this real export is in the recycle bin."""
    export = Export("salesforce", EXPORTS / "salesforce")
    assert export.counts("opportunities") == (10, 0, 10)
    assert export.counts("lines") == (10, 0, 10)
    assert export.rows("select customer_id, customer_name from mapped.customers") == [
        ("0015500000Xyy06AAB", "Eric's Test")
    ]


def test_salesforce_counts_what_was_won() -> None:
    """The user's rules take the place of the preset's: deleted rows count now."""
    won = {
        "only": [{"column": "IsWon", "in": ["true"]}, {"column": "HasOpportunityLineItem", "in": ["true"]}]
    }
    export = Export("salesforce_opportunities", EXPORTS / "salesforce", outputs={"opportunities": won})
    assert export.lines("order_id, customer_id, amount, kind") == [
        ("006q000000HddohAAB", "9CcfAt8qtZvCTwFvwOFLcg==", "24120000.0000", "sale")
    ]


SALESFORCE = {
    "Account.csv": "Id,Name,Industry,IsDeleted\n001,Acme,Energy,0\n002,Beta,,0\n",
    "Opportunity.csv": (
        "Id,AccountId,Amount,CloseDate,IsWon,IsDeleted,HasOpportunityLineItem,StageName\n"
        "006a,001,300.00,2024-01-15,1,0,1,Closed Won\n"
        "006b,002,70.50,2024-01-16,1,0,0,Closed Won\n"
        "006c,002,99.00,2024-01-17,0,0,0,Closed Lost\n"
        "006d,001,1.00,2024-01-18,1,1,0,Closed Won\n"
    ),
    "OpportunityLineItem.csv": (
        "Id,OpportunityId,Product2Id,Quantity,UnitPrice,TotalPrice,Name,IsDeleted\n"
        "00k1,006a,01t1,2,100.00,200.00,Acme Plan,0\n"
        "00k2,006a,01t2,1,100.00,100.00,Acme Help,0\n"
        "00k3,006a,01t2,1,50.00,50.00,Acme Old,1\n"
    ),
}


def test_salesforce_with_the_names_of_the_api(tmp_path: Path) -> None:
    for file, text in SALESFORCE.items():
        (tmp_path / file).write_text(text, "utf-8")
    export = Export("salesforce", tmp_path)
    assert export.lines("order_id, line_id, customer_name, quantity, amount, product_name") == [
        ("006a", "00k1", "Acme", "2.0000", "200.0000", "Acme Plan"),
        ("006a", "00k2", "Acme", "1.0000", "100.0000", "Acme Help"),
        ("006b", None, "Beta", None, "70.5000", None),
    ]
    assert export.counts("opportunities") == (4, 1, 3)
    assert export.rows("select value from mapped.customer_attributes where attribute = 'industry'") == [
        ("Energy",)
    ]


def test_shopify_carries_what_stands_on_the_first_row_of_an_order() -> None:
    export = Export("shopify", EXPORTS / "shopify")
    columns = "order_id, ordered_at::varchar, customer_id, customer_name, quantity, amount, currency"
    assert export.lines(columns, "lines") == [
        ("#1001", "2024-03-01 09:14:00", "ada@example.com", "Ada Muster", "1.0000", "17.0000", "EUR"),
        ("#1001", "2024-03-01 09:14:00", "ada@example.com", "Ada Muster", "2.0000", "32.0000", "EUR"),
        ("#1002", "2024-03-01 23:14:30", "bob@example.com", "Bob Probe", "1.0000", "25.0000", "EUR"),
        ("#1004", "2024-03-05 08:00:09", "dora@example.com", "Dora Muster", "1.0000", "30.0000", "EUR"),
    ]  # fmt: skip
    assert export.lines("order_id, amount, kind", "discounts") == [("#1001", "-5.0000", "adjustment")]
    assert export.lines("order_id, amount, kind, reverses_order_id", "refunds") == [
        ("#1001", "-20.0000", "refund", "#1001"),
        ("#1004", "-35.7000", "refund", "#1004"),
    ]


def test_shopify_lines_and_discounts_come_to_the_subtotals() -> None:
    export = Export("shopify", EXPORTS / "shopify")
    with next((EXPORTS / "shopify").glob("*.csv")).open(encoding="utf-8") as file:
        paid = [r for r in csv.DictReader(file) if r["Financial Status"] not in ("", "pending")]
    goods = "select order_id, sum(amount) from mapped.order_lines where kind <> 'refund' group by order_id"
    assert dict(export.rows(goods)) == {row["Name"]: Decimal(row["Subtotal"]) for row in paid}


def test_shopify_parts_of_one_export_may_come_one_by_one(tmp_path: Path) -> None:
    head, *rest = next((EXPORTS / "shopify").glob("*.csv")).read_text("utf-8").splitlines(keepends=True)
    (tmp_path / "orders_export_1.csv").write_text(head + rest[0] + rest[1], "utf-8")
    (tmp_path / "orders_export_2.csv").write_text(head + "".join(rest[2:]), "utf-8")
    columns = "order_id, ordered_at, customer_id, amount, kind"
    assert Export("shopify", tmp_path).lines(columns) == Export("shopify", EXPORTS / "shopify").lines(columns)


def test_stripe_counts_in_the_smallest_unit() -> None:
    export = Export("stripe", EXPORTS / "stripe")
    assert export.lines("order_id, customer_name, amount, currency, kind") == [
        ("ch_1", "Acme", "19.9900", "USD", "sale"),
        ("ch_2", "Beta KK", "1999.0000", "JPY", "sale"),
        ("ch_3", "Acme", "12.3450", "KWD", "sale"),
        ("ch_2", "Beta KK", "-500.0000", "JPY", "refund"),
        ("ch_3", "Acme", "-12.3450", "KWD", "refund"),
    ]
    assert export.counts("charges") == (6, 3, 3)
    assert export.rows(
        "select order_id, amount, currency, cost_kind from mapped.cost_entries order by 1"
    ) == [
        ("ch_1", Decimal("0.88"), "USD", "payment"),
        ("ch_2", Decimal(72), "JPY", "payment"),
    ]
    assert [row[0] for row in export.rows("select customer_id from mapped.customers order by 1")] == [
        "cus_A",
        "cus_B",
    ]


@pytest.mark.parametrize(
    ("currency", "decimals"), [("USD", 2), ("JPY", 0), ("KWD", 3), ("ISK", 2), ("MGA", 0)]
)
def test_smallest_units(currency: str, decimals: int) -> None:
    assert exponent(currency) == decimals
    assert connect().execute(f"select {exponent_sql(repr(currency))}").fetchall() == [(decimals,)]


def test_stripe_dashboard() -> None:
    export = Export("stripe_dashboard", EXPORTS / "stripe_dashboard")
    assert export.lines("order_id, ordered_at::varchar, customer_name, amount, kind") == [
        ("py_1", "2024-01-10 09:15:00", "Acme", "19.9900", "sale"),
        ("py_2", "2024-01-31 23:30:00", "Beta", "50.0000", "sale"),
        ("py_2", "2024-02-03 10:00:00", "Beta", "-12.5000", "refund"),
    ]
    found = export.rows(
        "select subscription_id, customer_name, started_on::varchar, ended_on::varchar, amount::varchar, period "
        "from mapped.subscriptions order by 1"
    )
    assert found == [
        ("sub_1", "Acme", "2024-01-10", None, "19.9900", "month"),
        ("sub_2", "Beta", "2023-01-31", "2024-02-03", "600.0000", "year"),
    ]
    assert export.rows("select sum(amount) from mapped.cost_entries") == [(Decimal("2.63"),)]


def test_netsuite_turns_the_sign_of_income() -> None:
    export = Export("netsuite", EXPORTS / "netsuite")
    assert export.lines(
        "order_id, line_id, customer_name, quantity, amount, currency, kind, product_name"
    ) == [
        ("101", "1002", "Summit Co", "3.0000", "300.0000", "USD", "sale", "Helmet"),
        ("102", "1006", "Summit Co", "-1.0000", "-100.0000", "USD", "credit_note", "Helmet"),
        ("104", "1009", "Lee Person", "1.0000", "40.0000", "EUR", "sale", "Rope 10 m"),
    ]
    assert export.counts("lines") == (10, 3, 7)


def test_odoo_counts_for_the_company_of_a_contact() -> None:
    export = Export("odoo", EXPORTS / "odoo")
    assert export.lines("order_id, customer_id, customer_name, quantity, amount, currency, kind") == [
        ("RINV/2024/00001", "10", "Azure Interior", None, "-135.0000", "EUR", "credit_note"),
        ("S00001", "10", "Azure Interior", "2.0000", "270.0000", "EUR", "sale"),
        ("S00001", "10", "Azure Interior", "1.0000", "10.0000", "EUR", "sale"),
        ("S00003", "12", "Walk-in", "1.0000", "9.9900", "EUR", "sale"),
    ]
    assert export.rows("select customer_id, customer_name from mapped.customers order by 1") == [
        ("10", "Azure Interior"),
        ("12", "Walk-in"),
    ]


def test_sap_bills() -> None:
    export = Export("sap_sales", EXPORTS / "sap", decimal=".")
    one, becker, alpine = "0090000001", "Becker Berlin", "Alpine Pumpen"
    columns = "order_id, line_id, ordered_at::date::varchar, customer_name, quantity, amount, cost, kind"
    assert export.lines(columns) == [
        (one, f"{one} 000010", "2024-01-15", becker, "10.0000", "1350.5000", "800.0000", "sale"),
        (one, f"{one} 000020", "2024-01-15", becker, "1.0000", "-50.0000", "0.0000", "adjustment"),
        ("0090000002", "0090000002 000010", "2024-01-20", becker, "-1.0000", "-130.0500", "-80.0000", "credit_note"),
        ("0090000003", "0090000003 000010", "2024-02-01", alpine, "3.0000", "99.9900", "60.0000", "sale"),
        ("0090000004", "0090000004 000010", "2024-02-02", alpine, "-3.0000", "-99.9900", "-60.0000", "cancellation"),
    ]  # fmt: skip
    assert export.rows("select reverses_order_id from mapped.order_lines where kind = 'cancellation'") == [
        ("0090000003",)
    ]
    # Item values and signs together are the documents' own: 1,300.50 - 130.05 + 99.99 - 99.99
    assert export.rows("select sum(amount) from mapped.order_lines") == [(Decimal("1170.45"),)]


def test_sap_asks_for_the_decimal_mark_where_nothing_settles_it() -> None:
    with pytest.raises(AmbiguousInput, match=r"Set decimal = .* under \[sources\.x\.outputs\.billing\]"):
        Export("sap_sales", EXPORTS / "sap")


def test_sap_orders() -> None:
    export = Export("sap_orders", EXPORTS / "sap", decimal=".")
    assert export.lines("order_id, quantity, amount, kind") == [
        ("0000000001", "10.0000", "1350.5000", "sale"),
        ("0000000001", "1.0000", "-50.0000", "adjustment"),
        ("0060000001", "-1.0000", "-130.0500", "return"),
    ]


def test_a_bank() -> None:
    export = Export("bank", EXPORTS / "bank")
    balances = export.rows(
        "select account_id, customer_id, product_id, balance::varchar from mapped.balances order by all"
    )
    assert balances == [
        ("A1", "K1", "current", "-80.1000"),
        ("A1", "K1", "current", "1250.4000"),
        ("A2", "K1", "savings", "20000.0000"),
        ("A3", "K2", "current", "48000.0000"),
        ("L1", "K1", "mortgage", "-171500.2500"),
        ("L2", "K2", "investment loan", "-61250.0000"),
    ]
    assert export.rows(
        "select customer_id, sum(interest_income), sum(interest_expense), sum(fees) from mapped.income "
        "group by customer_id order by 1"
    ) == [
        ("K1", Decimal("307.27"), Decimal(25), Decimal("3.5")),
        ("K2", Decimal(245), Decimal(0), Decimal("22.2")),
    ]
    assert export.rows("select count(*) from mapped.identifiers where type = 'email'") == [(2,)]


def test_what_the_user_writes_comes_first(tmp_path: Path) -> None:
    shutil.copytree(EXPORTS / "chinook", tmp_path, dirs_exist_ok=True)
    invoices = tmp_path / "invoice.csv"
    invoices.write_text(invoices.read_text("utf-8").replace("InvoiceDate", "Billed on", 1), "utf-8")
    with pytest.raises(MissingColumns) as caught:
        Export("chinook", tmp_path)
    assert str(caught.value).startswith(
        "sources.x.outputs.lines: the preset chinook expects column 'InvoiceDate' of invoice (columns.ordered_at)"
    )
    assert "it has InvoiceId, CustomerId, Billed on" in str(caught.value)
    assert "Name yours under [sources.x.outputs.lines.columns]" in str(caught.value)
    own = {"lines": {"columns": {"ordered_at": "invoice.Billed on", "country": False}}, "customers": False}
    export = Export("chinook", tmp_path, outputs=own)
    assert export.counts("lines") == (325, 325, 0)
    assert "x.customers" not in export.report
    assert export.rows("select count(country) from mapped.order_lines") == [(0,)]


def test_an_attribute_that_the_user_asks_for_must_be_there() -> None:
    own = {"customers": {"attributes": {"segment": "Segment"}}}
    with pytest.raises(MissingColumns, match=r"'Segment' of customer \(attributes\.segment\)"):
        Export("chinook", EXPORTS / "chinook", outputs=own)


def test_settings_for_all_tables_and_outputs() -> None:
    found = merged("x", {"preset": "sap_sales", "path": "in", "decimal": ",", "encoding": "cp1252",
                         "outputs": {"billing": {"decimal": "."}}})  # fmt: skip
    assert (found["outputs"]["billing"]["decimal"], found["outputs"]["customers"]["decimal"]) == (".", ",")
    assert {table["encoding"] for table in found["tables"].values()} == {"cp1252"}
    assert found["tables"]["KNA1"]["path"] == "in/[Kk][Nn][Aa]1*.*"


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"preset": "salesforse", "path": "in"}, r"no preset 'salesforse' \(did you mean 'salesforce'\?\)"),
        ({"preset": "northwind"}, "reads orders, order_details, customers. Say where the files lie"),
        ({"preset": 3, "path": "in"}, "preset is the name of a preset"),
        ({"preset": "bank", "path": "in", "outputs": {"fees": {"colour": {}}}}, "outputs.fees.colour is not a setting"),
    ],
)  # fmt: skip
def test_wrong_settings(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        system("x", settings)


def test_the_wrong_preset_for_an_export() -> None:
    with pytest.raises(MissingColumns) as caught:
        Export("northwind", EXPORTS / "northwind", tables={"orders": {"path": "products.csv"}})
    assert "the preset northwind expects column" in str(caught.value)
    assert "'CustomerID' of orders" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "columns", "found"),
    [
        ("CloseDate", ["close_date", "CLOSEDATE", "CloseDate"], "CloseDate"),
        ("CloseDate", ["close_date", "closedate"], "closedate"),
        ("CloseDate", ["close_date"], "close_date"),
        ("CloseDate", ["close_date", "Close Date"], None),
        ("Product2Id", ["product_2_id"], "product_2_id"),
        ("Amount", ["amounts"], None),
    ],
)
def test_names_are_compared_loosely_where_one_alone_is_like_it(
    name: str, columns: list[str], found: str | None
) -> None:
    assert find_column(name, columns, loose=True) == found
