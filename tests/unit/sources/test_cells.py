"""How dates, times, numbers and kinds in cells are read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.sources import COLUMNS, Warehouse


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return Warehouse(tmp_path)


def dates(warehouse: Warehouse, *cells: str, zone: str = "UTC", **settings: Any) -> list[tuple[str, str]]:
    rows = "".join(f'{i},"{c}",c{i},5\n' for i, c in enumerate(cells))
    warehouse.write("order,date,customer,amount\n" + rows)
    warehouse.load_all({"sales": {"path": "sales.csv", "columns": COLUMNS, **settings}}, time_zone=zone)
    assert warehouse.refused() == []
    return [(at, day) for at, day in warehouse.mapped("ordered_at::text, order_date::text")]


def amounts(warehouse: Warehouse, *cells: str, **settings: Any) -> list[str]:
    rows = "".join(f'{i},2022-01-05,c{i},"{c}"\n' for i, c in enumerate(cells))
    warehouse.write("order,date,customer,amount\n" + rows)
    warehouse.load(**settings)
    assert warehouse.refused() == []
    return [a for (a,) in warehouse.mapped("amount::text")]


@pytest.mark.parametrize(
    ("cell", "at"),
    [
        ("2022-01-05", "2022-01-05 00:00:00"),
        ("2022-1-5", "2022-01-05 00:00:00"),
        ("2022/01/05", "2022-01-05 00:00:00"),
        ("20220105", "2022-01-05 00:00:00"),
        ("20220105134500", "2022-01-05 13:45:00"),
        ("13/01/2022", "2022-01-13 00:00:00"),
        ("1/13/2022", "2022-01-13 00:00:00"),
        ("13.01.2022", "2022-01-13 00:00:00"),
        ("13/01/22", "2022-01-13 00:00:00"),
        ("31-01-99", "1999-01-31 00:00:00"),
        ("13/01/2022 9:05", "2022-01-13 09:05:00"),
        ("1/13/2022 1:05 PM", "2022-01-13 13:05:00"),
        ("1/13/2022 1:05:30PM", "2022-01-13 13:05:30"),
        ("2022-01-05 13:45", "2022-01-05 13:45:00"),
        ("2022-01-05T13:45:10.25", "2022-01-05 13:45:10.25"),
        ("2022-01-05 13:45:10.1234567", "2022-01-05 13:45:10.123456"),
        ("2022-01-05T13:45:00Z", "2022-01-05 13:45:00"),
        ("2022-01-05T13:45:00+02:00", "2022-01-05 11:45:00"),
        ("2022-01-05 13:45:00-0500", "2022-01-05 18:45:00"),
        ("2022-01-05 13:45:00 UTC", "2022-01-05 13:45:00"),
        ("5 Jan 2022", "2022-01-05 00:00:00"),
        ("05-Jan-22", "2022-01-05 00:00:00"),
        ("January 5, 2022", "2022-01-05 00:00:00"),
        ("Jan 5, 2022", "2022-01-05 00:00:00"),
        ("Wed, 5 January 2022", "2022-01-05 00:00:00"),
        ("1641390300", "2022-01-05 13:45:00"),
        ("1641390300000", "2022-01-05 13:45:00"),
    ],
)
def test_notations_of_dates(warehouse: Warehouse, cell: str, at: str) -> None:
    assert dates(warehouse, cell) == [(at, at[:10])]


def test_a_column_may_hold_days_with_and_without_a_time(warehouse: Warehouse) -> None:
    assert [d for _, d in dates(warehouse, "2022-01-05", "2022-01-06 10:00", "2022-01-07T10:00:00Z")] == [
        "2022-01-05",
        "2022-01-06",
        "2022-01-07",
    ]


def test_one_cell_settles_the_whole_source(warehouse: Warehouse) -> None:
    assert [d for _, d in dates(warehouse, "03/04/2022", "25/04/2022")] == ["2022-04-03", "2022-04-25"]


def test_a_cell_in_another_file_settles_it(warehouse: Warehouse) -> None:
    warehouse.write("order,date,customer,amount\n1,03/04/2022,a,5\n", "in/a.csv")
    warehouse.write("order,date,customer,amount\n1,25/04/2022,a,5\n", "in/b.csv")
    report = warehouse.load("in")
    assert sorted(warehouse.mapped("order_date::text")) == [("2022-04-03",), ("2022-04-25",)]
    assert report.sources["sales"].notes == ["'date' is read day first, because of '25/04/2022'"]


def test_a_format_of_ones_own(warehouse: Warehouse) -> None:
    assert dates(warehouse, "Y2022 M01 D05", date_format="Y%Y M%m D%d") == [
        ("2022-01-05 00:00:00", "2022-01-05")
    ]


def test_times_are_in_the_projects_zone(warehouse: Warehouse) -> None:
    assert dates(warehouse, "2022-07-05 00:30:00", zone="Europe/Berlin") == [
        ("2022-07-04 22:30:00", "2022-07-05")
    ]


def test_times_may_be_in_a_zone_of_the_source(warehouse: Warehouse) -> None:
    found = dates(warehouse, "2022-07-05 23:30:00", zone="Europe/Berlin", time_zone="America/New_York")
    assert found == [("2022-07-06 03:30:00", "2022-07-06")]


def test_an_offset_says_more_than_the_zone(warehouse: Warehouse) -> None:
    assert dates(warehouse, "2022-07-05T23:30:00Z", zone="Europe/Berlin") == [
        ("2022-07-05 23:30:00", "2022-07-06")
    ]


def test_a_day_without_a_time_is_a_business_day(warehouse: Warehouse) -> None:
    assert dates(warehouse, "2022-07-05", zone="Europe/Berlin", time_zone="America/New_York") == [
        ("2022-07-04 22:00:00", "2022-07-05")
    ]


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["1,234.56", "7"], ["1234.5600", "7.0000"]),
        (["1.234,56", "7"], ["1234.5600", "7.0000"]),
        (["1,234,567", "1,234"], ["1234567.0000", "1234.0000"]),
        (["1.234", "12.50"], ["1.2340", "12.5000"]),
        (["1.234", "12,50"], ["1234.0000", "12.5000"]),
        (["103.086.297", "12,50"], ["103086297.0000", "12.5000"]),
        (["0.125"], ["0.1250"]),
        (["1234.567"], ["1234.5670"]),
        (["12,34,567.50"], ["1234567.5000"]),
        (["1 234,56", "2 000"], ["1234.5600", "2000.0000"]),
        (["1\u00a0234,56", "1\u202f000,5"], ["1234.5600", "1000.5000"]),
        (["1'234.56", "1’000.5"], ["1234.5600", "1000.5000"]),
        (["$1,234.50", "-$3.25", "($2.50)", "$ 7"], ["1234.5000", "-3.2500", "-2.5000", "7.0000"]),
        (["12.50 USD", "USD 3.25"], ["12.5000", "3.2500"]),
        (["(12.50)", "3.25-", "+4", "− 5"], ["-12.5000", "-3.2500", "4.0000", "-5.0000"]),
        (["1e3", "2.5E-2"], ["1000.0000", "0.0250"]),
        ([".5", "5."], ["0.5000", "5.0000"]),
        ([" 5.50 ", "007"], ["5.5000", "7.0000"]),
        (["1.00005", "-1.00005", "0.00004"], ["1.0001", "-1.0001", "0.0000"]),
    ],
)
def test_notations_of_numbers(warehouse: Warehouse, cells: list[str], expected: list[str]) -> None:
    assert amounts(warehouse, *cells) == expected


def test_rounding_is_told_and_the_sums_agree(warehouse: Warehouse) -> None:
    amounts(warehouse, "1.00005", "2.5")
    report = warehouse.load()
    assert any("more than four decimals (1) are rounded" in note for note in report.sources["sales"].notes)
    assert warehouse.rows("select amount_read::text, amount_mapped::text from mapped.source_totals") == [
        ("3.5001", "3.5001")
    ]


def test_percent_is_a_share_in_discounts_only(warehouse: Warehouse) -> None:
    warehouse.write(
        "order,date,customer,amount,off\n1,2022-01-05,a,5.5,20%\n2,2022-01-05,a,5.5,12.5 %\n3,2022-01-05,a,5.5,0.1\n"
    )
    warehouse.load(columns={**COLUMNS, "discount": "off"})
    assert warehouse.mapped("discount::text") == [("0.2000",), ("0.1250",), ("0.1000",)]


@pytest.mark.parametrize(
    ("discount_off", "off", "expected"),
    [
        (None, "0.1", "21.0000"),
        ("fraction", "0.1", "18.9000"),
        ("percent", "10", "18.9000"),
        ("amount", "1.5", "19.5000"),
    ],
)
def test_amounts_from_quantity_and_unit_price(
    warehouse: Warehouse, discount_off: str | None, off: str, expected: str
) -> None:
    warehouse.write(f"order,date,customer,q,p,off\n1,2022-01-05,a,6,3.50,{off}\n")
    columns = {
        **{k: v for k, v in COLUMNS.items() if k != "amount"},
        "quantity": "q",
        "unit_price": "p",
        "discount": "off",
    }
    warehouse.load(columns=columns, discount_off=discount_off)
    assert warehouse.mapped("amount::text") == [(expected,)]


def test_only_a_missing_amount_is_computed(warehouse: Warehouse) -> None:
    warehouse.write(
        "order,date,customer,amount,q,p\n1,2022-01-05,a,5.5,6,3.50\n2,2022-01-05,a,,6,3.50\n3,2022-01-05,a,x,6,3.50\n4,2022-01-05,a,,6,\n"
    )
    warehouse.load(columns={**COLUMNS, "quantity": "q", "unit_price": "p"})
    assert warehouse.mapped("amount::text") == [("5.5000",), ("21.0000",)]
    assert warehouse.refused() == [(3, "bad_number"), (4, "missing_amount")]


def test_kinds_by_rules_then_by_signs(warehouse: Warehouse) -> None:
    warehouse.write(
        "order,date,customer,q,p,type\nC1,2022-01-05,a,-1,5.5,x\n2,2022-01-05,a,-1,5.5,x\n3,2022-01-05,a,1,-5.5,x\n"
        "4,2022-01-05,a,-1,0,x\n5,2022-01-05,a,1,0,x\n6,2022-01-05,a,1,5.5,credit\n7,2022-01-05,a,1,5.5,memo\n8,2022-01-05,a,1,5.5,x\n"
    )
    columns = {**{k: v for k, v in COLUMNS.items() if k != "amount"}, "quantity": "q", "unit_price": "p"}
    kinds = {
        "cancellation": {"column": "order", "starts_with": "C"},
        "credit_note": {"column": "type", "in": ["credit", "memo"]},
    }
    warehouse.load(columns=columns, kinds=kinds)
    assert [k for (k,) in warehouse.mapped("kind")] == [
        "cancellation", "return", "adjustment", "adjustment", "sale", "credit_note", "credit_note", "sale",
    ]  # fmt: skip


def test_kinds_by_equality_and_bound(warehouse: Warehouse) -> None:
    warehouse.write(
        "order,date,customer,amount,q,type\n1,2022-01-05,a,5.5,-1,x\n2,2022-01-05,a,5.5,1,R\n3,2022-01-05,a,5.5,1,x\n"
    )
    warehouse.load(kinds={"refund": {"column": "type", "equals": "R"}, "return": {"column": "q", "below": 0}})
    assert [k for (k,) in warehouse.mapped("kind")] == ["return", "refund", "sale"]


def test_kinds_from_a_column(warehouse: Warehouse) -> None:
    warehouse.write(
        "order,date,customer,amount,kind\n1,2022-01-05,a,5.5,Credit "
        "Note\n2,2022-01-05,a,-5.5,\n3,2022-01-05,a,5.5,gift\n"
    )
    warehouse.load(columns={**COLUMNS, "kind": "kind"})
    assert [k for (k,) in warehouse.mapped("kind")] == ["credit_note", "return"]
    assert warehouse.refused() == [(3, "bad_kind")]


def test_a_loss_is_a_sale(warehouse: Warehouse) -> None:
    warehouse.write("order,date,customer,amount,profit\n1,2022-01-05,a,5.5,-9.25\n")
    warehouse.load(columns={**COLUMNS, "margin": "profit"})
    assert warehouse.mapped("kind, margin::text") == [("sale", "-9.2500")]


def test_ids_that_went_through_floats(warehouse: Warehouse) -> None:
    warehouse.write(
        "order,date,customer,amount\n1.0,2022-01-05,17850.0,5.5\n2.0,2022-01-05,,5.5\n3.5,2022-01-05,13047.0,5.5\n"
    )
    warehouse.load()
    assert warehouse.mapped("order_id, customer_id") == [("1.0", "17850"), ("3.5", "13047")]


def test_the_name_is_the_key_where_there_is_none(warehouse: Warehouse) -> None:
    warehouse.write("date,customer,amount\n2022-01-05,Ann,5.5\n")
    warehouse.load(columns={"ordered_at": "date", "customer_name": "customer", "amount": "amount"})
    assert warehouse.mapped("customer_id, customer_name, order_id") == [("Ann", "Ann", None)]


def test_currencies_of_lines(warehouse: Warehouse) -> None:
    warehouse.write(
        "order,date,customer,amount,cur\n1,2022-01-05,a,5.5,eur\n2,2022-01-05,a,5.5,\n3,2022-01-05,a,5.5,euros\n"
    )
    warehouse.load(columns={**COLUMNS, "currency": "cur"})
    assert warehouse.mapped("currency") == [("EUR",), ("USD",)]
    assert warehouse.refused() == [(3, "bad_currency")]


def test_words_for_nothing(warehouse: Warehouse) -> None:
    warehouse.write(
        "order,date,customer,amount\n1,2022-01-05,NULL,5.5\n2,2022-01-05,Null,5.5\n3,2022-01-05,-,5.5\n"
    )
    warehouse.load()
    assert warehouse.refused() == [(1, "missing_customer")]
    warehouse.load(missing=["-"])
    assert warehouse.refused() == [(3, "missing_customer")]


OURS = [
    "c",
    "n",
    "d",
    "h",
    "q",
    "f",
    "r",
    "t0",
    "shape",
    "cells",
    "days",
    "parsed",
    "judged",
    "taken",
    "bad",
    "said",
]


@pytest.mark.parametrize(
    "column", [*OURS, "c_amount", "v_amount", "v_ordered_at_local", "_value", "_why", "_empty"]
)
def test_a_column_may_be_called_what_our_queries_call_theirs(warehouse: Warehouse, column: str) -> None:
    others = [c for c in OURS if c != column]
    header = ",".join(["order", "date", column, "customer", *others])
    rows = [
        ("1", "13/01/2022", '"1,5"', "a"),
        ("2", "02/01/2022", '"2,5"', "b"),
        ("2", "02/01/2022", "x", "b"),
    ]
    filling = ",".join("7" for _ in others)
    warehouse.write("\n".join([header, *(",".join([*row, filling]) for row in rows)]) + "\n")
    warehouse.load(columns={**COLUMNS, "amount": column}, attributes={"more": others[0]})
    assert warehouse.mapped("order_date::text, amount::text") == [
        ("2022-01-13", "1.5000"),
        ("2022-01-02", "2.5000"),
    ]
    assert warehouse.refused() == [(3, "bad_number")]


@pytest.mark.parametrize(
    "column", [*OURS, "c_ordered_at", "v_ordered_at_local", "v_ordered_at_instant", "order_date"]
)
def test_a_column_of_dates_may_be_called_so_too(warehouse: Warehouse, column: str) -> None:
    warehouse.write(f"order,{column},customer,amount\n1,13/01/2022,a,1.5\n2,02/01/2022,b,2.5\n")
    warehouse.load(columns={**COLUMNS, "ordered_at": column}, attributes={"more": column})
    assert warehouse.mapped("order_date::text, amount::text") == [
        ("2022-01-13", "1.5000"),
        ("2022-01-02", "2.5000"),
    ]


@pytest.mark.parametrize("source_zone", ["America/New_York", "Asia/Tokyo", None])
def test_a_date_beside_times_is_a_business_day_as_it_is(
    warehouse: Warehouse, source_zone: str | None
) -> None:
    found = dates(
        warehouse, "2022-01-05", "2022-01-05 12:00", "2022-01-06T01:00:00Z", "Jan 7, 2022", "20220108",
        zone="Europe/Berlin", time_zone=source_zone,
    )  # fmt: skip
    midnight = ["2022-01-04 23:00:00", "2022-01-06 23:00:00", "2022-01-07 23:00:00"]
    assert [found[i] for i in (0, 3, 4)] == [
        (at, day) for at, day in zip(midnight, ["2022-01-05", "2022-01-07", "2022-01-08"], strict=True)
    ]
    assert (
        found[1]
        == {
            "America/New_York": ("2022-01-05 17:00:00", "2022-01-05"),
            "Asia/Tokyo": ("2022-01-05 03:00:00", "2022-01-05"),
            None: ("2022-01-05 11:00:00", "2022-01-05"),
        }[source_zone]
    )
    assert found[2] == ("2022-01-06 01:00:00", "2022-01-06")


def test_a_date_beside_times_keeps_its_day_where_the_project_counts_in_utc(warehouse: Warehouse) -> None:
    assert dates(warehouse, "05/13/2022", "05/14/2022 23:00", time_zone="America/New_York") == [
        ("2022-05-13 00:00:00", "2022-05-13"),
        ("2022-05-15 03:00:00", "2022-05-15"),
    ]
