"""What the Act pages say in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from evervalue.api.snapshots import Row
from evervalue.dashboard.formats import Formats
from evervalue.dashboard.words import count

PRIORITIES = {1: "First", 2: "Next", 3: "Then"}
STATUSES = {
    "open": "Open",
    "assigned": "Assigned",
    "snoozed": "Snoozed",
    "done": "Done",
    "declined": "Not for them",
}
SHOWS = (("", "Open"), ("mine", "Mine"), ("snoozed", "Snoozed"), ("done", "Done"), ("all", "All"))
CHOICES = {
    "assign": "assigned",
    "done": "marked as done",
    "snooze": "snoozed",
    "decline": "not for this customer",
    "reopen": "opened again",
}


def queue_title(priorities: Sequence[Row], formats: Formats) -> str:
    """The finding of the queue: how many are open, and how few of them hold half of what is at stake."""
    total = sum(int(row["customers"]) for row in priorities)
    open_ = sum(int(row["open_customers"]) for row in priorities)
    if total == 0:
        return "Nobody needs to be acted on in this run"
    if open_ == 0:
        return f"Nothing is open: all {count(total, 'action', formats)} have been decided"
    said = count(open_, "open action", formats)
    first = next((row for row in priorities if row["priority"] == 1), None)
    if first is None or first["expected_clv"] is None or total == int(first["customers"]):
        return said
    people = count(int(first["customers"]), "customer", formats)
    holds = "holds" if int(first["customers"]) == 1 else "hold"
    return f"{said}; {people} {holds} half of what is at stake"


def targeting_title(found: Row, terms: Mapping[str, Any], formats: Formats) -> str:
    """The finding of targeting: how many to contact, and what that is expected to leave."""
    if not found["predicted"]:
        return "Value is not predicted for anybody here"
    if not found["contacts"]:
        if found["paying"]:
            return "The budget does not pay for a single contact"
        return "No contact is expected to bring what it costs"
    people = f"{formats.number(found['contacts'])} of {count(int(found['predicted']), 'customer', formats)}"
    spent, gain = formats.short_money(found["spent"]), formats.short_money(found["expected_gain"])
    return f"Contact {people}: {spent} spent is expected to bring {gain}"


def effect(terms: Mapping[str, Any], value_word: str, formats: Formats) -> str:
    """What a contact is taken to do."""
    uplift = rate(terms["uplift"], formats)
    of_it = "" if terms["margin"] == 100 else f", of which {rate(terms['margin'], formats)} is left as margin"
    if terms["effect"] == "order":
        return f"{uplift} of those contacted place one more order{of_it}"
    return f"a contact raises what a customer is expected to bring ({value_word}) by {uplift}{of_it}"


def break_even(found: Row, terms: Mapping[str, Any], formats: Formats) -> str:
    """From which customer on a contact pays, in a sentence."""
    if found["break_even_base"] is None:
        lacks = "an uplift of nothing" if not terms["uplift"] else "nothing left of what a contact brings"
        return f"With {lacks}, no contact pays."
    worth = "an order of theirs is" if terms["effect"] == "order" else "they are"
    return (
        f"A contact pays for customers where {worth} expected to bring more than "
        f"{formats.money(found['break_even_base'])}."
    )


def break_even_uplift(found: Row, formats: Formats) -> str:
    """The uplift at which the choice as a whole pays, in a sentence."""
    if found["break_even_uplift"] is None:
        return ""
    return f"As a whole the choice pays from an uplift of {formats.number(found['break_even_uplift'], 2)}%."


def kilograms(kg: Any, formats: Formats) -> str:
    """A mass of CO2 in the unit that fits: '49 g', '2.5 kg', '12.4 t'."""
    if kg == 0:
        return "0 g"
    if kg < 1:
        grams = kg * 1000
        return (
            f"{formats.number(grams)} g"
            if grams >= 10
            else f"{formats.about(grams)} g"
            if grams >= 1
            else "under 1 g"
        )
    if kg < 1000:
        return f"{formats.about(kg) if kg < 100 else formats.number(kg)} kg"
    return f"{formats.about(kg / 1000)} t"


def decision(row: Row) -> str:
    """A decision of the log, without who and when: 'assigned to Ada', 'snoozed until 2026-12-24'."""
    said = CHOICES[row["choice"]]
    if row["choice"] == "assign":
        said += f" to {row['assignee']}"
    if row["choice"] == "snooze":
        said += f" until {row['until']}"
    return said


def rate(percent: Any, formats: Formats) -> str:
    """Percent as they were given, without zeros that say nothing: 2 is 2%, 2.50 is 2.5%."""
    shown = f"{percent.normalize():f}" if hasattr(percent, "normalize") else str(percent)
    digits = len(shown.partition(".")[2])
    return formats.percent(percent / 100, digits)
