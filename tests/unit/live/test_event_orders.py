"""Orders out of events of one customer: the rules of the run, whatever order things are told in."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from evervalue.live.event_orders import Known, Read, Rules, read_orders


def rate(currency: str, day: dt.date) -> Decimal | None:
    return Decimal(2) if currency == "EUR" and day.day <= 10 else None


RULES = Rules("USD", ZoneInfo("UTC"), "revenue", False, rate, lambda product, day: None)


def told(what: str, day: int = 1, number: str = "7", **properties: Any) -> dict[str, Any]:
    at = f"2024-03-{day:02}T12:00:00Z"
    event = {"type": "track", "event": f"Order {what}", "messageId": "m", "timestamp": at, "receivedAt": at}
    return {**event, "properties": {"order_id": number, **properties}}


def read(
    *events: dict[str, Any], known: Known | None = None, before: list[dict[str, Any]] | None = None
) -> Read:
    return read_orders("web", events, lambda number: known or Known(), RULES, lambda: before or [])


def revenues(found: Read) -> list[tuple[str, int]]:
    return [(one.kind, int(one.revenue)) for one in found.orders]


def test_what_is_taken_back_before_the_order_is_told_is_held_against_it() -> None:
    found = read(
        told("Refunded", subtotal=30, currency="USD"), told("Completed", subtotal=20, currency="USD")
    )
    assert revenues(found) == [("refund", -30), ("adjustment", 10), ("sale", 20)]
    found = read(told("Refunded", currency="USD"), told("Completed", subtotal=20, currency="USD"))
    assert revenues(found) == [("refund", -20), ("sale", 20)]


def test_an_order_without_a_rate_was_told_all_the_same() -> None:
    found = read(
        told("Completed", 20, subtotal=20, currency="EUR"), told("Completed", 5, subtotal=20, currency="EUR")
    )
    assert (revenues(found), found.unread, found.again) == ([], 1, 1)


def test_who_names_no_currency_is_kept_apart_from_who_does() -> None:
    order = told("Completed", subtotal=20)
    back = told("Refunded", subtotal=40, currency="USD")
    assert revenues(read(order, back)) == [("sale", 20), ("refund", -40)]
    assert revenues(read(back, known=Known({"sale"}, {"USD": Decimal(20)}), before=[order])) == [
        ("refund", -40)
    ]
    assert revenues(read(back, known=Known({"sale"}, {"USD": Decimal(20)}))) == [
        ("refund", -40),
        ("adjustment", 20),
    ]


def test_what_waits_in_quarantine_since_the_run_before_was_told() -> None:
    order = told("Completed", 20, subtotal=20, currency="EUR")
    found = read(told("Completed", 5, subtotal=20, currency="EUR"), before=[order])
    assert (revenues(found), found.again) == ([], 1)


def test_cancelled_after_refunds_of_an_order_that_is_not_known_gives_back_what_goes_beyond() -> None:
    found = read(
        told("Refunded", subtotal=50, currency="USD"), told("Cancelled", subtotal=20, currency="USD")
    )
    assert revenues(found) == [("refund", -50), ("cancellation", -20), ("adjustment", 50)]


def test_an_order_of_another_is_not_taken_back() -> None:
    back = told("Refunded", subtotal=5, currency="USD")
    assert revenues(read(back, known=Known(of_another=lambda: True))) == []
    own = told("Completed", subtotal=20, currency="USD")
    assert revenues(read(back, own, known=Known(of_another=lambda: True))) == [("refund", -5), ("sale", 20)]


def test_a_number_that_the_tables_cannot_read_is_none_here() -> None:
    for amount in ("\N{ARABIC-INDIC DIGIT THREE}", "1_0", "1,5", True, "x"):
        assert revenues(read(told("Completed", subtotal=amount))) == [], amount
    dear = [{"price": "10000000000", "quantity": "0.1"}]
    assert read(told("Completed", products=dear)).unread == 1
