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
    """By currency, what its lines of sale come to, less discounts; no currency was told under the empty one."""
    taken: dict[str, Decimal] = field(default_factory=dict)
    """By currency, what was taken back of it."""
    of_another: Callable[[], bool] = bool
    """Tells whether somebody else placed it; asked only where it is taken back and the customer did not place it."""


@dataclass(frozen=True)
class Read:
    """What became of the order events of a customer."""

    orders: tuple[Order, ...]
    unread: int
    """Lines that the next run will put into quarantine."""
    again: int
    """Tellings of orders that were told before."""


def read_orders(
    source: str,
    events: Iterable[Mapping[str, Any]],
    known: Callable[[str], Known],
    rules: Rules,
    before: Callable[[], Iterable[Mapping[str, Any]]] = tuple,
) -> Read:
    """The orders that events of one customer make.

    Parameters
    ----------
    source
        The source of the events.
    events
        Their bodies, in the order of the log.
    known
        What the run knows of the order of a number; what is given is changed.
    rules
        How the run reads them.
    before
        The customer's earlier events that the log still holds, in its order; asked for only where there are orders.
    """
    news = [_told(event, rules, is_new=True) for event in events if told_event(event)]
    if not news:
        return Read((), 0, 0)
    numbers: dict[str, list[_Told]] = {one.number: [] for one in news}
    olds = [_told(event, rules, is_new=False) for event in before() if told_event(event)]
    for one in (*olds, *news):
        if one.number in numbers:
            numbers[one.number].append(one)
    reader = _Reader(source, rules)
    for number, told in numbers.items():
        reader.judge(told, known(number))
    for one in news:
        reader.place(one)
    return Read(tuple(reader.orders), reader.unread, reader.again)


@dataclass(eq=False)
class _Told:
    """An order event: what it tells, and what becomes of it."""

    kind: str
    number: str
    at: dt.datetime
    currency: str
    """Empty where none is told, as the run keeps it apart from one that is."""
    lines: list[Line]
    is_new: bool
    """Whether it came since the run."""
    is_again: bool = False
    is_refused: bool = False
    beyond: Decimal = Decimal(0)
    """What it takes back beyond what the order was."""

    @property
    def good(self) -> list[Line]:
        """The lines that can be read."""
        return [one for one in self.lines if one.amount is not None]

    @property
    def is_good(self) -> bool:
        """Whether more of it than what was taken off can be read."""
        return any(one.part != "discount" for one in self.good)

    @property
    def net(self) -> Decimal:
        """What it adds to the order, or takes back of it."""
        return sum((one.net for one in self.good), Decimal(0))


def _told(event: Mapping[str, Any], rules: Rules, *, is_new: bool) -> _Told:
    kind = KINDS[told_event(event) or COMPLETED]
    lines = lines_of(event, takes_back=kind != "sale")
    currency = (cell((event.get("properties") or {}).get("currency")) or "").upper()
    if currency and not CURRENCY.fullmatch(currency):
        lines = [Line(one.part, None) for one in lines]
    # Nothing happened after it came.
    at = min(_instant(event["timestamp"]), _instant(event["receivedAt"]))
    return _Told(kind, number_of(event), at, currency, lines, is_new)


class _Reader:
    def __init__(self, source: str, rules: Rules) -> None:
        self.source, self.rules = source, rules
        self.orders: list[Order] = []
        self.unread = self.again = 0

    def judge(self, told: list[_Told], known: Known) -> None:
        """Settles what becomes of each event of one order, all of which are looked at, whichever came first."""
        if known.kinds <= {one.kind for one in told if not one.is_new and one.is_good}:
            known = Known(of_another=known.of_another)  # the log still tells all that the run knows
        kinds, ordered = set(known.kinds), known.ordered
        for one in told:
            one.is_again = one.kind != "refund" and one.kind in kinds
            if one.is_good:
                kinds.add(one.kind)
            if one.kind == "sale" and one.good and not one.is_again:
                ordered[one.currency] = ordered.get(one.currency, Decimal(0)) + one.net
        backs = [one for one in told if one.kind != "sale"]
        for one in backs:
            one.is_refused = "sale" not in kinds and known.of_another()
            if not one.currency:
                one.currency = min((name for name in ordered if name), default="")
            if len(one.lines) == 1 and one.lines[0].is_missing and one.currency in ordered:
                # A refund without an amount is one of the whole order.
                one.lines = [Line("order", ordered[one.currency])]
        for currency in {one.currency for one in backs}:
            same = [one for one in backs if one.currency == currency and not (one.is_again or one.is_refused)]
            _beyond(same, known, ordered.get(currency))

    def place(self, one: _Told) -> None:
        """Adds what an event that came since the run makes."""
        if one.is_again:
            self.again += 1
            return
        rate = self._rate(one.currency or self.rules.currency, one.at) if one.at.year >= EARLIEST else None
        if rate is None or one.is_refused:
            self.unread += len(one.lines)
            return
        self.unread += len(one.lines) - len(one.good)
        self._place(one.kind, one.number, one.at, one.good, rate)
        if one.beyond:
            self._add("adjustment", one.number, one.at, one.beyond, None, rate)

    def _rate(self, currency: str, at: dt.datetime) -> Decimal | None:
        if currency == self.rules.currency:
            return Decimal(1)
        if not CURRENCY.fullmatch(currency):
            return None
        return self.rules.rate(currency, at.astimezone(self.rules.zone).date())

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


def _beyond(backs: list[_Told], known: Known, most: Decimal | None) -> None:
    """Says of each that takes back in one currency what goes beyond what the order was, and had not been given back."""
    if not backs:
        return
    so_far = known.taken.get(backs[0].currency, Decimal(0))
    given = Decimal(0) if most is None else max(so_far - most, Decimal(0))
    for one in backs:
        so_far += one.net
        if most is None and one.kind == "cancellation" and one.good:
            most = one.net  # a cancellation of what is not known here says what it was
        excess = Decimal(0) if most is None else max(so_far - most, Decimal(0))
        one.beyond, given = max(excess - given, Decimal(0)), max(excess, given)


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
