"""Costs of lines, orders, customers and periods, and what they make of margins."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest

from evervalue.core.errors import CheckFailed
from tests.support.mapped import Mapped

JANUARY = dt.date(2024, 1, 15)
ALL = ("curated.cost_totals", "curated.order_lines", "curated.missing_rates", "curated.reconciliation")


def shop(**settings: Any) -> Mapped:
    mapped = Mapped(**settings)
    mapped.source("shop", "order_lines", customer_keys="company")
    mapped.source("erp", "cost_entries", customer_keys="company")
    return mapped


def cost(mapped: Mapped, amount: object, source: str = "erp", **more: Any) -> None:
    mapped.add("cost_entries", source, {"amount": amount, "currency": "EUR", **more})


def test_margins_with_costs_from_everywhere() -> None:
    mapped = shop()
    mapped.sales(
        "shop",
        ("1", "2024-01-02", "ann", 100, {"line_id": "a", "cost": 40}),
        ("1", "2024-01-02", "ann", 50, {"line_id": "b"}),
        ("2", "2024-01-03", "bob", 80, {"line_id": "c", "margin": 30}),
    )
    cost(mapped, 20, line_id="b", cost_kind="cogs")
    cost(mapped, 3, order_id="1", cost_kind="shipping")
    cost(mapped, 5, customer_id="bob", cost_date=JANUARY, cost_kind="service")
    cost(mapped, "2.3", cost_date=JANUARY, cost_kind="marketing")
    mapped.build(*ALL)
    found = mapped.rows(
        "select line_id, cost, allocated_cost, margin, monetary from curated.order_lines order by 1"
    )
    assert found == [
        # 100 - 40 - 2 of the shipping - 1 of the marketing
        ("a", Decimal(43), Decimal(3), Decimal(57), Decimal(57)),
        ("b", Decimal("21.5"), Decimal("21.5"), Decimal("28.5"), Decimal("28.5")),
        # A given margin knows the costs of its own source; what comes from elsewhere is taken off it.
        ("c", Decimal("5.8"), Decimal("5.8"), Decimal("24.2"), Decimal("24.2")),
    ]
    assert mapped.rows("select cost_kind, amount, allocated, unallocated from curated.cost_totals order by 1") == [
        ("cogs", 20, 20, 0), ("marketing", Decimal("2.3"), Decimal("2.3"), 0), ("service", 5, 5, 0),
        ("shipping", 3, 3, 0),
    ]  # fmt: skip


def test_shared_costs_alone_are_no_cost_of_a_line() -> None:
    mapped = shop()
    mapped.sales("shop", ("1", "2024-01-02", "ann", 100))
    cost(mapped, 7, cost_date=JANUARY, cost_kind="marketing")
    with pytest.raises(CheckFailed, match="every line has a margin or a cost"):
        mapped.build(*ALL)
    mapped.settings(allow_missing_cost=True)
    mapped.build(*ALL)
    assert mapped.rows("select cost, margin, monetary from curated.order_lines") == [(7, None, 93)]


def test_what_no_line_bears_is_listed_with_its_reason() -> None:
    mapped = shop()
    mapped.source("market", "order_lines", customer_keys="company")
    for source in ("shop", "market"):
        mapped.sales(source, ("7", "2024-01-02", "ann", 100, {"margin": 1, "category": "pens"}))
    cost(mapped, 1, line_id="x")
    cost(mapped, 2, order_id="8")
    cost(mapped, 3, order_id="7")
    cost(mapped, 4, customer_id="zed", cost_date=JANUARY)
    cost(mapped, 5, customer_id="ann", cost_date=dt.date(2024, 2, 1))
    cost(mapped, 6, cost_date=JANUARY, category="ink")
    cost(mapped, 8, cost_date=JANUARY, category="pens")
    mapped.build(*ALL)
    assert mapped.rows("select amount, level, names, reason from curated.unallocated_costs order by 1") == [
        (1, "line", "x", "no_such_line"),
        (2, "order", "8", "no_such_order"),
        (3, "order", "7", "order_of_several_sources"),
        (4, "customer", "zed", "no_such_customer"),
        (5, "customer", "ann", "no_line_in_period"),
        (6, "period", None, "no_line_in_scope"),
    ]
    assert mapped.rows(
        "select amount, allocated, unallocated, unallocated_count from curated.cost_totals"
    ) == [(29, 8, 21, 6)]


def test_an_order_number_means_the_order_of_the_same_system_first() -> None:
    mapped = shop()
    mapped.source("erp.lines", "order_lines", system="erp", customer_keys="company")
    for source in ("shop", "erp.lines"):
        mapped.sales(source, ("7", "2024-01-02", "ann", 100, {"margin": 1}))
    cost(mapped, 3, order_id="7")
    mapped.build(*ALL)
    assert mapped.rows("select source, amount from curated.cost_allocations") == [("erp.lines", 3)]


@pytest.mark.parametrize(
    ("period", "start", "until"),
    [
        ({"cost_date": JANUARY}, "2024-01-01", "2024-02-01"),
        ({"period_start": dt.date(2024, 2, 10)}, "2024-02-10", "2024-03-01"),
        ({"period_start": dt.date(2024, 1, 1), "period_end": dt.date(2024, 3, 31)}, "2024-01-01", "2024-04-01"),
        ({"cost_date": JANUARY, "period_start": dt.date(2024, 1, 8), "period_end": dt.date(2024, 1, 8)},
         "2024-01-08", "2024-01-09"),
    ],
)  # fmt: skip
def test_the_period_of_a_cost(period: dict[str, Any], start: str, until: str) -> None:
    mapped = shop()
    mapped.sales("shop", ("1", "2024-01-08", "ann", 100, {"margin": 1}))
    cost(mapped, 1, **period)
    mapped.build(*ALL)
    assert mapped.rows("select period_start::text, period_until::text from curated.cost_entries") == [
        (start, until)
    ]


def test_refused_and_repeated_entries_are_counted() -> None:
    mapped = shop()
    mapped.sales("shop", ("1", "2024-01-02", "ann", 100, {"margin": 1}))
    cost(mapped, 1, entry_id="1", order_id="1")
    cost(mapped, 1, entry_id="1", order_id="1")
    cost(mapped, 2, entry_id="2", order_id="1")
    cost(mapped, 3, entry_id="2", order_id="1")
    cost(mapped, 4)
    cost(mapped, 5, period_start=JANUARY, period_end=dt.date(2024, 1, 1))
    mapped.add("cost_entries", "erp", {"amount": 6, "currency": "USD", "order_id": "1"})
    cost(mapped, 8, order_id="1")
    cost(mapped, 8, order_id="1")
    totals = {"source": "erp", "file_id": "f", "provides": "cost_entries", "rows_read": 9, "rows_mapped": 9,
              "rows_quarantined": 0, "rows_set_aside": 0, "amount_read": 38, "amount_mapped": 38}  # fmt: skip
    mapped._insert("mapped.source_totals", [totals])
    mapped.build(*ALL)
    assert mapped.rows("select line, verdict, reason from curated.refused_rows order by 1") == [
        (2, "duplicate", "same_id"), (3, "quarantined", "conflicting_row"), (4, "quarantined", "conflicting_row"),
        (5, "quarantined", "missing_period"), (6, "quarantined", "ends_before_it_begins"),
        (7, "quarantined", "no_day_for_rate"),
    ]  # fmt: skip
    assert mapped.rows(
        "select rows_stored, rows_duplicate, rows_quarantined, amount_stored, amount_duplicate, amount_quarantined, "
        "amount_unexplained from curated.reconciliation"
    ) == [(3, 1, 5, 17, 1, 20, 0)]
    mapped.con.execute("update run.source_settings set duplicates = 'drop' where source = 'erp'")
    mapped.build(*ALL)
    assert mapped.rows("select line, reason from curated.refused_rows where line > 7") == [
        (9, "same_content")
    ]


def test_costs_in_another_currency_take_the_rate_of_their_day() -> None:
    mapped = shop()
    mapped.source("ecb", "rates")
    mapped.sales("shop", ("1", "2024-01-02", "ann", 100, {"margin": 1}))
    mapped.add(
        "cost_entries", "erp", {"amount": "10.05", "currency": "USD", "order_id": "1", "cost_date": JANUARY}
    )
    with pytest.raises(CheckFailed, match="order_date=2024-01-15, from_currency=USD, to_currency=EUR"):
        mapped.build("curated.missing_rates")
    mapped.add(
        "rates", "ecb", {"rate_date": JANUARY, "from_currency": "USD", "to_currency": "EUR", "rate": "0.9"}
    )
    mapped.build(*ALL)
    assert mapped.rows("select source_amount, amount from curated.cost_entries") == [
        (Decimal("10.05"), Decimal("9.045"))
    ]
    assert mapped.rows("select sum(amount) from curated.cost_allocations") == [(Decimal("9.045"),)]


def test_an_inverse_rate_is_not_taken() -> None:
    mapped = shop()
    mapped.source("ecb", "rates")
    mapped.sales("shop", ("1", "2024-01-15", "ann", 100, {"margin": 1, "currency": "USD"}))
    mapped.add(
        "rates", "ecb", {"rate_date": JANUARY, "from_currency": "EUR", "to_currency": "USD", "rate": "1.1"}
    )
    with pytest.raises(CheckFailed, match="from_currency=USD, to_currency=EUR"):
        mapped.build("curated.missing_rates")
