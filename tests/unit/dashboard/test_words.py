"""What the pages say, at the edges: one customer, none, revenue instead of profit, other rules."""

from __future__ import annotations

import dataclasses
import datetime as dt
from decimal import Decimal

from evervalue.api.snapshots import RunSettings
from evervalue.dashboard import words
from evervalue.dashboard.formats import Formats

US = Formats("en_US", "USD")
RUN = RunSettings(
    run_id="r",
    project_name="p",
    as_of=dt.date(2024, 1, 1),
    currency="USD",
    time_zone="UTC",
    monetary_basis="margin",
    bins=4,
    ties="share",
    high_value_at=14,
    mid_value_at=10,
    gem_rule="m_score",
    gem_top_n=20,
    gem_top_share=Decimal("0.1"),
    gem_min_m_score=4,
    what_if_max_orders=100,
)
REVENUE = dataclasses.replace(RUN, monetary_basis="revenue")


def headline(scored: int, mid: int) -> dict[str, int]:
    return {"scored_customers": scored, "top20_mid": mid, "top10_mid": mid}


def test_the_headline() -> None:
    assert (
        words.gem_headline(headline(99, 11), RUN, 20)
        == "11 of the 20 most profitable customers are Mid-Value"
    )
    assert words.gem_headline(headline(7, 1), RUN, 20) == "1 of the 7 most profitable customers is Mid-Value"
    assert (
        words.gem_headline(headline(99, 0), RUN, 10) == "0 of the 10 most profitable customers are Mid-Value"
    )
    assert words.gem_headline(headline(1, 1), RUN, 20) == "The only customer is Mid-Value"
    assert words.gem_headline(headline(1, 0), RUN, 20) == "The only customer is not Mid-Value"
    assert words.gem_headline(headline(0, 0), RUN, 20) == "No customer has a score yet"
    assert "customers with the most revenue" in words.gem_headline(headline(99, 3), REVENUE, 20)


def test_the_gem_rule_says_its_parameters() -> None:
    assert words.gem_rule(RUN, US) == "Mid-Value customers with a monetary score of 4 out of 4"
    loose = dataclasses.replace(RUN, gem_min_m_score=3)
    assert words.gem_rule(loose, US) == "Mid-Value customers with a monetary score of 3 or more out of 4"
    top = dataclasses.replace(RUN, gem_rule="top_n")
    assert words.gem_rule(top, US) == "Mid-Value customers among the top 20 by profit"
    share = dataclasses.replace(REVENUE, gem_rule="top_share")
    assert words.gem_rule(share, US) == "Mid-Value customers among the top 10% by revenue"


def test_scores_are_relative() -> None:
    customer = {
        "length_days": 1,
        "recency_days": 16,
        "frequency": 1,
        "monetary": Decimal("10.5"),
        "l_score": 1,
        "r_score": 2,
        "f_score": 3,
        "m_score": 4,
    }
    peers = {"customers": 1000, "longer": 580, "more_recent": 3, "more_frequent": 0, "more_profitable": 1000}
    said = [held.says for held in words.what_holds_back(customer, peers, RUN, US)]
    assert said == [
        "1 day from first to last order; 58% of customers have a longer history",
        "16 days since the last order; fewer than 1% of customers ordered more recently",
        "1 order; no customers ordered more often",
        "$10 profit; 100% of customers bring more profit",
    ]


def test_money_by_month_compares_years() -> None:
    def year(amount: int) -> list[dict[str, Decimal]]:
        return [{"revenue": Decimal(amount)}] * 12

    say = words.money_by_month
    assert say(year(100)[:5], US) == "Revenue by month"
    assert (
        say(year(100) + year(121), US)
        == "$1.5K revenue in the last 12 months, 21% more than in the 12 before"
    )
    assert (
        say(year(100) + year(90), US) == "$1.1K revenue in the last 12 months, 10% less than in the 12 before"
    )
    assert say(year(100) + year(100), US) == "$1.2K revenue in the last 12 months, as in the 12 before"
    assert say(year(0) + year(100), US) == "$1.2K revenue in the last 12 months"


def test_findings_do_without_a_tier() -> None:
    assert words.tier_finding([], RUN, US) == "Profit by value tier"
    assert words.high_against_mid([], US) == "High-Value against Mid-Value"
    assert words.concentration_finding([], RUN, US) == "Concentration"
    same = [
        {"customer_value": "High-Value", "mean_recency_days": 5.0},
        {"customer_value": "Mid-Value", "mean_recency_days": 5.0},
    ]
    assert words.high_against_mid(same, US) == "High-Value against Mid-Value"
