"""What the pages of revenue say."""

from __future__ import annotations

from collections.abc import Sequence

from evervalue.api.snapshots import Row
from evervalue.dashboard.formats import Formats
from evervalue.dashboard.words import count

PLURALS = {
    "product": "products",
    "category": "categories",
    "region": "regions",
    "country": "countries",
    "channel": "channels",
    "discount": "discounts",
}
FEW = 20
"""Values below which their concentration says nothing that the bars do not."""


def plural(dimension: str) -> str:
    """The values of a dimension: 'products', 'values of industry'."""
    return PLURALS.get(dimension, f"values of {dimension}")


def shown(row: Row, dimension: str) -> str:
    """A value as people read it: its name, and what it is where the source says nothing."""
    if not row["value"]:
        return f"no {dimension} said"
    if dimension != "discount":
        return str(row["name"])
    if row["value"] in ("with", "without"):
        return f"{row['value']} a discount"
    return "no discount" if row["value"] == "0" else f"discount {row['value']}"


def _begun(said: str, row: Row, dimension: str) -> str:
    """Words of ours at the beginning of a sentence; a name stays as the source writes it."""
    is_name = bool(row["value"]) and dimension != "discount"
    return said if is_name else said[:1].upper() + said[1:]


def finding(top: Sequence[Row], totals: Row, dimension: str, formats: Formats) -> str:
    """What the best values bring of all revenue, and how many of all cost money."""
    best = [row for row in top if row["place"] is not None]
    if not best or totals["revenue"] <= 0:
        return f"Revenue by {dimension}"
    number = int(totals["value_count"])
    losing = ""
    if totals["losing_count"]:
        lose = "loses" if totals["losing_count"] == 1 else "lose"
        losing = f", and {formats.number(totals['losing_count'])} {lose} money"
    if number <= 5 or best[0]["revenue"] / totals["revenue"] >= 0.4:
        said = _begun(shown(best[0], dimension), best[0], dimension)
        if best[0]["revenue"] > totals["revenue"]:  # others cost money: no share says that
            return f"{said} brings the most revenue of {formats.number(number)} {plural(dimension)}{losing}"
        share = formats.percent(best[0]["revenue"] / totals["revenue"])
        return f"{said} brings {share} of the revenue{losing}"
    some = 3 if number < 30 else 10
    share = formats.percent(sum(row["revenue"] for row in best[:some]) / totals["revenue"])
    return f"{some} of {formats.number(number)} {plural(dimension)} bring {share} of the revenue{losing}"


def compared(periods: Row | None) -> str:
    """What the change compares, and whether the seasons disturb it."""
    months = periods and periods["compared_months"]
    if not months:
        return "The history is too short to compare two periods."
    if months == 12:
        return "Change: the last 12 months against the 12 before."
    span = "month" if months == 1 else f"{months} months"
    before = "month before" if months == 1 else f"{months} before"
    return f"Change: the last {span} against the {before}; seasons are not evened out in so short a history."


def concentrated(rows: Sequence[Row], dimension: str, formats: Formats) -> str:
    """What the best fifth of the values brings."""
    fifth = next((row for row in rows if row["percentile"] == 20), None)
    if fifth is None or fifth["revenue_share"] is None:
        return "Concentration"
    best, share = formats.percent(0.2), formats.percent(fifth["revenue_share"])
    return f"The best {best} of {plural(dimension)} bring {share} of the revenue"


def of_value(name: str, row: Row, formats: Formats) -> str:
    """The finding of one value's page."""
    share = row["revenue_share"]
    part = "" if share is None or row["revenue"] <= 0 else f", {_share(share, formats)} of all"
    said = name if name == row["name"] else name[:1].upper() + name[1:]
    return f"{said}: {formats.short_money(row['revenue'])} revenue{part}"


def _share(share: float, formats: Formats) -> str:
    return f"under {formats.percent(0.01)}" if share < 0.005 else formats.percent(share)


def by_month(row: Row, periods: Row | None, formats: Formats) -> str:
    """How a value's revenue changed, as the title of its months."""
    months = periods and periods["compared_months"]
    if not months or row["change"] is None:
        return "Revenue by month"
    span = "last month" if months == 1 else f"last {count(months, 'month', formats)}"
    before = "the one before" if months == 1 else f"the {months} before"
    now = formats.short_money(row["revenue_now"])
    if abs(row["change"]) < 0.005:
        return f"{now} in the {span}, as in {before}"
    way = "more" if row["change"] > 0 else "less"
    return f"{now} in the {span}, {formats.percent(abs(row['change']))} {way} than in {before}"
