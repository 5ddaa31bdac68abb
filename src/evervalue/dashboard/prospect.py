"""What a customer is expected to bring, in words and as a band on a scale."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from evervalue.dashboard.formats import Formats

HEADROOM = 1.08


@dataclass(frozen=True)
class Band:
    """An interval on a scale, in percent of its width."""

    left: float
    width: float
    mark: float
    """Where the expectation lies."""
    zero: float
    """Where zero lies."""


def span(horizon_days: int | None, formats: Formats) -> str:
    """The horizon in words.

    >>> (
    ...     span(365, Formats("en_US", "USD")),
    ...     span(7, Formats("en_US", "USD")),
    ...     span(None, Formats("en_US", "USD")),
    ... )
    ('the next 365 days', 'the next 7 days', 'the time to come')
    """
    return "the time to come" if horizon_days is None else f"the next {formats.number(horizon_days)} days"


def title(value: Mapping[str, Any], word: str, formats: Formats) -> str:
    """The finding: 'Expected to bring $2,340 profit in the next 365 days'."""
    amount = formats.whole_money(value["expected_clv"])
    return f"Expected to bring {amount} {word} in {span(value['horizon_days'], formats)}"


def in_ten(interval: float, formats: Formats) -> str:
    """How often a realised value is to fall inside: 'nine times in ten', '95% of the time'."""
    named = {0.5: "one time in two", 0.8: "four times in five", 0.9: "nine times in ten"}
    return named.get(round(interval, 6), f"{formats.percent(interval)} of the time")


def likely(value: Mapping[str, Any], formats: Formats) -> str:
    """The interval in words; empty where there is none."""
    if value["clv_low"] is None or value["clv_high"] is None:
        return ""
    often = in_ten(float(value["interval"]), formats).capitalize()
    if value["clv_high"] == value["clv_low"] == 0:
        return f"{often} or more it is nothing at all."
    low, high = (formats.whole_money(value[end]) for end in ("clv_low", "clv_high"))
    return f"{often} it is between {low} and {high}."


def band(value: Mapping[str, Any]) -> Band | None:
    """The interval on a scale that begins at zero, or below it where a loss is possible; None without an interval."""
    if value["clv_low"] is None or value["clv_high"] is None:
        return None
    low, high, mean = (float(value[name]) for name in ("clv_low", "clv_high", "expected_clv"))
    least, most = min(0.0, low, mean), max(high, mean, 0.0)
    room = (most - least) * HEADROOM
    if room <= 0:
        return None

    def place(at: float) -> float:
        return round(100 * (at - least) / room, 2)

    return Band(place(low), max(place(high) - place(low), 0.5), place(mean), place(0.0))
