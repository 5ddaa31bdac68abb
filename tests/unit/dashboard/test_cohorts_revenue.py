"""What the pages of cohorts and revenue say, and the options of their charts."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest

from evervalue.dashboard import cohort_words, revenue_words
from evervalue.dashboard.charts.cohorts import curves
from evervalue.dashboard.charts.revenue import top_values
from evervalue.dashboard.formats import Formats

FORMATS = Formats("en_US", "USD")


def curve(cohort: dt.date, ages: int, each: int, customers: int = 40) -> list[dict[str, Any]]:
    return [
        {
            "cohort": cohort,
            "age_months": age,
            "customers": customers,
            "retention": 0.5,
            "mean_revenue": Decimal(each * (age + 1)),
        }
        for age in range(ages)
    ]


def said(before: int, now: int, ages: int = 12, customers: int = 40) -> str:
    years = curve(dt.date(2020, 1, 1), 24, before) + curve(dt.date(2021, 1, 1), ages, now, customers)
    together = curve(dt.date(2020, 1, 1), 24, before)
    return cohort_words.finding({"year": years, "all": together}, "mean_revenue", "revenue", FORMATS)


@pytest.mark.parametrize(
    ("before", "now", "more"),
    [
        (100, 270, "2.7 times as much revenue as"),
        (100, 140, "40% more revenue than"),
        (100, 101, "about as much revenue as"),
        (100, 70, "30% less revenue than"),
    ],
)
def test_cohorts_are_compared_at_equal_age(before: int, now: int, more: str) -> None:
    assert said(before, now) == f"A customer of 2021 brought {more} one of 2020 in their first 12 months"


def test_losses_are_not_divided() -> None:
    assert (
        said(-1, 10) == "A customer of 2021 brought $120 revenue in their first 12 months, one of 2020 -$12"
    )


@pytest.mark.parametrize(("ages", "customers"), [(11, 40), (12, 29)])
def test_what_is_too_young_or_too_small_is_not_compared(ages: int, customers: int) -> None:
    assert said(100, 200, ages, customers) == "50% of customers order again in month 12 after their first"


def test_curves_begin_where_they_say_something_and_name_the_newest() -> None:
    lines = [("2020", curve(dt.date(2020, 1, 1), 24, 1)), ("2021", curve(dt.date(2021, 1, 1), 12, 1))]
    option = curves(lines, lines[0][1][:12], "retention", FORMATS)
    together, old, new = option["series"]
    assert together["lineStyle"]["type"] == "dashed"
    assert [point["value"][0] for point in new["data"]] == list(range(1, 12)), "month 0 is everybody"
    assert (new["lineStyle"]["color"], new["endLabel"]["formatter"]) == ("@high", "2021")
    assert old["lineStyle"]["width"] < new["lineStyle"]["width"]
    assert option["xAxis"]["max"] == 23
    money = curves(lines, [], "revenue", FORMATS)
    assert money["series"][0]["data"][0]["value"] == [0, 1.0]


def value(place: int | None, name: str, revenue: int, margin: int | None = None) -> dict[str, Any]:
    known = None if margin is None else Decimal(margin)
    return {"place": place, "value": name, "name": name, "revenue": Decimal(revenue), "margin": known}


def test_others_are_grey_and_lead_nowhere() -> None:
    rows = [value(1, "A", 60, -3), value(None, "", 40, 5)]
    revenue, margin = top_values(rows, ["A", "all 7 others"], lambda v: f"/r?{v}", FORMATS)["series"]
    assert [bar["itemStyle"]["color"] for bar in revenue["data"]] == ["@high", "@low"]
    assert revenue["data"][0]["href"] == "/r?A"
    assert "href" not in revenue["data"][1]
    assert [bar["value"] for bar in margin["data"]] == [-3.0, 5.0]
    assert len(top_values([value(1, "A", 60)], ["A"], str, FORMATS)["series"]) == 1


@pytest.mark.parametrize(
    ("values", "number", "losing", "title"),
    [
        ([60, 40], 2, 0, "A brings 60% of the revenue"),
        ([30, 20, 15], 12, 1, "3 of 12 products bring 65% of the revenue, and 1 loses money"),
        ([30, 20, 15], 12, 2, "3 of 12 products bring 65% of the revenue, and 2 lose money"),
    ],
)
def test_the_finding_of_a_dimension(values: list[int], number: int, losing: int, title: str) -> None:
    rows = [value(place + 1, "ABC"[place], each) for place, each in enumerate(values)]
    totals = {"revenue": Decimal(100), "value_count": number, "losing_count": losing}
    assert revenue_words.finding(rows, totals, "product", FORMATS) == title


def test_short_histories_say_that_seasons_disturb() -> None:
    assert "seasons" not in revenue_words.compared({"compared_months": 12})
    assert "last 6 months against the 6 before; seasons" in revenue_words.compared({"compared_months": 6})
    assert "last month against the month before; seasons" in revenue_words.compared({"compared_months": 1})
    assert "too short" in revenue_words.compared({"compared_months": None})
