"""What pages say of runs."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from evervalue.core.text import count, span
from evervalue.dashboard.formats import Formats


def title(rows: Sequence[Mapping[str, Any]], formats: Formats) -> str:
    """Which run readers see, as a sentence."""
    now = next((n for n, row in enumerate(rows) if row["is_current"]), None)
    if not rows or now is None:
        return "No run is published yet"
    kept = f"{count(len(rows), 'run')} {'is' if len(rows) == 1 else 'are'} kept"
    if now == 0:
        return f"{kept}, readers see the newest"
    return f"{kept}, readers see an earlier one ({formats.number(now)} behind the newest)"


def over_runs(rows: Sequence[Mapping[str, Any]], formats: Formats) -> str:
    """How customers grew from the oldest kept run to the newest."""
    told = [row for row in rows if row["customers"] is not None]
    if len(told) < 2:
        return "Customers and money, run by run"
    new, old = told[0], told[-1]
    more = new["customers"] - old["customers"]
    since = f"since the run of {day(instant_day(old['published_at']), formats)}"
    people = (
        f"{formats.number(abs(more))} {'more' if more > 0 else 'fewer'} customers"
        if more
        else "As many customers"
    )
    if new["currency"] != old["currency"] or new["monetary_basis"] != old["monetary_basis"]:
        return f"{people} {since}"
    money = new["monetary"] - old["monetary"]
    how = f"{formats.short_money(abs(money))} {'more' if money > 0 else 'less'}" if money else "as much"
    return f"{people} and {how} {money_word(new)} {since}"


def instant(text: str | None) -> dt.datetime | None:
    """A time of a manifest, in UTC; None where it has none."""
    try:
        found = dt.datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found.astimezone(dt.UTC).replace(tzinfo=None) if found.tzinfo else found


def instant_day(text: str | None) -> str:
    """The day of a time of a manifest."""
    found = instant(text)
    return found.date().isoformat() if found else ""


def moment(text: str | None, formats: Formats) -> str:
    """A time of a manifest as the reader writes it."""
    return formats.moment(instant(text))


def day(text: str | None, formats: Formats) -> str:
    """A day of a manifest as the reader writes it."""
    try:
        return formats.date(dt.date.fromisoformat(str(text)))
    except ValueError:
        return formats.date(None)


def took(seconds: float | None) -> str:
    """How long a run took."""
    return "–" if seconds is None else span(float(seconds))


def size(amount: float | None, formats: Formats) -> str:
    """Bytes as people say them."""
    if amount is None:
        return "–"
    for unit, of in (("GB", 1e9), ("MB", 1e6), ("KB", 1e3)):
        if amount >= of:
            return f"{formats.number(amount / of, 1)} {unit}"
    return f"{formats.number(amount)} bytes"


def money_word(row: Mapping[str, Any]) -> str:
    """What monetary value is in that run."""
    return "profit" if row["monetary_basis"] == "margin" else "revenue"
