"""Lines that one order event tells: products, or the whole order, and what was taken off it; each with its fault."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from typing import Any

from evervalue.collector.messages import id_of
from evervalue.core.money import PLACES, WIDE, rounded

COMPLETED, REFUNDED, CANCELLED = "Order Completed", "Order Refunded", "Order Cancelled"
NAMES = {
    COMPLETED: COMPLETED,
    "Completed Order": COMPLETED,  # as version 1 of the specification calls it
    REFUNDED: REFUNDED,
    CANCELLED: CANCELLED,
}
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
PRICE_PLACES = Decimal("0.0000000001")
LARGEST = Decimal(10) ** 14
"""From here on DECIMAL(18,4) holds no amount."""
LARGEST_PRICE = Decimal(10) ** 10
"""From here on DECIMAL(20,10) holds no price."""
LARGEST_ORDER = Decimal(10) ** 10
"""Most that the lines of one order may come to; beyond, the order waits in quarantine."""


@dataclass(frozen=True)
class Line:
    """A line as it was told; what takes back is not negative yet."""

    part: str
    """`product`, `order` or `discount`."""
    amount: Decimal | None
    """In the currency of the order; None where it cannot be read, or is not told."""
    is_missing: bool = False
    """Whether no amount is told at all."""
    product: str | None = None
    quantity: Decimal | None = None

    @property
    def net(self) -> Decimal:
        """What the line adds to the order."""
        amount = self.amount or Decimal(0)
        return -amount if self.part == "discount" else amount


def told_event(event: Mapping[str, Any]) -> str | None:
    """Which of the three order events it is; None for every other one."""
    name = event.get("event")
    return NAMES.get(name) if event.get("type") == "track" and isinstance(name, str) else None


def number_of(event: Mapping[str, Any]) -> str:
    """The number of the order, for want of which it goes by the event's own id."""
    properties = event.get("properties") or {}
    return id_of(properties.get("order_id")) or id_of(properties.get("orderId")) or str(event["messageId"])


def lines_of(event: Mapping[str, Any], *, takes_back: bool) -> list[Line]:
    """The lines of an order event."""
    properties = event.get("properties") or {}
    products = properties.get("products")
    products = products if isinstance(products, list) else []
    lines = [_product(one if isinstance(one, dict) else {}) for one in products]
    if not products:
        lines = [_whole(properties)]
    elif cell(properties.get("discount")) is not None:
        off = number(properties.get("discount"))
        if off != 0:
            lines.append(Line("discount", off))
    if takes_back:
        lines = [_unsigned(one) for one in lines]
    if sum(abs(one.amount) for one in lines if one.amount is not None) > LARGEST_ORDER:
        return [Line(one.part, None) for one in lines]
    return lines


def _unsigned(line: Line) -> Line:
    """A line that takes back, which some write with a minus sign: the event says which way it goes."""
    amount, quantity = line.amount, line.quantity
    return replace(
        line,
        amount=None if amount is None else abs(amount),
        quantity=None if quantity is None else abs(quantity),
    )


def _product(told: Mapping[str, Any]) -> Line:
    quantity = Decimal(1) if cell(told.get("quantity")) is None else number(told["quantity"])
    price = number(told.get("price"), PRICE_PLACES)
    if price is not None and abs(price) >= LARGEST_PRICE:
        price = None
    name = id_of(told.get("product_id")) or id_of(told.get("id")) or id_of(told.get("sku"))
    amount = rounded(quantity * price) if quantity is not None and price is not None else None
    return Line("product", amount, product=name, quantity=quantity)


def _whole(properties: Mapping[str, Any]) -> Line:
    """The order as a whole, where no products are told."""
    for basis, off in (
        ("subtotal", ()),
        ("revenue", ("discount",)),
        ("total", ("shipping", "tax")),
        ("value", ()),
    ):
        if cell(properties.get(basis)) is None:
            continue
        parts = [Decimal(0) if cell(properties.get(one)) is None else number(properties[one]) for one in off]
        amount = number(properties[basis])
        if amount is None or any(one is None for one in parts):
            return Line("order", None)
        return Line("order", amount - sum((one for one in parts if one is not None), Decimal(0)))
    return Line("order", None, is_missing=True)


def cell(value: object) -> str | None:
    """What a cell of a table holds of a value; None where that is nothing."""
    if value is None:
        return None
    text = value if isinstance(value, str) else str(value)
    return text.strip(" ") or None


def number(value: object, places: Decimal = PLACES) -> Decimal | None:
    """A number that is written plainly, rounded; None where there is none, or one that is too large for money."""
    text = None if isinstance(value, bool) else cell(value)
    if text is None or not NUMBER.fullmatch(text):
        return None
    try:
        found = Decimal(text).quantize(places, context=WIDE)
    except InvalidOperation:
        return None
    return found if abs(found) < LARGEST else None
