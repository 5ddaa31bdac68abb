"""Curated tables: what becomes of repeated lines, shared orders, returns, costs, currencies and attributes."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path

import pytest

from evervalue.core.errors import CheckFailed
from tests.support.projects import project, published, run_project

LINES = """
[project]
currency = "EUR"
[sources.sales]
path = "sales.csv"
{more}
[sources.sales.columns]
order_id = "order"
ordered_at = "date"
customer_id = "customer"
amount = "amount"
"""


def test_lines_with_one_line_id_are_counted_once_and_conflicting_ones_are_refused(tmp_path: Path) -> None:
    lines = (
        "order,line,date,customer,amount\n"
        "1,a,2024-01-01,Ann,10\n1,a,2024-01-01,Ann,10\n"
        "2,b,2024-01-02,Ann,20\n2,b,2024-01-02,Ann,21\n"
        "3,c,2024-01-03,Bob,30\n"
    )
    folder = project(tmp_path, {"sales.csv": lines}, LINES.format(more="") + 'line_id = "line"\n')
    run_project(folder)
    assert published(folder, "select line, verdict, reason from curated.refused_lines order by line") == [
        (2, "duplicate", "same_line_id"),
        (3, "quarantined", "conflicting_line"),
        (4, "quarantined", "conflicting_line"),
    ]
    assert published(
        folder,
        "select rows_read, rows_stored, rows_duplicate, rows_quarantined, "
        "amount_read, amount_stored, amount_duplicate, amount_quarantined from curated.reconciliation",
    ) == [(5, 2, 1, 2, Decimal(91), Decimal(40), Decimal(10), Decimal(41))]


@pytest.mark.parametrize(("rule", "stored"), [("keep", 3), ("drop", 2)])
def test_identical_lines_without_a_line_id_follow_the_setting(tmp_path: Path, rule: str, stored: int) -> None:
    lines = "order,date,customer,amount\n1,2024-01-01,Ann,10\n1,2024-01-01,Ann,10\n2,2024-01-02,Ann,5\n"
    folder = project(tmp_path, {"sales.csv": lines}, LINES.format(more=f'duplicates = "{rule}"'))
    run_project(folder)
    assert published(folder, "select rows_stored, rows_duplicate from curated.reconciliation") == [
        (stored, 3 - stored)
    ]


def test_an_order_of_two_customers_is_quarantined_whole(tmp_path: Path) -> None:
    lines = "order,date,customer,amount\n1,2024-01-01,Ann,10\n1,2024-01-01,Bob,10\n2,2024-01-02,Ann,5\n"
    folder = project(tmp_path, {"sales.csv": lines}, LINES.format(more=""))
    run_project(folder)
    assert published(folder, "select reason, row_count from run.quarantine") == [
        ("order_of_several_customers", 2)
    ]
    assert published(folder, "select customer, frequency from customers.lrfm order by 1") == [
        ("Ann", 1),
        ("Bob", 0),
    ]
    assert published(
        folder, "select lrfm_score, customer_value from customers.lrfm where customer = 'Bob'"
    ) == [(None, None)]


def test_returns_change_monetary_alone_and_are_linked_to_what_they_reverse(tmp_path: Path) -> None:
    lines = (
        "order,date,customer,product,quantity,amount,reverses\n"
        "1,2024-01-01,Ann,pen,3,30,\n"
        "2,2024-01-05,Ann,ink,1,8,\n"
        "R1,2024-01-09,Ann,pen,-1,-10,\n"
        "R2,2024-01-10,Ann,ink,-1,-8,2\n"
        "R3,2024-01-11,Bob,pen,-1,-10,\n"
    )
    columns = 'product_id = "product"\nquantity = "quantity"\nreverses_order_id = "reverses"\n'
    folder = project(tmp_path, {"sales.csv": lines}, LINES.format(more="") + columns)
    run_project(folder)
    assert published(
        folder,
        "select customer, length_days, recency_days, frequency, monetary from customers.lrfm order by 1",
    ) == [("Ann", 4, 7, 2, Decimal(20)), ("Bob", None, None, 0, Decimal(-10))]
    assert published(
        folder, "select line, kind, reverses_order_key, basis from curated.reversals order by line"
    ) == [
        (3, "return", "sales/1", "matched"),
        (4, "return", "sales/2", "given"),
        (5, "return", None, "none"),
    ]


COSTS = """
[sources.costs]
path = "costs.csv"
decimal = "."
provides = "costs"
[sources.costs.columns]
product_id = "product"
unit_cost = "cost"
valid_from = "from"
"""


def test_a_cost_is_the_one_of_the_day_and_multiplies_no_line(tmp_path: Path) -> None:
    lines = (
        "order,date,customer,product,quantity,amount\n"
        "1,2024-01-01,Ann,pen,2,30\n2,2024-02-01,Ann,pen,2,30\n3,2024-02-02,Bob,pen,1,15\n"
    )
    costs = "product,cost,from\npen,10.005,2023-01-01\npen,12,2024-02-01\nink,1,2023-01-01\n"
    toml = LINES.format(more="") + 'product_id = "product"\nquantity = "quantity"\n' + COSTS
    folder = project(tmp_path, {"sales.csv": lines, "costs.csv": costs}, toml, basis="margin")
    run_project(folder)
    assert published(folder, "select order_id, cost, margin from curated.order_lines order by 1") == [
        ("1", Decimal("20.01"), Decimal("9.99")),
        ("2", Decimal(24), Decimal(6)),
        ("3", Decimal(12), Decimal(3)),
    ]


def test_two_costs_of_one_day_are_refused(tmp_path: Path) -> None:
    lines = "order,date,customer,product,quantity,amount\n1,2024-01-01,Ann,pen,2,30\n"
    costs = "product,cost,from\npen,10,2023-01-01\npen,12,2023-01-01\n"
    toml = LINES.format(more="") + 'product_id = "product"\nquantity = "quantity"\n' + COSTS
    folder = project(tmp_path, {"sales.csv": lines, "costs.csv": costs}, toml, basis="margin")
    with pytest.raises(CheckFailed, match=r"curated.costs .* stand more than once: product_id=pen"):
        run_project(folder)


RATES = """
[sources.rates]
path = "rates.csv"
provides = "rates"
[sources.rates.columns]
rate_date = "day"
from_currency = "from"
to_currency = "to"
rate = "rate"
"""


def test_amounts_are_converted_at_the_rate_of_the_day(tmp_path: Path) -> None:
    lines = (
        "order,date,customer,amount,currency\n"
        "1,2024-01-01,Ann,10,EUR\n2,2024-01-03,Ann,10.05,USD\n3,2024-01-06,Bob,100,USD\n"
    )
    rates = "day,from,to,rate\n2024-01-02,USD,EUR,0.9\n2024-01-05,USD,EUR,0.91\n"
    toml = LINES.format(more="") + 'currency = "currency"\n' + RATES
    folder = project(tmp_path, {"sales.csv": lines, "rates.csv": rates}, toml)
    run_project(folder)
    assert published(folder, "select order_id, amount, currency from curated.order_lines order by 1") == [
        ("1", Decimal(10), "EUR"),
        ("2", Decimal("9.045"), "EUR"),
        ("3", Decimal(91), "EUR"),
    ]
    assert published(
        folder, "select amount_read, amount_stored from curated.reconciliation where source = 'sales'"
    ) == [(Decimal("120.05"), Decimal("120.05"))]


def test_a_missing_rate_names_the_day_and_the_pair(tmp_path: Path) -> None:
    lines = "order,date,customer,amount,currency\n1,2024-01-01,Ann,10,USD\n"
    rates = "day,from,to,rate\n2024-01-02,USD,EUR,0.9\n"
    toml = LINES.format(more="") + 'currency = "currency"\n' + RATES
    folder = project(tmp_path, {"sales.csv": lines, "rates.csv": rates}, toml)
    with pytest.raises(CheckFailed, match="order_date=2024-01-01, from_currency=USD, to_currency=EUR"):
        run_project(folder)


def test_customers_come_from_every_source_with_their_attributes(tmp_path: Path) -> None:
    lines = (
        "order,date,customer,amount,region\n"
        "1,2024-01-01,c1,10,North\n2,2024-02-01,c1,10,South\n3,2024-01-02,c2,7,North\n"
    )
    crm = "id,name,segment\nc1,Ann,gold\nc3,Cid,silver\n"
    toml = (
        LINES.format(more='customer_keys = "company"')
        + '[sources.sales.attributes]\nregion = "region"\n'
        + '[sources.crm]\npath = "crm.csv"\nprovides = "customers"\ncustomer_keys = "company"\n'
        + '[sources.crm.columns]\ncustomer_id = "id"\ncustomer_name = "name"\n'
        + '[sources.crm.attributes]\nsegment = "segment"\n'
    )
    folder = project(tmp_path, {"sales.csv": lines, "crm.csv": crm}, toml)
    run_project(folder)
    assert published(folder, "select customer_id, customer, frequency from customers.lrfm order by 1") == [
        ("c1", "Ann", 2),
        ("c2", "c2", 1),
        ("c3", "Cid", 0),
    ]
    assert published(
        folder,
        "select attribute, value, is_latest from curated.customer_attributes where customer_id = 'c1' order by all",
    ) == [("region", "North", False), ("region", "South", True), ("segment", "gold", True)]
    assert published(
        folder, "select rows_read, rows_stored from curated.reconciliation where source = 'crm'"
    ) == [(2, 2)]


def test_a_return_under_its_sales_number_counts_on_its_own_day(tmp_path: Path) -> None:
    lines = (
        "order,date,customer,amount\n100,2024-01-10,Ann,100\n100,2024-03-10,Ann,-40\n101,2024-02-20,Ann,5\n"
    )
    folder = project(tmp_path, {"sales.csv": lines}, LINES.format(more=""))
    run_project(folder, as_of=dt.date(2024, 2, 1))
    assert published(folder, "select frequency, monetary from customers.lrfm") == [(1, Decimal(100))]
    run_project(folder)
    assert published(folder, "select as_of from customers.cutoff") == [(dt.date(2024, 3, 11),)]
    assert published(folder, "select frequency, monetary, recency_days from customers.lrfm") == [
        (2, Decimal(65), 20)
    ]
    assert published(folder, "select reversal_count, reversed_amount from customers.history") == [
        (1, Decimal(-40))
    ]
    assert published(folder, "select month::text, revenue from insight.revenue_by_month order by month") == [
        ("2024-01-01", Decimal(100)),
        ("2024-02-01", Decimal(5)),
        ("2024-03-01", Decimal(-40)),
    ]
    assert published(folder, "select kind, reverses_order_key, basis from curated.reversals") == [
        ("return", "sales/100", "given")
    ]


def test_a_refused_line_needs_no_rate_and_an_impossible_rate_is_named(tmp_path: Path) -> None:
    lines = (
        "order,date,customer,amount,currency\n"
        "1,2024-01-01,Ann,10,USD\n1,2024-01-01,Bob,10,USD\n2,2024-01-02,Cid,1,EUR\n"
    )
    rates = "day,from,to,rate\n2024-06-01,USD,EUR,{rate}\n"
    toml = LINES.format(more="") + 'currency = "currency"\n' + RATES
    folder = project(tmp_path, {"sales.csv": lines, "rates.csv": rates.format(rate="0.9")}, toml)
    run_project(folder)
    assert published(folder, "select customer from customers.lrfm where frequency > 0") == [("Cid",)]
    (folder / "rates.csv").write_text(rates.format(rate="4200000000000"))
    with pytest.raises(CheckFailed, match="rate is not between"):
        run_project(folder)


def test_the_last_row_of_a_list_of_customers_names_them(tmp_path: Path) -> None:
    lines = "order,date,customer,amount\n1,2024-01-01,c1,10\n"
    crm = "id,name\nc1,Zed\nc1,Abe\nc1,\n"
    toml = LINES.format(more='customer_keys = "company"')
    toml += '[sources.crm]\npath = "crm.csv"\nprovides = "customers"\ncustomer_keys = "company"\n'
    toml += '[sources.crm.columns]\ncustomer_id = "id"\ncustomer_name = "name"\n'
    folder = project(tmp_path, {"sales.csv": lines, "crm.csv": crm}, toml)
    run_project(folder)
    assert published(folder, "select customer from customers.lrfm") == [("Abe",)]
