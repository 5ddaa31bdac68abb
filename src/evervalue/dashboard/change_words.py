"""What pages say of two runs: what changed, in sentences, the most telling first."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from evervalue.core.text import count
from evervalue.dashboard.formats import Formats
from evervalue.dashboard.run_words import day

Facts = Mapping[str, Any]
SIGNS = {"up": "▲", "down": "▼", "joined": "+", "left": "−", "same": "="}
MOVED = {
    "up": "moved up a tier",
    "down": "moved down a tier",
    "joined": "joined",
    "left": "left",
    "same": "stayed",
}
SETTINGS = {
    "as_of": "Cutoff",
    "bins": "Score bins",
    "ties": "Rule for equal values",
    "high_value_at": "High-Value begins at a score of",
    "mid_value_at": "Mid-Value begins at a score of",
    "monetary_basis": "Monetary value is",
    "currency": "Currency",
    "gem_rule": "Rule of hidden gems",
    "value_horizon_days": "Days ahead that value is predicted",
    "value_model": "Purchase model asked for",
    "version of evervalue": "Version of Evervalue",
    "definitions of tables": "Definitions of the tables",
}
MATTERS = (
    "as_of", "bins", "ties", "high_value_at", "mid_value_at", "monetary_basis", "currency", "allow_missing_cost",
    "gem_rule", "gem_min_m_score", "gem_top_n", "gem_top_share", "value_horizon_days", "value_discount_rate_annual",
    "definitions of tables",
)  # fmt: skip
"""Settings that alone move customers or money."""


def moves(movement: Sequence[Facts]) -> dict[str, int]:
    """How many customers moved up, down, joined, left or stayed."""
    found = dict.fromkeys(MOVED, 0)
    for row in movement:
        found[row["movement"]] += int(row["customers"])
    return found


def title(movement: Sequence[Facts], formats: Formats) -> str:
    """The movement between tiers as a sentence."""
    found = moves(movement)
    if found["up"] == found["down"] == 0:
        return "Nobody moved to another tier"
    return f"{_people(found['up'], formats)} moved up a tier, {formats.number(found['down'])} moved down"


def findings(
    totals: Facts, movement: Sequence[Facts], word: str, formats: Formats, *, money: bool
) -> list[str]:
    """What changed between two runs, a sentence each."""
    found = moves(movement)
    said = []
    if money:
        said.append(_amount(word, totals["monetary_before"], totals["monetary_now"], formats))
        if totals["expected_now"] is not None and totals["expected_before"] is not None:
            said.append(_amount("expected value", totals["expected_before"], totals["expected_now"], formats))
    said.append(f"{title(movement, formats)}.")
    if found["joined"] or found["left"]:
        said.append(f"{_people(found['joined'], formats)} joined, {formats.number(found['left'])} left.")
    change = int(totals["gems_change"])
    gems = f"{formats.number(totals['gems_now'])} hidden {'gem' if totals['gems_now'] == 1 else 'gems'}"
    if change:
        said.append(f"{gems}, {formats.number(abs(change))} {'more' if change > 0 else 'fewer'} than before.")
    if not any((found["up"], found["down"], found["joined"], found["left"], change)):
        if not money:  # of different currencies, say: nothing is known of it
            return ["The same customers in the same tiers."]
        if totals["monetary_change"] == 0 and totals["expected_before"] == totals["expected_now"]:
            return ["Nothing changed: the same customers, tiers and money."]
    return said


def _amount(word: str, before: Decimal, now: Decimal, formats: Formats) -> str:
    change = now - before
    if change == 0:
        return f"{word.capitalize()} is as it was: {formats.short_money(now)}."
    way = "rose" if change > 0 else "fell"
    share = f" ({formats.percent(abs(change) / abs(before))})" if before else ""
    return f"{word.capitalize()} {way} by {formats.short_money(abs(change))}{share} to {formats.short_money(now)}."


def caveat(settings: Sequence[Facts], formats: Formats) -> str:
    """What besides the data moves the figures; empty where nothing does."""
    named = {row["setting"]: row for row in settings}
    said = []
    if "as_of" in named:
        said.append(
            f"the cutoff moved from {day(named['as_of']['before'], formats)} to {day(named['as_of']['now'], formats)}"
        )
    others = [row for row in settings if row["setting"] in MATTERS and row["setting"] != "as_of"]
    said += [
        f"{setting_name(row['setting'])[:1].lower()}{setting_name(row['setting'])[1:]} changed from "
        f"{row['before'] or 'nothing'} to {row['now'] or 'nothing'}"
        for row in others[:3]
    ]
    if len(others) > 3:
        said.append(f"{count(len(others) - 3, 'more setting')} changed")
    return "; ".join(said)


def setting_name(name: str) -> str:
    """A setting as people say it."""
    return SETTINGS.get(name) or name.replace("_", " ").capitalize()


def span_days(before: dt.date | None, now: dt.date, formats: Formats) -> str:
    """How far apart the cutoffs are: 'over 184 days'."""
    days = (now - before).days if before else 0
    return f"over {formats.number(days)} {'day' if days == 1 else 'days'}" if days > 0 else ""


def gains_title(rows: Sequence[Facts], word: str, column: str, formats: Formats) -> str:
    """Who gained most, as the title of a chart."""
    if not rows or not rows[0][column] or rows[0][column] <= 0:
        return f"Nobody gained {word}"
    best = rows[0]
    amount = (
        f"{formats.number(best[column])} point{'' if best[column] == 1 else 's'}"
        if column == "score_change"
        else formats.short_money(best[column])
    )
    return f"{best['customer']} gained most: {amount} {'of score' if column == 'score_change' else word}"


def _people(n: int, formats: Formats) -> str:
    return f"{formats.number(n)} customer{'' if n == 1 else 's'}"
