"""What the pages say in words: scores are always relative to other customers, and a finding is the title."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evervalue.api.snapshots import RunSettings
from evervalue.dashboard.formats import Formats

TIERS = ("High-Value", "Mid-Value", "Low-Value")
TIER_CLASS = {"High-Value": "high", "Mid-Value": "mid", "Low-Value": "low"}
DIMENSIONS = {"L": "Length", "R": "Recency", "F": "Frequency", "M": "Monetary"}
GEM_MARK = "◆"


def value_word(run: RunSettings) -> str:
    """What monetary value is in this run."""
    return "profit" if run.monetary_basis == "margin" else "revenue"


def best_customers(run: RunSettings) -> str:
    """How the best customers are called."""
    return (
        "most profitable customers" if run.monetary_basis == "margin" else "customers with the most revenue"
    )


def gem_headline(headline: Mapping[str, Any], run: RunSettings, top: int) -> str:
    """The finding of the whole study: '11 of the 20 most profitable customers are Mid-Value'."""
    among = min(top, int(headline["scored_customers"]))
    mid = int(headline[f"top{top}_mid"])
    if among == 0:
        return "No customer has a score yet"
    if among == 1:
        return f"The only customer is {'' if mid else 'not '}Mid-Value"
    return f"{mid} of the {among} {best_customers(run)} {'is' if mid == 1 else 'are'} Mid-Value"


def gem_rule(run: RunSettings, formats: Formats) -> str:
    """Which customers count as hidden gems, with the parameters that the run used."""
    if run.gem_rule == "top_n":
        return f"Mid-Value customers among the top {formats.number(run.gem_top_n)} by {value_word(run)}"
    if run.gem_rule == "top_share":
        return f"Mid-Value customers among the top {formats.percent(run.gem_top_share)} by {value_word(run)}"
    best = f"{run.gem_min_m_score}" if run.gem_min_m_score == run.bins else f"{run.gem_min_m_score} or more"
    return f"Mid-Value customers with a monetary score of {best} out of {run.bins}"


def count(number: int, noun: str, formats: Formats) -> str:
    """'1 customer', '1,368 days'."""
    return f"{formats.number(number)} {noun if number == 1 else noun + 's'}"


@dataclass(frozen=True)
class Held:
    """One dimension of a customer's score, in words."""

    letter: str
    name: str
    score: int
    says: str


def what_holds_back(
    customer: Mapping[str, Any], peers: Mapping[str, Any], run: RunSettings, formats: Formats
) -> list[Held]:
    """The four scores, each with what it means beside all other customers."""
    others = int(peers["customers"])
    money = value_word(run)
    lines = (
        ("L", count(customer["length_days"], "day", formats) + " from first to last order", "longer",
         "have a longer history"),
        ("R", count(customer["recency_days"], "day", formats) + " since the last order", "more_recent",
         "ordered more recently"),
        ("F", count(customer["frequency"], "order", formats), "more_frequent", "ordered more often"),
        ("M", formats.whole_money(customer["monetary"]) + " " + money, "more_profitable", f"bring more {money}"),
    )  # fmt: skip
    return [
        Held(
            letter,
            DIMENSIONS[letter],
            int(customer[f"{letter.lower()}_score"]),
            f"{fact}; {_share(int(peers[key]), others, formats)} {does}",
        )
        for letter, fact, key, does in lines
    ]


def held_for(known: Mapping[str, Any], formats: Formats) -> str:
    """From when to when a value of an attribute held: 'since Aug 1, 2022', 'Jan 5, 2022 to Mar 31, 2022'."""
    begin, end = known["valid_from"], known["valid_to"]
    if begin is None:  # another value was told more often on each of its days
        begin, last = known["first_seen"], known["last_seen"]
        return "beside others" if begin is None else f"beside others {_days(begin, last, formats)}"
    return (
        f"since {formats.date(begin)}" if end is None else _days(begin, end - dt.timedelta(days=1), formats)
    )


def _days(first: dt.date, last: dt.date, formats: Formats) -> str:
    if last <= first:
        return f"on {formats.date(first)}"
    return f"{formats.date(first)} to {formats.date(last)}"


def _share(better: int, others: int, formats: Formats) -> str:
    if better == 0:
        return "no customers"
    if better * 100 < others:
        return f"fewer than {formats.percent(0.01)} of customers"
    return f"{formats.percent(better / others)} of customers"


def money_by_month(months: Sequence[Mapping[str, Any]], formats: Formats) -> str:
    """How the last twelve full months of revenue compare with the twelve before."""
    if len(months) < 24:
        return "Revenue by month"
    now = sum(m["revenue"] for m in months[-12:])
    before = sum(m["revenue"] for m in months[-24:-12])
    if before <= 0:
        return f"{formats.short_money(now)} revenue in the last 12 months"
    change = now / before - 1
    if abs(change) < 0.005:
        return f"{formats.short_money(now)} revenue in the last 12 months, as in the 12 before"
    more = f"{formats.percent(abs(change))} {'more' if change > 0 else 'less'}"
    return f"{formats.short_money(now)} revenue in the last 12 months, {more} than in the 12 before"


def tier_finding(tiers: Sequence[Mapping[str, Any]], run: RunSettings, formats: Formats) -> str:
    """Which part of the money Mid-Value customers bring, beside their number."""
    found = {t["customer_value"]: t for t in tiers}
    mid = found.get("Mid-Value")
    if mid is None or mid["monetary_share"] is None:
        return f"{value_word(run).capitalize()} by value tier"
    people, money = formats.percent(mid["customer_share"]), formats.percent(mid["monetary_share"])
    return f"Mid-Value customers are {people} of all and bring {money} of the {value_word(run)}"


def high_against_mid(tiers: Sequence[Mapping[str, Any]], formats: Formats) -> str:
    """What parts High-Value from Mid-Value customers, as one sentence."""
    found = {t["customer_value"]: t for t in tiers}
    high, mid = found.get("High-Value"), found.get("Mid-Value")
    if high is None or mid is None:
        return "High-Value against Mid-Value"
    if high["mean_recency_days"] and mid["mean_recency_days"] > high["mean_recency_days"]:
        times = formats.about(mid["mean_recency_days"] / high["mean_recency_days"])
        return f"Mid-Value customers have been quiet {times} times as long as High-Value ones"
    return "High-Value against Mid-Value"


def concentration_finding(lorenz: Sequence[Mapping[str, Any]], run: RunSettings, formats: Formats) -> str:
    """What the best fifth of customers brings."""
    fifth = next((row for row in lorenz if row["percentile"] == 20), None)
    if fifth is None or fifth["monetary_share"] is None:
        return "Concentration"
    share = formats.percent(fifth["monetary_share"])
    return f"The best {formats.percent(0.2)} of customers bring {share} of the {value_word(run)}"
