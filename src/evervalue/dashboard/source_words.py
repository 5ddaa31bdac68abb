"""What the pages say of sources: ages, states with a sign beside their colour, and the finding as a title."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from evervalue.core.text import joined
from evervalue.dashboard.formats import Formats
from evervalue.dashboard.words import count

SIGNS = {"ok": "✓", "learning": "…", "watch": "!", "alarm": "✗"}
STATES = {"ok": "as usual", "learning": "learning", "watch": "watch", "alarm": "alarm"}
CHECKS = {
    "reading": "Reading",
    "following": "Following",
    "freshness": "Freshness",
    "volume": "Volume",
    "refused": "Refused rows",
    "empty_cells": "Empty cells",
}
KINDS = {
    "files": "Files",
    "postgres": "PostgreSQL",
    "mysql": "MySQL or MariaDB",
    "sql": "Database",
    "changes": "Files of changes",
}
MINUTE, HOUR, DAY = 60, 3600, 86400
ROWS = {
    "order_lines": "an order line",
    "customers": "a customer",
    "product_costs": "the cost of a product",
    "cost_entries": "a cost",
    "rates": "an exchange rate",
    "identifiers": "an identifier of a customer",
    "subscriptions": "a contract",
    "balances": "a balance",
    "income": "an income",
}
NAMED = 3
"""Sources that a title names, and findings that a row of a table tells; the others are counted."""
FOLLOWED = {
    "live": "followed",
    "retrying": "its server is away",
    "stopped": "not followed",
    "silent": "its follower is silent",
    "failed": "not followed any more",
}
UNREAD = "could not be read, so what was read before is shown"


def age(seconds: float, formats: Formats) -> str:
    """A time gone by, in whole units.

    >>> [age(s, Formats("en_US", "USD")) for s in (5, 90, 7_300, 200_000, 1e8)]
    ['less than a minute', '1 minute', '2 hours', '2 days', '1,157 days']
    """
    if seconds < MINUTE:
        return "less than a minute"
    size, noun = (
        (MINUTE, "minute") if seconds < 2 * HOUR else (HOUR, "hour") if seconds < 2 * DAY else (DAY, "day")
    )
    return count(int(seconds // size), noun, formats)


def ago(seconds: float | None, formats: Formats) -> str:
    """How long ago something was: '3 hours ago', 'just now', 'never'."""
    if seconds is None:
        return "never"
    return "just now" if seconds < MINUTE else f"{age(seconds, formats)} ago"


def lag(source: Mapping[str, Any], formats: Formats) -> str:
    """How far behind a source is now: 'nothing waits', '12 seconds', '7 minutes'; a dash where it cannot be said."""
    if source["followed"] == "live" and source["lag_seconds"] == 0:
        return "nothing waits"
    return behind_then(source["lag_seconds"], formats)


def behind_then(seconds: float | None, formats: Formats) -> str:
    """How far behind a source was: '12 seconds', '7 minutes'; a dash where it could not be said.

    >>> [behind_then(s, Formats("en_US", "USD")) for s in (None, 0, 12.7, 420)]
    ['–', '0 seconds', '12 seconds', '7 minutes']
    """
    if seconds is None:
        return "–"
    return count(int(seconds), "second", formats) if seconds < MINUTE else age(seconds, formats)


def lag_note(source: Mapping[str, Any], formats: Formats) -> str:
    """What the time behind is told by: who follows the source, its newest change, or its last read."""
    if source["followed"]:
        return FOLLOWED[source["followed"]]
    if source["kind"] == "changes":
        return "since its newest change"
    then = source["behind_seconds"]
    return f"{behind_then(then, formats)} when read" if then >= 1 else "caught up when read"


def span(seconds: float, formats: Formats) -> str:
    """A length of time that was set or learnt, with one decimal where it has one: '36 hours', '3.5 days'."""
    size, noun = (
        (MINUTE, "minute") if seconds < 2 * HOUR else (HOUR, "hour") if seconds < 2 * DAY else (DAY, "day")
    )
    amount = round(seconds / size, 1)
    return f"{formats.about(amount)} {noun if amount == 1 else noun + 's'}"


def finding(source: Mapping[str, Any], formats: Formats) -> str:
    """What there is to say of one source: 'crm has had no news for 3 days'."""
    name, check = source["source"], source["worst_check"]
    first = str(source["state_says"]).split("; ", 1)[0]
    if check == "reading":
        return f"{name} could not be read"
    if check == "following":
        return f"{name} {first.split(': ', 1)[0]}"
    if check == "collector":
        return f"The collector {first.split(': ', 1)[0]}"
    if check == "silence":
        return f"{name} has sent nothing for {age(source['news_age_seconds'] or 0, formats)}"
    if check == "accounts":
        return f"{name}: {first.split(': ', 1)[0]}"
    if check == "freshness" and source["news_age_seconds"] is not None:
        return f"{name} has had no news for {age(source['news_age_seconds'], formats)}"
    if check == "volume":
        return f"{name} {first}"
    if check:
        return f"{name}: {first}"
    return f"{name}: too few loads yet to say what is usual" if source["state"] == "learning" else (
        f"{name} is as usual"
    )  # fmt: skip


def short(says: str, check: str = "") -> str:
    """What a state is about, for a row of a table: the first findings; `check` is the worst.

    Why a source could not be read or followed is told on its own page.

    >>> short("could not be read, so what was read before is shown: crm.csv is empty; no news for 3 days")
    'could not be read, so what was read before is shown'
    >>> short("a; b; c; d; e")
    'a; b; c; and 2 more'
    >>> short("is not followed any more: the slot is lost; find out who dropped it", "following")
    'is not followed any more'
    """
    if says.startswith(UNREAD):
        return UNREAD
    if check == "following":
        return says.split(": ", 1)[0]
    found = says.split("; ")
    more = [f"and {len(found) - NAMED} more"] if len(found) > NAMED else []
    return "; ".join([*found[:NAMED], *more])


def one_row(provides: str) -> str:
    """What one row of a source is: 'an order line'."""
    return ROWS.get(provides, f"one of {provides.replace('_', ' ')}")


def checks_title(checks: Sequence[Mapping[str, Any]], formats: Formats) -> str:
    """How many checks are as usual."""
    odd = sum(1 for check in checks if check["state"] in ("watch", "alarm"))
    learning = sum(1 for check in checks if check["state"] == "learning")
    of_all = count(len(checks), "check", formats)
    if odd:
        return f"{formats.number(odd)} of {of_all} {'is' if odd == 1 else 'are'} not as usual"
    if learning:
        learn = "learns" if learning == 1 else "learn"
        return f"Nothing is unusual; {formats.number(learning)} of {of_all} still {learn} what is usual"
    return f"All {of_all} are as usual"


def attention(alarms: Sequence[Mapping[str, Any]], formats: Formats) -> str:
    """What every page says while a source is in alarm: '2 sources need attention'."""
    sources = [alarm for alarm in alarms if alarm["worst_check"] != "collector"]
    counted = count(len(sources), "source", formats)
    if len(sources) < len(alarms):
        return f"The collector and {counted} need attention" if sources else "The collector needs attention"
    return f"{counted} {'needs' if len(sources) == 1 else 'need'} attention"


def title(sources: Sequence[Mapping[str, Any]], formats: Formats) -> str:
    """The finding of all sources: '1 of 3 sources needs attention: crm has had no news for 3 days'."""
    if not sources:
        return "This run has no source"
    by_state = {state: [s for s in sources if s["state"] == state] for state in STATES}
    number = len(sources)
    of_all = f"of {count(number, 'source', formats)}" if number > 1 else ""
    if alarms := by_state["alarm"]:
        need = "needs attention" if len(alarms) == 1 else "need attention"
        return _counted(alarms, of_all, need, formats)
    if watch := by_state["watch"]:
        return _counted(watch, of_all, "to watch", formats)
    newest = newest_data(sources, formats)
    if learning := by_state["learning"]:
        words = (
            "too few loads yet to say what is usual"
            if len(learning) == number
            else f"{formats.number(len(learning))} with too few loads yet to say what is usual"
        )
        return f"{count(number, 'source', formats)}, {words}{newest}"
    usual = {1: "as usual", 2: "both as usual"}.get(number, "all as usual")
    return f"{count(number, 'source', formats)}, {usual}{newest}"


def title_with_events(
    sources: Sequence[Mapping[str, Any]], alarms: Sequence[Mapping[str, Any]], formats: Formats
) -> str:
    """The finding of all sources, those of events among them; `alarms` are those and the collector, where in alarm."""
    if not alarms:
        return title(sources, formats)
    everything = [*alarms, *(source for source in sources if source["state"] == "alarm")]
    says = [finding(alarm, formats) for alarm in everything[:2]]
    more = [f"{formats.number(len(everything) - 2)} more"] if len(everything) > 2 else []
    return f"{attention(everything, formats)}: {joined([*says, *more])}"


def events_title(found: Sequence[Mapping[str, Any]], formats: Formats) -> str:
    """What became of all events: '12,000 events came: 11,900 stored, 90 duplicate, 10 quarantined'."""
    if not found:
        return "No event has come yet"
    sums = {
        name: sum(one[name] for one in found)
        for name in ("accepted", "stored", "duplicate", "quarantined", "unaccounted")
    }
    lost = f", {formats.number(sums['unaccounted'])} not accounted for" if sums["unaccounted"] else ""
    told = ", ".join(
        f"{formats.number(sums[name])} {name}" for name in ("stored", "duplicate", "quarantined")
    )
    return f"{count(sums['accepted'], 'event', formats)} came: {told}{lost}"


def silence_limit(one: Mapping[str, Any], formats: Formats) -> str:
    """How long a source of events may be silent: '2 hours at most, as set'; empty where that is not known yet."""
    if one["silence_alarm_seconds"] is None:
        return ""
    most = f"{span(one['silence_alarm_seconds'], formats)} at most"
    return f"{most}, as set" if one["silence_is_set"] else f"{most} at this time"


def newest_data(sources: Sequence[Mapping[str, Any]], formats: Formats) -> str:
    """'; newest order Dec 31, 2023', where there is an order."""
    days = [s["newest_at"] for s in sources if s["provides"] == "order_lines" and s["newest_at"] is not None]
    return f"; newest order {formats.date(max(days).date())}" if days else ""


def usual_range(check: Mapping[str, Any], formats: Formats) -> str:
    """What would be usual, in the unit of the check; a dash where it is not known or there is nothing to compare."""
    low, high = check["expected_low"], check["expected_high"]
    if high is None:
        return "–"
    if check["check_name"] in ("freshness", "following"):
        return f"at most {span(high, formats)}"
    if check["check_name"] == "volume":
        return f"{formats.number(round(low or 0))} to {formats.number(round(high))} rows"
    if not low:
        return f"at most {formats.percent(high, 1)}"
    return f"{formats.percent(low, 1)} to {formats.percent(high, 1)}"


def check_name(check: Mapping[str, Any]) -> str:
    """What a check looks at: 'Freshness', 'Empty cells: amount'."""
    name = CHECKS.get(check["check_name"], check["check_name"])
    return f"{name}: {check['field']}" if check["field"] else name


def loads_title(loads: Sequence[Mapping[str, Any]], formats: Formats) -> str:
    """What the loads brought, as a sentence; the latest comes first."""
    if not loads:
        return "No load is remembered"
    failed = sum(1 for load in loads if load["failed"])
    empty = sum(1 for load in loads if not load["rows_came"] and not load["failed"])
    rows = count(loads[0]["rows_came"], "row", formats)
    if len(loads) == 1:
        return f"The first load brought {rows}"
    told = [
        f"{formats.number(n)} {word}" for n, word in ((empty, "brought nothing"), (failed, "failed")) if n
    ]
    last = "The last load failed" if loads[0]["failed"] else f"The last load brought {rows}"
    return f"{last}; of {count(len(loads), 'load', formats)} {joined(told or ['none failed'])}"


def rows_finding(row: Mapping[str, Any], formats: Formats) -> str:
    """Whether every row and all money are accounted for."""
    if row["amount_unexplained"]:
        return f"{formats.number(row['amount_unexplained'], 2)} of the money is not accounted for"
    if row["rows_quarantined"]:
        held = count(row["rows_quarantined"], "row", formats)
        return f"All rows and all money are accounted for; {held} in quarantine"
    return "All rows and all money are accounted for"


def _counted(found: Sequence[Mapping[str, Any]], of_all: str, words: str, formats: Formats) -> str:
    says = [finding(source, formats) for source in found]
    if not of_all:
        return says[0]
    number = formats.number(len(found))
    if len(found) == 1:
        return f"{number} {of_all} {words}: {says[0]}"
    counted = f"{number} {of_all}"
    if of_all.startswith(f"of {number} "):
        counted = "Both sources" if len(found) == 2 else f"All {of_all.removeprefix('of ')}"
    names = [str(source["source"]) for source in found]
    shown = names if len(names) <= NAMED else [*names[:NAMED], f"{formats.number(len(names) - NAMED)} more"]
    return f"{counted} {words}: {joined(shown)}"
