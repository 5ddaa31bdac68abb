"""Where revenue comes from: the values with the most as bars, and how much the best of them hold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from evervalue.api.snapshots import Row
from evervalue.dashboard.charts.base import LABEL, Option, category_axis, frame, number, value_axis
from evervalue.dashboard.formats import Formats


def top_values(
    rows: Sequence[Row], names: Sequence[str], address: Callable[[str], str], formats: Formats
) -> Option:
    """One bar a value, the most on top, and all others as a grey one; margin is a narrower bar within.

    `rows` are those of `queries.revenue.top`, `names` what they are called.
    """
    has_margin = any(row["margin"] is not None for row in rows)
    revenue: list[dict[str, Any]] = []
    margin: list[dict[str, Any]] = []
    for row, name in zip(rows, names, strict=True):
        others = row["place"] is None
        tip = [
            name,
            f"Revenue {formats.exact(row['revenue'])}",
            *([f"Profit {formats.exact(row['margin'])}"] if row["margin"] is not None else []),
        ]
        link = {} if others else {"href": address(row["value"])}
        label = formats.short_money(row["revenue"])
        revenue.append(
            {
                "value": number(row["revenue"]),
                "itemStyle": {"color": "@low" if others else "@high"},
                "label": {"formatter": label},
                "tip": tip,
                **link,
            }
        )
        margin.append({"value": number(row["margin"]), "tip": tip, **link})
    series: list[dict[str, Any]] = [
        {
            "type": "bar",
            "name": "Revenue",
            "data": revenue,
            "barWidth": "56%",
            "label": {"show": True, "position": "right", **LABEL},
            "itemStyle": {"borderRadius": [0, 3, 3, 0]},
            "cursor": "pointer",
        }
    ]
    if has_margin:
        series.append(
            {
                "type": "bar",
                "name": "Profit",
                "data": margin,
                "barWidth": "20%",
                "barGap": "-68%",
                "itemStyle": {
                    "color": "@card",
                    "borderColor": "@text",
                    "borderWidth": 1,
                    "borderRadius": [0, 2, 2, 0],
                },
                "z": 3,
                "cursor": "pointer",
            }
        )
    return frame(
        grid={"left": 4, "right": 72, "top": 4, "bottom": 4, "containLabel": True},
        xAxis=value_axis("fmt:short_money", splitNumber=4),
        yAxis=category_axis(
            names,
            inverse=True,
            axisLabel={"color": "@text", "fontSize": 12, "width": 150, "overflow": "truncate"},
        ),
        series=series,
    )


def concentration(rows: Sequence[Row], plural: str, formats: Formats) -> Option:
    """The best values to the left; the curve passes 100 % where others cost money."""
    points = [
        {
            "value": [row["percentile"] / 100, number(row["revenue_share"])],
            "tip": [
                f"The best {formats.percent(row['percentile'] / 100)} ({formats.number(row['value_count'])} {plural})",
                f"bring {formats.percent(row['revenue_share'], 1)} of the revenue",
            ],
        }
        for row in rows
        if row["revenue_share"] is not None
    ]
    even = {"color": "@low", "width": 1.5, "type": "dashed"}
    return frame(
        tooltip={"trigger": "axis", "confine": True, "axisPointer": {"lineStyle": {"color": "@border"}}},
        grid={"left": 4, "right": 16, "top": 12, "bottom": 28, "containLabel": True},
        xAxis=value_axis(
            "fmt:percent",
            min=0,
            max=1,
            splitLine={"show": False},
            name=f"{plural[:1].upper()}{plural[1:]}, the best first",
            nameLocation="middle",
            nameGap=28,
            nameTextStyle={"color": "@text-2", "fontSize": 12},
        ),
        yAxis=value_axis("fmt:percent", splitNumber=4),
        series=[
            {
                "type": "line",
                "name": "Revenue",
                "data": points,
                "showSymbol": False,
                "lineStyle": {"color": "@high", "width": 2},
                "itemStyle": {"color": "@high"},
                "areaStyle": {"color": "@high", "opacity": 0.07},
            },
            {
                "type": "line",
                "name": "Equal shares",
                "data": [[0, 0], [1, 1]],
                "showSymbol": False,
                "silent": True,
                "tooltip": {"show": False},
                "lineStyle": even,
                "itemStyle": {"color": "@low"},
            },
        ],
    )
