"""Orders, refunds and cancellations out of the events of one customer, by the rules of the next run.

An order counts as it was told first. Not more is taken back of it than it was: what goes beyond is given back. Who
takes back an order must have placed it. What only the events of others could settle is left to the run.
"""

from __future__ import annotations

import datetime as dt
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from evervalue.core.money import rounded
from evervalue.live.event_lines import (
    CANCELLED,
    COMPLETED,
    REFUNDED,
    Line,
    cell,
    lines_of,
    number_of,
    told_event,
)

KINDS = {COMPLETED: "sale", REFUNDED: "refund", CANCELLED: "cancellation"}
CURRENCY = re.compile(r"[A-Z]{3}")
EARLIEST = 1970


@dataclass(frozen=True)
class Order:
    """What an event brings to the customer's orders: a sale, or something that takes back."""

    source: str
    order_id: str
    kind: str
    """`sale`, `refund`, `cancellation`, `return` or `adjustment`."""
    at: dt.datetime
    """UTC."""
    date: dt.date
    """Business day."""
    revenue: Decimal
    """In the reporting currency."""
    monetary: Decimal | None
    """Margin or revenue, as set; None where no margin is known."""


@dataclass(frozen=True)
class Rules:
    """How a run reads events: its settings, rates and costs."""

    currency: str
    """Reporting currency."""
    zone: ZoneInfo
    basis: str
    """`margin` or `revenue`."""
    allow_missing_cost: bool
    rate: Callable[[str, dt.date], Decimal | None]
    """Reporting currency for one unit of another on a day."""
    cost: Callable[[str, dt.date], Decimal | None]
    """Cost of a unit of a product on a day, in the reporting currency."""


@dataclass
class Known:
    """What is known of an order of the customer before the events."""

    kinds: set[str] = field(default_factory=set)
    """Of its tellings: sale, refund, cancellation."""
    ordered: dict[str, Decimal] = field(default_factory=dict)
    """By currency, what its lines of sale come to, less discounts."""
    taken: dict[str, Decimal] = field(default_factory=dict)
    """By currency, what was taken back of it."""
    is_of_another: bool = False
    """Whether somebody else placed it, and the customer did not."""


@dataclass(frozen=True)
class Read:
    """What became of the order events of a customer."""

    orders: tuple[Order, ...]
    unread: int
    """Lines that the next run will put into quarantine."""
    again: int
    """Tellings of orders that were told before."""


def read_orders(
    source: str, events: Iterable[Mapping[str, Any]], known: Callable[[str], Known], rules: Rules
) -> Read:
    """The orders that events of one customer make.

    Parameters
    ----------
    source
        The source of the events.
    events
        Their bodies, in the order of the log.
    known
        What is known of the order of a number; what is given is changed.
    rules
        How the run reads them.
    """
    reader = _Reader(source, known, rules)
    for event in events:
        reader.take(event)
    return Read(tuple(reader.orders), reader.unread, reader.again)


class _Reader:
    def __init__(self, source: str, known: Callable[[str], Known], rules: Rules) -> None:
        self.source, self.rules = source, rules
        self.orders: list[Order] = []
        self.unread = self.again = 0
        self._known = known
        self._books: dict[str, Known] = {}

    def take(self, event: Mapping[str, Any]) -> None:
        """Adds what an event tells."""
        what = told_event(event)
        if what is None:
            return
        kind, number = KINDS[what], number_of(event)
        book = self._books.get(number) or self._books.setdefault(number, self._known(number))
        lines = lines_of(event, takes_back=kind != "sale")
        currency = self._currency(event, book, kind)
        if kind != "sale" and len(lines) == 1 and lines[0].is_missing and currency in book.ordered:
            lines = [
                Line("order", book.ordered[currency])
            ]  # a refund without an amount is one of the whole order
        good = [one for one in lines if one.amount is not None]
        is_good = any(one.part != "discount" for one in good)
        if kind != "refund" and kind in book.kinds:
            self.again += 1
            return
        at = min(
            _instant(event["timestamp"]), _instant(event["receivedAt"])
        )  # nothing happened after it came
        rate = self._rate(currency, at) if at.year >= EARLIEST else None
        if rate is None or (kind != "sale" and book.is_of_another):
            self.unread += len(lines)
            return
        self.unread += len(lines) - len(good)
        if is_good:
            book.kinds.add(kind)
        self._place(kind, number, at, good, rate)
        net = sum((one.net for one in good), Decimal(0))
        if kind == "sale":
            book.ordered[currency] = book.ordered.get(currency, Decimal(0)) + net
            book.is_of_another = False
            return
        beyond = self._beyond(book, kind, currency, net)
        if beyond:
            self._add("adjustment", number, at, beyond, None, rate)

    def _currency(self, event: Mapping[str, Any], book: Known, kind: str) -> str:
        """Currency of an order; that of the order that is taken back, where none is told."""
        text = cell((event.get("properties") or {}).get("currency"))
        if text is None and kind != "sale" and book.ordered:
            return min(book.ordered)
        return (text or self.rules.currency).upper()

    def _rate(self, currency: str, at: dt.datetime) -> Decimal | None:
        if currency == self.rules.currency:
            return Decimal(1)
        if not CURRENCY.fullmatch(currency):
            return None
        return self.rules.rate(currency, at.astimezone(self.rules.zone).date())

    def _beyond(self, book: Known, kind: str, currency: str, net: Decimal) -> Decimal:
        """What is taken back beyond what the order was, and had not been given back yet."""
        before = book.taken.get(currency, Decimal(0))
        book.taken[currency] = before + net
        most = book.ordered.get(currency)
        if most is None:
            if kind != "cancellation":
                return Decimal(0)
            book.ordered[currency] = most = net  # a cancellation of what is not known here says what it was
        excess, so_far = max(before + net - most, Decimal(0)), max(before - most, Decimal(0))
        return max(excess - so_far, Decimal(0))

    def _place(self, kind: str, number: str, at: dt.datetime, lines: list[Line], rate: Decimal) -> None:
        for one in lines:
            assert one.amount is not None
            sign = -1 if (one.part == "discount") != (kind != "sale") else 1
            amount = sign * one.amount
            is_kind = (
                "adjustment"
                if one.part == "discount"
                else kind
                if kind != "sale"
                else _kind(amount, one.quantity)
            )
            self._add(is_kind, number, at, amount, one, rate)

    def _add(
        self, kind: str, number: str, at: dt.datetime, amount: Decimal, line: Line | None, rate: Decimal
    ) -> None:
        date = at.astimezone(self.rules.zone).date()
        revenue = rounded(amount) if rate == 1 else rounded(amount * rate)
        self.orders.append(
            Order(
                self.source, number, kind, at, date, revenue, self._monetary(line, revenue, date, amount < 0)
            )
        )

    def _monetary(self, line: Line | None, revenue: Decimal, date: dt.date, is_back: bool) -> Decimal | None:
        """What a line adds to monetary value."""
        if self.rules.basis == "revenue":
            return revenue
        cost = (
            self.rules.cost(line.product, date)
            if line and line.product and line.quantity is not None
            else None
        )
        if cost is None or line is None or line.quantity is None:
            return revenue if self.rules.allow_missing_cost else None
        quantity = -abs(line.quantity) if is_back else line.quantity
        return revenue - rounded(quantity * cost)


def _instant(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).astimezone(dt.UTC)


def _kind(amount: Decimal, quantity: Decimal | None) -> str:
    """What a line of a sale is, by its signs."""
    if amount < 0:
        return "adjustment" if quantity is not None and quantity > 0 else "return"
    return "adjustment" if quantity is not None and quantity < 0 else "sale"


def by_order(orders: Iterable[Order]) -> dict[tuple[str, str, str, dt.date], list[Order]]:
    """The lines by what the tables take for one order: source, number, kind and, but for sales, day."""
    found: defaultdict[tuple[str, str, str, dt.date], list[Order]] = defaultdict(list)
    for one in orders:
        found[one.source, one.order_id, one.kind, one.date].append(one)
    return dict(found)
