"""What the fields of a live profile are, in the description of the API."""

from __future__ import annotations

from typing import Any

TEXT, NUMBER, WHOLE, FLAG = "string", "number", "integer", "boolean"
FIELDS: dict[str, tuple[str, bool, str]] = {
    "customer_id": (TEXT, False, "key of the customer"),
    "customer": (TEXT, False, "name as shown"),
    "as_of": (TEXT, True, "instant up to which events are in the answer, to the second, UTC"),
    "cutoff": (TEXT, False, "day before which figures count: that of the run, or the day after the newest event"),
    "is_provisional": (FLAG, False, "true: the next run says it for good"),
    "is_published": (FLAG, False, "whether the run knows the customer; else events alone do"),
    "events_since_run": (WHOLE, False, "events of the customer that the run has not read"),
    "last_event": (WHOLE, False, "place of the newest event in the log"),
    "first_order_date": (TEXT, True, "business day of the first sale"),
    "last_order_date": (TEXT, True, "business day of the last sale"),
    "length_days": (WHOLE, True, "days from the first to the last order"),
    "recency_days": (WHOLE, True, "days from the last order to the cutoff"),
    "frequency": (WHOLE, False, "distinct orders"),
    "revenue": (TEXT, False, "net revenue, returns taken off"),
    "monetary": (TEXT, True, "margin or revenue, as set; null where a new line has no known margin"),
    "l_score": (WHOLE, True, "score of length, held against the published boundaries"),
    "r_score": (WHOLE, True, "score of recency; its boundaries move with the cutoff"),
    "f_score": (WHOLE, True, "score of frequency"),
    "m_score": (WHOLE, True, "score of monetary value"),
    "lrfm_score": (WHOLE, True, "sum of the four scores"),
    "customer_value": (TEXT, True, "value tier by the score"),
    "p_alive": (NUMBER, True, "probability that the customer is still active, by the run's models"),
    "expected_orders": (NUMBER, True, "expected purchase days within the horizon"),
    "orders_low": (NUMBER, True, "fewest purchase days in the interval"),
    "orders_high": (NUMBER, True, "most purchase days in the interval"),
    "expected_order_value": (TEXT, True, "what one purchase day is expected to bring"),
    "expected_clv": (TEXT, True, "expected value within the horizon, discounted to the cutoff"),
    "clv_low": (TEXT, True, "lower end of the interval of what really comes"),
    "clv_high": (TEXT, True, "upper end of it"),
}  # fmt: skip
"""Name: type, whether it may be null, and what it is; money is text."""


def live_profile() -> dict[str, Any]:
    """The schema of `live`."""
    fields: dict[str, Any] = {
        name: {"type": [kind, "null"] if nullable else kind, "description": says}
        for name, (kind, nullable, says) in FIELDS.items()
    }
    several = {
        "new_orders": ("object", "orders, refunds and cancellations that events brought since the run"),
        "joined_with": ("string", "customers of the run whom the next one makes one with this one"),
        "notes": ("string", "what the reader must know of these figures"),
        "recent_events": (
            "object",
            "the newest 50 events of the customer that the log holds, the newest first",
        ),
    }
    for name, (kind, says) in several.items():
        fields[name] = {"type": "array", "items": {"type": kind}, "description": says}
    return {
        "type": ["object", "null"],
        "properties": fields,
        "description": "the customer on top of the run, by events since then; null where none are collected",
    }
