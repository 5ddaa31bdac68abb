"""What a live profile tells of orders, events and instants, and what its reader must know."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable
from decimal import Decimal
from typing import Any

from evervalue.api.snapshots import Row
from evervalue.live.event_orders import Order, Read
from evervalue.live.rules import Published
from evervalue.live.visitor import Seen


def order_row(lines: list[Order]) -> Row:
    """A new order, by its lines."""
    first = lines[0]
    return {
        "source": first.source,
        "order_id": first.order_id,
        "kind": first.kind,
        "ordered_at": second(first.at),
        "order_date": first.date,
        "revenue": sum((one.revenue for one in lines), Decimal(0)),
    }


def notes(read: Iterable[Read], unpriced: int, is_published: bool, people: Collection[str]) -> list[str]:
    """What the reader of the figures must know."""
    told = []
    if not is_published:
        told.append("Not in the published run yet: all of this comes from events.")
    if len(people) > 1:
        told.append(
            "Counted together with the customer that it was before it was known; the next run makes them one."
        )
    if again := sum(one.again for one in read):
        told.append(f"{again} more tellings of orders that were told before are not counted again.")
    if unread := sum(one.unread for one in read):
        told.append(
            f"{unread} lines of order events cannot be read or taken; the next run puts them into quarantine."
        )
    if unpriced:
        told.append(
            f"{unpriced} new lines have no known margin, so monetary value and what follows from it are left open."
        )
    return told


def event_row(seen: Seen) -> Row:
    """An event as a profile lists it: what, when and where, without what else it carries."""
    event = seen.event
    properties, context = (event.get(name) or {} for name in ("properties", "context"))
    page = context.get("page") if isinstance(context.get("page"), dict) else {}
    return {
        "source": seen.source,
        "message_id": event.get("messageId"),
        "type": event.get("type"),
        "event": event.get("event") or event.get("name"),
        "occurred_at": event.get("timestamp"),
        "path": _text(properties.get("path") or (page or {}).get("path")),
        "order_id": _text(properties.get("order_id") or properties.get("orderId")),
    }


def _text(value: Any) -> str | None:
    return None if value is None or isinstance(value, dict | list) else str(value)


def instant(newest_us: int, published: Published) -> str | None:
    """Up to when the answer has seen events, else when the run was published; to the second, UTC."""
    if newest_us:
        return second(dt.datetime.fromtimestamp(newest_us / 1e6, dt.UTC))
    return second(published.published_at) if published.published_at else None


def second(at: dt.datetime) -> str:
    """An instant to the second, UTC, as ISO 8601 writes it."""
    return at.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
