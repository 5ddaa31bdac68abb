"""Customers and money over the kept runs, the oldest on the left."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from evervalue.api.snapshots import Row
from evervalue.dashboard.charts.base import LABEL, Option, category_axis, frame, number, value_axis
from evervalue.dashboard.formats import Formats
from evervalue.dashboard.links import to
from evervalue.dashboard.run_words import day, moment, money_word


def over_runs(rows: Sequence[Row], formats: Formats) -> Option:
    """Customers as a line against the left axis, money as a dashed one against the right.

    `rows` come with the newest first; a run that cannot be read is a gap.
    """
    told = list(rows[::-1])
    tips = [
        [
            moment(row["published_at"], formats),
            f"Orders before {day(row['as_of'], formats)}",
            f"{formats.number(row['customers'])} customers",
            f"{money_word(row).capitalize()} {formats.exact(row['monetary'])}",
        ]
        for row in told
    ]
    hrefs = [to(f"/runs/{row['run_id']}") for row in told]
    return frame(
        tooltip={"trigger": "axis", "confine": True, "axisPointer": {"lineStyle": {"color": "@border"}}},
        grid={"left": 4, "right": 4, "top": 12, "bottom": 4, "containLabel": True},
        xAxis=category_axis(
            [moment(row["published_at"], formats).removesuffix(" UTC") for row in told],
            boundaryGap=True,
            axisLabel={**LABEL, "hideOverlap": True},
        ),
        yAxis=[
            value_axis("fmt:number", splitNumber=4, minInterval=1),
            {**value_axis("fmt:short_money", splitNumber=4), "splitLine": {"show": False}},
        ],
        series=[
            _line("Customers", 0, "@high", "solid", [row["customers"] for row in told], tips, hrefs),
            _line("Money", 1, "@mid", "dashed", [row["monetary"] for row in told], tips, hrefs),
        ],
    )


def _line(
    name: str, axis: int, colour: str, dash: str, values: list[Any], tips: list[list[str]], hrefs: list[str]
) -> dict[str, Any]:
    points = zip(values, tips, hrefs, strict=True)
    return {
        "type": "line",
        "name": name,
        "yAxisIndex": axis,
        "data": [{"value": number(value), "tip": tip, "href": href} for value, tip, href in points],
        "showSymbol": True,
        "symbolSize": 7,
        "symbol": "circle" if dash == "solid" else "diamond",
        "lineStyle": {"color": colour, "width": 2, "type": dash},
        "itemStyle": {"color": colour},
    }
