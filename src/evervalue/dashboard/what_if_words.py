"""What-if in words: what was tried, what would become of the customer, and what it is worth."""

from __future__ import annotations

from decimal import Decimal

from evervalue.api.snapshots import Row
from evervalue.dashboard.formats import Formats

SHOWN = Decimal("0.5")
"""Smaller amounts are nothing, as they are shown."""


def title(found: Row, formats: Formats) -> str:
    """What would become of the customer: 'Three further orders would make a High-Value customer, worth $1,950'."""
    then, now = found["then"], found["now"]
    if then is None:
        return str(found["says"])
    tried = _tried(found, formats)
    if not tried:
        return "What further orders, or silence, would change"
    before, after = now["customer_value"], then["customer_value"]
    if after != before:
        becomes = (
            f"would make {'a' if after[0] not in 'AEIOU' else 'an'} {after} customer of {_article(before)}"
        )
    elif then["lrfm_score"] != now["lrfm_score"]:
        becomes = f"would move the score from {now['lrfm_score']} to {then['lrfm_score']}; still {after}"
    else:
        becomes = f"would leave score and tier as they are: {then['lrfm_score']}, {after}"
    return f"{tried} {becomes}"


def worth(found: Row, value_word: str, formats: Formats) -> str:
    """What it is worth: the orders themselves, and what is expected to follow."""
    then = found["then"]
    if then is None or not _tried(found, formats):
        return ""
    gain, orders = found["clv_gain"], found["orders_worth"]
    parts = []
    if found["orders_added"]:
        parts.append(f"{formats.money(orders)} {value_word} in the orders themselves")
    if gain is not None:
        way = "more" if gain >= 0 else "less"
        held = abs(gain) < SHOWN
        follow = (
            "as much expected to follow as now"
            if held
            else f"{formats.money(abs(gain))} {way} expected to follow"
        )
        parts.append(follow)
    if not parts:
        return "Value is not predicted in this run."
    if found["orders_added"] and found["worth"] is not None:
        return f"Worth {formats.money(found['worth'])}: {' and '.join(parts)}."
    return f"{' and '.join(parts)}."


def _tried(found: Row, formats: Formats) -> str:
    n, recency, now = found["orders_added"], found["recency_days"], found["now"]
    if n:
        orders = "One further order" if n == 1 else f"{formats.number(n)} further orders"
        return orders if recency in (None, 1) else f"{orders} {formats.number(recency)} days ago"
    if recency is None or recency == now["recency_days"]:
        return ""
    more = recency - now["recency_days"]
    return f"{formats.number(more)} more day{'' if more == 1 else 's'} of silence"


def _article(tier: str | None) -> str:
    return "one who has no tier yet" if tier is None else f"a {tier} one"
