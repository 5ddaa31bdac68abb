"""Expected value as pictures: how customers spread, what is at stake, the best with their intervals, the past."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from evervalue.api.snapshots import Row
from evervalue.dashboard import value_words
from evervalue.dashboard.charts.base import (
    LABEL,
    TIER_COLOUR,
    TIER_SYMBOL,
    Option,
    category_axis,
    frame,
    number,
    value_axis,
)
from evervalue.dashboard.formats import Formats
from evervalue.dashboard.links import customer_url
from evervalue.dashboard.words import GEM_MARK, count

Href = Callable[[Row], str]


def distribution(rows: Sequence[Row], href: Href, formats: Formats) -> Option:
    """One column a band of expected value, as high as it has customers."""
    bars = [
        {
            "value": row["customers"],
            "tip": [
                value_words.band(row, formats),
                count(row["customers"], "customer", formats),
                f"{formats.exact(row['expected_clv'])} expected of them together",
            ],
            "href": href(row) if row["customers"] else "",
        }
        for row in rows
    ]
    return frame(
        grid={"left": 4, "right": 16, "top": 12, "bottom": 28, "containLabel": True},
        xAxis=category_axis(
            [value_words.band(row, formats) if row["band_from"] is None
             else value_words.amount(row["band_from"], formats) + ("+" if row["band_to"] is None else "")
             for row in rows],
            axisLabel={**LABEL, "hideOverlap": True},
            name="Expected of a customer, from",
            nameLocation="middle",
            nameGap=28,
            nameTextStyle={"color": "@text-2", "fontSize": 12},
        ),
        yAxis=value_axis("fmt:number", splitNumber=4, minInterval=1),
        series=[
            {
                "type": "bar",
                "name": "Customers",
                "data": bars,
                "barCategoryGap": "10%",
                "barMaxWidth": 72,
                "itemStyle": {"color": "@high", "borderRadius": [3, 3, 0, 0]},
                "cursor": "pointer",
            }
        ],
    )  # fmt: skip


def at_stake(rows: Sequence[Row], href: Href, formats: Formats) -> Option:
    """Two bars a band of the chance of being active: what came, and what is expected; the most likely on top."""
    shown = list(reversed(rows))
    lines = [
        ("past_monetary", "Brought", "@low"),
        ("expected_clv", "Expected", "@high"),
    ]  # fmt: skip
    if all(row["past_monetary"] is None for row in rows):
        lines = lines[1:]
    series = [
        {
            "type": "bar",
            "name": name,
            "data": [
                {
                    "value": number(row[column]),
                    "tip": [
                        f"{value_words.alive_band(row, formats)} likely active",
                        count(row["customers"], "customer", formats),
                        f"{name} {formats.exact(row[column])}",
                    ],
                    "href": href(row),
                }
                for row in shown
            ],
            "barGap": "12%",
            "barMaxWidth": 20,
            "barCategoryGap": "34%",
            "itemStyle": {"color": colour, "borderRadius": [0, 3, 3, 0]},
            "cursor": "pointer",
        }
        for column, name, colour in lines
    ]
    return frame(
        grid={"left": 4, "right": 16, "top": 4, "bottom": 4, "containLabel": True},
        xAxis=value_axis("fmt:short_money", splitNumber=4),
        yAxis=category_axis([value_words.alive_band(row, formats) for row in shown], inverse=True),
        series=series,
    )


def top(rows: Sequence[Row], formats: Formats) -> Option:
    """One range a customer, the highest expectation on top: what may really come, and a mark where the mean lies."""
    below: list[dict[str, Any]] = []
    hidden: list[float] = []
    above: list[dict[str, Any]] = []
    marks: list[dict[str, Any]] = []
    for place, row in enumerate(rows):
        mean = number(row["expected_clv"]) or 0.0
        low = number(row["clv_low"]) if row["clv_low"] is not None else mean
        high = number(row["clv_high"]) if row["clv_high"] is not None else mean
        low, high = low or 0.0, high or 0.0
        told = {"tip": _told(row, formats), "href": customer_url(row["customer_id"])}
        below.append({"value": min(low, 0.0) - min(high, 0.0), **told})
        hidden.append(max(low, 0.0) + min(high, 0.0))
        above.append({"value": max(high, 0.0) - max(low, 0.0), **told})
        marks.append(
            {
                "value": [mean, place],
                "symbol": TIER_SYMBOL.get(row["customer_value"], "circle"),
                "itemStyle": {"color": TIER_COLOUR.get(row["customer_value"], "@low"), "opacity": 1},
                **told,
            }
        )
    names = [(f"{GEM_MARK} " if row["is_gem"] else "") + row["customer"] for row in rows]
    bar = {"type": "bar", "stack": "range", "barWidth": 12, "cursor": "pointer"}
    return frame(
        grid={"left": 4, "right": 24, "top": 4, "bottom": 4, "containLabel": True},
        xAxis=value_axis("fmt:short_money", splitNumber=4),
        yAxis=category_axis(
            names,
            inverse=True,
            axisLabel={"color": "@text", "fontSize": 12, "width": 150, "overflow": "truncate"},
        ),
        series=[
            {**bar, "data": hidden, "silent": True, "itemStyle": {"color": "transparent"}},
            {**bar, "data": below, "itemStyle": {"color": "@r4"}},
            {**bar, "data": above, "itemStyle": {"color": "@r4"}},
            {"type": "scatter", "data": marks, "symbolSize": 11, "cursor": "pointer", "z": 5},
        ],
    )


def _told(row: Row, formats: Formats) -> list[str]:
    lines = [row["customer"], f"Expected {formats.exact(row['expected_clv'])}"]
    if row["clv_low"] is not None:
        lines.append(f"Likely {formats.exact(row['clv_low'])} to {formats.exact(row['clv_high'])}")
    if row["p_alive"] is not None:
        lines.append(f"{formats.percent(row['p_alive'], 1)} likely active, {row['customer_value']}")
    return lines


def forecast(rows: Sequence[Row], formats: Formats) -> Option:
    """One pair of bars a day in the past, as a share of what came; the line is what came."""
    dated = [row for row in rows if row["origin"] is not None]
    origins = sorted({row["origin"] for row in dated})
    names = {row["origin"]: value_words.period(row, formats) for row in dated}
    series: list[dict[str, Any]] = []
    for target, name, colour in (("value", "Money", "@high"), ("orders", "Orders", "@low")):
        found = {row["origin"]: row for row in dated if row["target"] == target}
        if not found:
            continue
        series.append(
            {
                "type": "bar",
                "name": name,
                "data": [
                    {
                        "value": number(found[o]["expected_share"]) if o in found else None,
                        "tip": [
                            names[o],
                            f"{name}: {formats.percent(found[o]['expected_share'], 1)} of what came was expected",
                            count(found[o]["customers"], "customer", formats),
                        ]
                        if o in found
                        else [names[o]],
                    }
                    for o in origins
                ],
                "barGap": "12%",
                "barMaxWidth": 20,
                "barCategoryGap": "34%",
                "itemStyle": {"color": colour, "borderRadius": [0, 3, 3, 0]},
            }
        )
    if series:
        series[0]["markLine"] = {
            "silent": True,
            "symbol": "none",
            "lineStyle": {"color": "@text", "width": 1.5, "type": "dashed"},
            "label": {
                "show": True,
                "formatter": "What came",
                "color": "@text-2",
                "fontSize": 12,
                "position": "start",
            },
            "data": [{"xAxis": 1}],
        }
    return frame(
        grid={"left": 4, "right": 24, "top": 24, "bottom": 4, "containLabel": True},
        xAxis=value_axis("fmt:percent", splitNumber=4, min=0),
        yAxis=category_axis([names[o] for o in origins], inverse=True),
        series=series,
    )
