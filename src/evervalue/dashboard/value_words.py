"""What the pages say of expected value: its spread, what is at stake, who is falling, and whether forecasts held."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from evervalue.dashboard.formats import Formats

LIKELY_LOST = 0.5
"""Below this chance of being active a customer is rather lost than not."""


def band(row: Mapping[str, Any], formats: Formats) -> str:
    """A band of expected value: 'under $300', '$300 to $400', '$1,200 or more'."""
    low, high = row["band_from"], row["band_to"]
    if low is None and high is None:
        return "any value"
    if low is None:
        return f"under {amount(high, formats)}"
    if high is None:
        return f"{amount(low, formats)} or more"
    return f"{amount(low, formats)} to {amount(high, formats)}"


def amount(value: Decimal, formats: Formats) -> str:
    """A round amount without needless digits: $0.50, $300, $15K."""
    if value != value.to_integral_value():
        return formats.money(value)
    return formats.short_money(value) if value % 1000 == 0 and value >= 10_000 else formats.whole_money(value)


def alive_band(row: Mapping[str, Any], formats: Formats) -> str:
    """A band of the chance of being active: 'under 10%', '10% to 25%', '90% or more'."""
    if row["alive_band"] is None:
        return "not told"
    low, high = row["alive_from"], row["alive_to"]
    if low is None:
        return f"under {formats.percent(high)}"
    if high is None:
        return f"{formats.percent(low)} or more"
    return f"{formats.percent(low)} to {formats.percent(high)}"


def spread(rows: Sequence[Mapping[str, Any]], formats: Formats) -> str:
    """The finding of the distribution: from which band on customers hold half of all that is expected."""
    customers = sum(row["customers"] for row in rows)
    total = sum((row["expected_clv"] for row in rows), Decimal(0))
    if customers == 0:
        return "No customer is in this view"
    if customers == 1:
        return "One customer, and what is expected of them"
    running, people = Decimal(0), 0
    for row in reversed(rows):
        running, people = running + row["expected_clv"], people + row["customers"]
        if running > total:  # others are expected to cost money: no share says that
            break
        if total > 0 and 2 * running >= total and row["band_from"] is not None:
            few = f"{formats.number(people)} of {formats.number(customers)} customers"
            least = amount(row["band_from"], formats)
            share = formats.percent(running / total)
            return f"{share} of the expected value lies with {few}: those expected to bring {least} or more"
    return f"How {formats.number(customers)} customers spread over what they are expected to bring"


def at_stake(rows: Sequence[Mapping[str, Any]], span: int | None, formats: Formats) -> str:
    """The finding of what hangs on customers who may have left."""
    told = [row for row in rows if row["alive_band"] is not None]
    if not told:
        return "Nothing is told of who has left"
    lost = [row for row in told if row["alive_to"] is not None and row["alive_to"] <= LIKELY_LOST]
    people = sum(row["customers"] for row in lost)
    if people == 0:
        low = min((row["alive_from"] or 0.0) for row in told)
        return f"Nobody is likely lost: every customer is at least {formats.percent(low)} likely still active"
    past = sum((row["past_monetary"] or Decimal(0) for row in lost), Decimal(0))
    who = "1 customer is" if people == 1 else f"{formats.number(people)} customers are"
    if span is None or past <= 0:
        return f"{who} likely lost: less than {formats.percent(LIKELY_LOST)} likely still active"
    return (
        f"{who} likely lost; they brought {formats.short_money(past)} in the last {formats.number(span)} days"
    )


def falling(number: int, span: int | None, formats: Formats) -> str:
    """The finding of who is falling."""
    if span is None:
        return "Who is falling cannot be told: value is predicted without end"
    if number == 0:
        return "Nobody who brought much is expected to bring less than half of it"
    who = (
        "1 of the best customers is" if number == 1 else f"{formats.number(number)} of the best customers are"
    )
    return (
        f"{who} expected to bring less than half of what they brought in the last {formats.number(span)} days"
    )


def forecast(rows: Sequence[Mapping[str, Any]], formats: Formats) -> str:
    """The finding of forecast against actual, money before orders."""
    target = "value" if any(row["target"] == "value" for row in rows) else "orders"
    whole = next((r for r in rows if r["target"] == target and r["origin"] is None), None)
    if whole is None or whole["expected_share"] is None:
        return "Forecast against actual"
    noun = "money" if target == "value" else "orders"
    miss = whole["expected_share"] - 1
    if abs(miss) < 0.005:
        return f"In the past the forecast would have met the {noun} that came"
    way = "less" if miss < 0 else "more"
    return f"In the past the forecast would have been {formats.percent(abs(miss))} {way} {noun} than came"


def period(row: Mapping[str, Any], formats: Formats) -> str:
    """The window of one forecast: 'Jan 2021 to Jan 2022'."""
    if row["origin"] is None:
        return "all together"
    begin = formats.month(row["origin"])
    return begin if row["until"] is None else f"{begin} to {formats.month(row['until'])}"
