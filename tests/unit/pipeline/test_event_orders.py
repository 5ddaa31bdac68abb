"""What is judged of an order when events of it come: what counts, what is told again, and whose it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.sites import Site, order

DAY = "2024-01-05"
BACK, OFF = "Order Refunded", "Order Cancelled"


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path / "shop")


@pytest.mark.parametrize("together", [True, False])
def test_a_cancellation_after_a_partial_refund_takes_back_the_rest(site: Site, together: bool) -> None:
    whole = (("p1", 60, 1), ("p2", 40, 1))
    for event in (
        order("o1", DAY, *whole),
        order("o1", DAY, ("p2", 40, 1), event=BACK),
        order("o1", DAY, *whole, event=OFF),
    ):
        site.send(event)
        if not together:
            site.write()
    assert site.counted() == {("o1", "u1"): 0}
    assert site.written("select part, amount::double from written where part = 'beyond'") == [("beyond", 40)]


def test_never_more_is_taken_back_than_the_order_was(site: Site) -> None:
    ways = {"o1": [OFF, BACK], "o2": [BACK, BACK, BACK], "o3": [OFF, OFF], "o4": [BACK], "o5": []}
    for number in ways:
        site.send(order(number, DAY, ("p1", 100, 1), discount=8))
    for place in range(3):
        for number, events in ways.items():
            if place < len(events):
                site.send(order(number, DAY, ("p1", 100, 1), event=events[place]))
        site.write()
    assert site.counted() == {(number, "u1"): 0 if events else 92 for number, events in ways.items()}


def test_parts_that_are_taken_back_are_not_capped_before_the_whole_is(site: Site) -> None:
    site.send(
        order("o1", DAY, ("p1", 10, 3)), *(order("o1", DAY, ("p1", 10, 1), event=BACK) for _ in range(2))
    )
    assert site.counted() == {("o1", "u1"): 10}


def test_what_is_taken_back_of_orders_that_came_another_way_counts_once(site: Site) -> None:
    site.send(
        order("o1", DAY, ("p2", 40, 1), event=BACK), order("o1", DAY, ("p1", 60, 1), ("p2", 40, 1), event=OFF)
    )
    site.send(order("o2", DAY, ("p1", 5, 1), event=OFF), order("o2", DAY, ("p1", 5, 1), event=BACK))
    assert site.counted() == {("o1", "u1"): -100, ("o2", "u1"): -5}


def test_amounts_taken_back_may_be_written_with_a_minus_sign(site: Site) -> None:
    site.send(order("o1", DAY, ("p1", 10, 2)), order("o1", DAY, ("p1", -10, 1), event=BACK))
    site.send(order("o2", DAY, subtotal=9), order("o2", DAY, event=BACK, total=-4))
    assert site.counted() == {("o1", "u1"): 10, ("o2", "u1"): 5}


def test_a_refund_without_amounts_is_one_of_the_whole_order(site: Site) -> None:
    site.send(order("o1", DAY, ("p1", 10, 2), discount=1, currency="EUR"))
    site.write()
    site.send({"type": "track", "event": BACK, "userId": "u1", "properties": {"order_id": "o1"}})
    site.send({"type": "track", "event": BACK, "userId": "u1", "properties": {"order_id": "o9"}})
    assert site.counted() == {("o1", "u1"): 0}
    assert site.written("select distinct currency from written where order_told = 'o1'") == [("EUR",)]
    assert site.faults() == [("o9", None, "missing_amount")]


@pytest.mark.parametrize("together", [True, False])
def test_an_order_that_could_not_be_read_counts_when_it_is_told_again(site: Site, together: bool) -> None:
    for event in (
        order("o1", DAY, subtotal="ten"),
        order("o1", DAY, subtotal=10),
        order("o1", DAY, subtotal=11),
        order("o2", DAY, ("p1", 10, 1), ("p2", "?", 1), discount="none"),
        order("o2", DAY, ("p2", 5, 1), ("p1", 10, 1), discount=1),
        order("o2", DAY, ("p2", 6, 1), ("p1", 11, 1), discount=2),
    ):
        site.send(event)
        if not together:
            site.write()
    assert site.counted() == {("o1", "u1"): 10, ("o2", "u1"): 14}


def test_the_same_product_twice_in_an_order_is_two_lines(site: Site) -> None:
    site.send(order("o1", DAY, ("p1", 10, 1), ("p1", "?", 1)), order("o1", DAY, ("p1", 10, 1), ("p1", 7, 1)))
    assert site.counted() == {("o1", "u1"): 17}


def test_what_is_no_amount_says_so_and_the_others_count(site: Site) -> None:
    odd: list[tuple[Any, Any, str]] = [
        ("EUR 5", 1, "bad_number"),
        ("5 USD", 1, "bad_number"),
        ("$5", 1, "bad_number"),
        ("1,5", 1, "bad_number"),
        ("1_000", 1, "bad_number"),
        ("0x1F", 1, "bad_number"),
        ("NaN", 1, "bad_number"),
        ("Infinity", 1, "bad_number"),
        (True, 1, "bad_number"),
        ({"a": 1}, 1, "bad_number"),
        ([1], 1, "bad_number"),
        (5, "two", "bad_number"),
        (None, 1, "missing_amount"),
        (1e300, 1, "too_large"),
        (10, 1e300, "too_large"),
        (100_000, 1_000_000, "too_large"),
        (99_999_999_999_999, 1, "too_large"),
    ]
    site.send(order("o", DAY, ("p1", "1e1", " 2 ")))
    site.send(*(order(n, DAY, ("p1", price, quantity)) for n, (price, quantity, _) in enumerate(odd)))
    assert site.counted() == {("o", "u1"): 20}
    assert site.faults() == [(str(n), "p1", reason) for n, (*_, reason) in enumerate(odd)]


def test_an_order_too_large_to_be_summed_up_waits_as_a_whole(site: Site) -> None:
    site.send(order("o1", DAY, *((f"p{n}", 900_000_000, 1) for n in range(12))))
    assert site.counted() == {}
    assert {reason for *_, reason in site.faults()} == {"too_large"}


def test_what_is_no_currency_waits(site: Site) -> None:
    odd = ["$", "EURO", {"code": "EUR"}, 5, "eu"]
    site.send(*(order(n, DAY, ("p1", 1, 1), currency=currency) for n, currency in enumerate(odd)))
    site.write()
    assert site.faults() == [(str(n), "p1", "bad_currency") for n in range(len(odd))]


@pytest.mark.parametrize("together", [True, False])
def test_nobody_can_take_an_order_away(site: Site, together: bool) -> None:
    # Told first under a number that is another one's; taken back by somebody else; under both names of a visitor.
    for event in (
        order("o1", DAY, ("p1", 1, 1), user="thief"),
        order("o1", DAY, ("p1", 70, 1)),
        order("o1", DAY, ("p1", 70, 1), user="thief", event=OFF),
        order("o1", DAY, ("p1", 70, 1), user=None, anonymousId="x", event=BACK),
        order("o2", DAY, ("p1", 50, 1)),
        order("o2", DAY, ("p1", 50, 1), user="thief", event=OFF),
        order("o2", DAY, event=BACK, user=None, anonymousId="x"),
        order("o1", DAY, ("p1", 20, 1), event=BACK),
    ):
        site.send(event)
        if not together:
            site.write()
    # Of its own order the thief took back no more than it was.
    assert site.counted() == {("o1", "thief"): 0, ("o1 of u1", "u1"): 50, ("o2", "u1"): 50}
    assert {reason for *_, reason in site.faults()} == {"order_of_another_customer"}


@pytest.mark.parametrize("together", [True, False])
def test_page_and_server_tell_one_order(site: Site, together: bool) -> None:
    for event in (
        order("o1", DAY, ("p1", 10, 2), user=None, anonymousId="a1"),
        order("o1", DAY, ("p1", 10, 2)),
        order("o1", DAY, ("p1", 10, 1), event=BACK),
        order("o2", DAY, ("p1", 10, 2)),
        order("o2", DAY, ("p1", 10, 2), user=None, anonymousId="a2"),
    ):
        site.send(event)
        if not together:
            site.write()
    # The visitor keeps what it told first; what is taken back of it is taken from there.
    assert site.counted() == {("o1", "a1"): 10, ("o2", "u1"): 20}


def test_who_is_known_by_then_tells_its_own_order_again(site: Site) -> None:
    site.send(order("o1", DAY, ("p1", 10, 2), user=None, anonymousId="a1"))
    site.write()
    site.send(
        {"type": "identify", "anonymousId": "a1", "userId": "u0"},
        {"type": "alias", "previousId": "u0", "userId": "u1"},
    )
    site.write()
    site.send(order("o1", DAY, ("p1", 11, 2)), order("o1", DAY, event=BACK, subtotal=20))
    site.write()
    assert site.counted() == {("o1", "a1"): 20, ("o1", "u1"): -20}
    assert site.faults() == []


def test_a_clock_that_runs_ahead_moves_nothing_beyond_the_day_it_came(site: Site) -> None:
    site.send(order("o1", "2199-01-05", ("p1", 1, 1)), order("o2", DAY, ("p1", 1, 1)))
    site.write()
    assert site.written("select occurred_at::date::text from written order by seq") == [
        ("2024-03-01",),
        (DAY,),
    ]


def test_one_number_told_ten_thousand_times_takes_no_longer_than_ten_thousand_numbers(site: Site) -> None:
    for start in range(0, 10_000, 2_500):
        site.send(
            *(order("o1", DAY, ("p1", n % 7 + 1, 1), user=f"u{n % 99}") for n in range(start, start + 2_500))
        )
    money = site.counted()
    assert len(money) == 99
    assert money[("o1", "u0")] == 1
