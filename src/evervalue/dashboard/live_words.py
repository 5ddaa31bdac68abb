"""What events since the run make of a customer, in words and as rows of before and now."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from evervalue.core.text import count
from evervalue.dashboard.formats import Formats

KINDS = {
    "page": "Page viewed", "screen": "Screen viewed", "identify": "Identified", "alias": "Became known",
    "group": "Joined a group", "track": "Event",
}  # fmt: skip
"""What is shown of an event without a name of its own."""


def title(now: Mapping[str, Any], before: Mapping[str, Any] | None, formats: Formats) -> str:
    """The finding: what the events since the run change."""
    events = count(now["events_since_run"], "event")
    if not now["events_since_run"]:
        return "No event since the run"
    if before is None:
        return f"Known by {events}"
    if not now["new_orders"]:
        return f"{events} since the run, no order among them"
    orders = sum(one["kind"] == "sale" for one in now["new_orders"])
    came = count(orders, "new order") if orders else "What was taken back"
    value, was = now["expected_clv"], before["expected_clv"]
    if value is None or was is None or formats.whole_money(value) == formats.whole_money(was):
        return f"{came} since the run"
    verb = ("raise" if value > was else "lower") + ("" if orders > 1 else "s")
    return f"{came} since the run {verb} the expected value to {formats.whole_money(value)}"


def changes(
    now: Mapping[str, Any], before: Mapping[str, Any] | None, formats: Formats, money: str
) -> list[dict[str, Any]]:
    """One row a figure: its name, what the run says, what it is now, and whether it moved."""
    before = before or {}

    def row(name: str, field: str, shown: Any) -> dict[str, Any]:
        was, new = before.get(field), now[field]
        told = ["–" if one is None else shown(one) for one in (was, new)]
        return {"name": name, "was": told[0], "now": told[1], "moved": told[0] != told[1]}

    return [
        row("Orders", "frequency", formats.number),
        row(f"{money.capitalize()} to date", "monetary", formats.whole_money),
        row("Days since the last order", "recency_days", formats.number),
        row("LRFM score", "lrfm_score", str),
        row("Tier", "customer_value", str),
        row("Still active", "p_alive", lambda share: _share(share, formats)),
        row("Expected purchase days", "expected_orders", lambda number: formats.number(number, 2)),
        row("Expected value", "expected_clv", formats.whole_money),
        row("at least", "clv_low", formats.whole_money),
        row("at most", "clv_high", formats.whole_money),
    ]


def _share(share: float, formats: Formats) -> str:
    """A probability: never 0 % or 100 % where it is not."""
    if 0.995 < share < 1:
        return f"over {formats.percent(0.99)}"
    return f"under {formats.percent(0.01)}" if 0 < share < 0.005 else formats.percent(share)


def what(event: Mapping[str, Any]) -> str:
    """What happened: the name of the event, else its kind."""
    return str(event["event"] or KINDS.get(event["type"], event["type"]))


def where(event: Mapping[str, Any]) -> str:
    """Where it happened: the order, else the page."""
    if event["order_id"]:
        return f"order {event['order_id']}"
    return str(event["path"] or "")


def moment(text: str | None, zone: str) -> str:
    """An instant of an event on the business clock: '5 Jan 2024 12:00:05' as ISO writes it."""
    if not text:
        return ""
    at = dt.datetime.fromisoformat(text).astimezone(ZoneInfo(zone))
    return at.strftime("%Y-%m-%d %H:%M:%S")
