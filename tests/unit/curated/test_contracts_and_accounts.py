"""Contracts with their recurring revenue, balances, statements of interest and fees, orders that two systems hold."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest

from tests.support.mapped import Mapped


def on(text: str) -> dt.date:
    return dt.date.fromisoformat(text)


def contract(
    mapped: Mapped, number: str, customer: str, start: str, end: str | None, amount: object, **more: Any
) -> None:
    mapped.add(
        "subscriptions",
        "billing",
        {"subscription_id": number, "customer_id": customer, "started_on": on(start),
         "ended_on": on(end) if end else None, "amount": amount, "currency": "EUR", **more},
    )  # fmt: skip


def test_recurring_revenue_moves_by_customer_and_month() -> None:
    mapped = Mapped()
    mapped.source("billing", "subscriptions")
    mapped.settings(as_of=on("2024-08-01"))
    contract(mapped, "1", "ann", "2024-01-10", "2024-03-05", 100)
    contract(mapped, "1", "ann", "2024-03-05", None, 1200, period="year")
    contract(mapped, "2", "ann", "2024-06-30", None, 10, period="quarter")
    contract(mapped, "3", "bob", "2024-02-01", "2024-02-29", 50)
    contract(mapped, "4", "bob", "2024-02-01", "2024-04-30", 50)
    contract(mapped, "5", "bob", "2024-06-01", None, 50)
    contract(mapped, "6", "bob", "2024-05-01", None, 70, status="Trialing")
    mapped.build("curated.mrr_by_month", "curated.customers")
    assert mapped.rows(
        "select month::text, mrr_before, mrr, movement from curated.mrr_by_month where customer_id = 'ann' order by 1"
    ) == [
        ("2024-01-01", 0, 100, "new"),
        ("2024-02-01", 100, 100, "unchanged"),
        ("2024-03-01", 100, 100, "unchanged"),
        ("2024-04-01", 100, 100, "unchanged"),
        ("2024-05-01", 100, 100, "unchanged"),
        ("2024-06-01", 100, Decimal("103.3333"), "expansion"),
        ("2024-07-01", Decimal("103.3333"), Decimal("103.3333"), "unchanged"),
    ]
    assert mapped.rows(
        "select month::text, change, movement from curated.mrr_by_month where customer_id = 'bob' order by 1"
    ) == [
        ("2024-02-01", 50, "new"),
        ("2024-03-01", 0, "unchanged"),
        ("2024-04-01", -50, "churn"),
        ("2024-06-01", 50, "reactivation"),
        ("2024-07-01", 0, "unchanged"),
    ]
    by_month = mapped.rows(
        "select month, sum(mrr), sum(change) from curated.mrr_by_month group by month order by month"
    )
    before = Decimal(0)
    for _, mrr, change in by_month:
        assert mrr == before + change
        before = mrr
    assert mapped.rows("select customer_id from curated.customers order by 1") == [("ann",), ("bob",)]


def test_contracts_that_contradict_themselves_are_refused() -> None:
    mapped = Mapped()
    mapped.source("billing", "subscriptions")
    contract(mapped, "1", "ann", "2024-01-10", None, 100, status="canceled")
    contract(mapped, "2", "ann", "2024-01-10", "2024-01-01", 100)
    contract(mapped, "3", "ann", "2024-01-10", None, 100)
    contract(mapped, "3", "ann", "2024-01-10", None, 100)
    contract(mapped, "4", "ann", "2024-01-10", None, 100)
    contract(mapped, "4", "ann", "2024-01-10", None, 101)
    mapped.build("curated.subscriptions")
    assert mapped.rows("select line, reason from curated.refused_rows order by 1") == [
        (1, "ended_without_day"), (2, "ends_before_it_begins"), (4, "same_id"), (5, "conflicting_row"),
        (6, "conflicting_row"),
    ]  # fmt: skip


def test_balances_stand_until_the_next_one() -> None:
    mapped = Mapped()
    mapped.source("bank", "balances")
    for account, day, balance in (
        ("1", "2024-01-11", 100), ("1", "2024-01-21", "400.01"), ("1", "2024-03-01", 0), ("2", "2024-03-31", -5),
    ):  # fmt: skip
        mapped.add(
            "balances", "bank",
            {"account_id": account, "customer_id": "ann", "balance_date": on(day), "balance": balance,
             "currency": "EUR"},
        )  # fmt: skip
    mapped.build("curated.balance_by_month")
    assert mapped.rows(
        "select account_id, month::text, known_days, average_balance, last_balance "
        "from curated.balance_by_month order by 1, 2"
    ) == [
        ("1", "2024-01-01", 21, Decimal("257.1481"), Decimal("400.01")),
        ("1", "2024-02-01", 29, Decimal("400.01"), Decimal("400.01")),
        ("1", "2024-03-01", 31, 0, 0),
        ("2", "2024-03-01", 1, -5, -5),
    ]


def test_interest_and_fees_are_orders_of_their_statements() -> None:
    mapped = Mapped()
    mapped.source("bank", "income")
    for account, day, income, expense, fees in (
        ("L1", "2024-01-31", 80, 30, None), ("L1", "2024-02-29", 80, 30, 5), ("G1", "2024-01-31", None, 12, 3),
        ("L1", "2024-03-31", -8, None, None),
    ):  # fmt: skip
        mapped.add(
            "income", "bank",
            {"account_id": account, "customer_id": "ann", "period_end": on(day), "interest_income": income,
             "interest_expense": expense, "fees": fees, "currency": "EUR"},
        )  # fmt: skip
    totals = {"source": "bank", "file_id": "f", "provides": "income", "rows_read": 4, "rows_mapped": 4,
              "rows_quarantined": 0, "rows_set_aside": 0, "amount_read": 160, "amount_mapped": 160}  # fmt: skip
    mapped._insert("mapped.source_totals", [totals])
    mapped.build("curated.orders", "curated.reconciliation", "curated.customers")
    assert mapped.rows(
        "select order_key, kind, revenue, margin, monetary from curated.orders order by order_key"
    ) == [
        ("bank/G1 2024-01-31 ann", "sale", 3, -9, -9),
        ("bank/L1 2024-01-31 ann", "sale", 80, 50, 50),
        ("bank/L1 2024-02-29 ann", "sale", 85, 55, 55),
        ("bank/L1 2024-03-31 ann~adjustment~2024-03-31", "adjustment", -8, -8, -8),
    ]
    assert mapped.rows(
        "select rows_stored, amount_stored, amount_unexplained from curated.reconciliation"
    ) == [(4, 160, 0)]


def test_what_a_joint_account_brings_stays_with_each_of_its_customers() -> None:
    mapped = Mapped()
    mapped.source("bank", "income")
    for customer, income in (("zoe", 100), ("adam", 50), ("zoe", 7)):
        mapped.add(
            "income", "bank",
            {"account_id": "J1", "customer_id": customer, "period_end": on("2024-01-31"), "interest_income": income,
             "currency": "EUR"},
        )  # fmt: skip
    mapped.build("curated.orders")
    assert mapped.rows("select order_id, customer_id, revenue from curated.orders order by 2") == [
        ("J1 2024-01-31", "adam", 50),
        ("J1 2024-01-31", "zoe", 107),
    ]


@pytest.mark.parametrize("rule", ["keep", "once"])
def test_an_order_that_two_systems_hold_alike(rule: str) -> None:
    mapped = Mapped(same_orders=rule)
    for source in ("pos", "shop"):
        mapped.source(source, "order_lines", customer_keys="company")
    margin = {"margin": 1}
    mapped.sales("shop", ("1", "2024-01-02", "ann", 60, margin), ("1", "2024-01-02", "ann", 40, margin))
    mapped.sales("pos", ("1", "2024-01-02", "ann", 100, margin))
    for source, customer, day, amount in (("shop", "ann", "2024-01-03", 5), ("pos", "bob", "2024-01-03", 5)):
        mapped.sales(source, ("2", day, customer, amount, margin))
    mapped.sales("shop", ("3", "2024-01-03", "ann", 5, margin))
    mapped.sales("pos", ("3", "2024-01-03", "ann", 6, margin))
    mapped.build("curated.orders", "curated.customers")
    assert mapped.rows("select source, order_id, amount, line_count, is_kept from curated.same_orders order by 1") == [
        ("pos", "1", 100, 1, True), ("shop", "1", 100, 2, rule == "keep"),
    ]  # fmt: skip
    stored = mapped.rows("select source, count(*) from curated.order_lines group by 1 order by 1")
    assert stored == [("pos", 3), ("shop", 4 if rule == "keep" else 2)]
    refused = mapped.rows("select source, verdict, reason, count(*) from curated.refused_lines group by all")
    assert refused == ([] if rule == "keep" else [("shop", "duplicate", "same_order", 2)])


def test_an_order_that_counts_once_is_not_lost_where_its_first_copy_is_refused() -> None:
    mapped = Mapped(same_orders="once")
    for source in ("app", "pos", "shop"):
        mapped.source(source, "order_lines", customer_keys="company")
        mapped.sales(source, ("1", "2024-01-02", "ann", 100, {"margin": 1, "line_id": "1"}))
        mapped.sales(source, ("2", "2024-01-03", "cy", 30, {"margin": 1, "line_id": "2"}))
    mapped.sales("app", ("9", "2024-01-05", "bob", 70, {"margin": 1, "line_id": "1"}))  # contradicts order 1
    mapped.build("curated.orders")
    assert mapped.rows("select source, order_id, amount from curated.order_lines order by 2") == [
        ("pos", "1", 100),
        ("app", "2", 30),
    ]
    assert mapped.rows("select source, order_id, verdict from curated.refused_lines join mapped.order_lines "
                       "using (source, file_id, line) where order_id <> '2' order by all") == [
        ("app", "1", "quarantined"), ("app", "9", "quarantined"), ("shop", "1", "duplicate"),
    ]  # fmt: skip


def test_keys_of_one_customer_may_share_an_order() -> None:
    mapped = Mapped()
    mapped.source("shop", "order_lines")
    mapped.sales(
        "shop", ("1", "2024-01-02", "ann", 60, {"margin": 1}), ("1", "2024-01-02", "ann2", 40, {"margin": 1})
    )
    mapped.build("curated.orders")
    assert len(mapped.rows("from curated.refused_lines")) == 2
    for key in ("ann", "ann2"):
        mapped.add("identifiers", "shop", {"customer_id": key, "type": "email", "value": "ann@firm.de"})
    mapped.build("curated.orders")
    assert mapped.rows("select customer_id, revenue, line_count from curated.orders") == [("ann", 100, 2)]


def test_an_order_key_comes_from_the_row_where_it_can() -> None:
    mapped = Mapped()
    mapped.source("shop", "order_lines")
    for order, key in (("1", "k1"), (None, "k2"), (None, None)):
        mapped.sales("shop", (order, "2024-01-02", "ann", 60, {"margin": 1, "row_key": key}))
    mapped.build("curated.orders")
    assert mapped.rows("select order_key from curated.orders order by 1") == [
        ("shop#f:3",),
        ("shop#k2",),
        ("shop/1",),
    ]
