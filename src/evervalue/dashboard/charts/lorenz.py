"""Concentration: which share of the money the best customers bring, beside the line of equal shares."""

from __future__ import annotations

from collections.abc import Sequence

from evervalue.api.snapshots import Row
from evervalue.dashboard.charts.base import LABEL, Option, frame, number, value_axis
from evervalue.dashboard.formats import Formats


def lorenz(rows: Sequence[Row], word: str, formats: Formats) -> Option:
    """The best customers to the left; the curve may pass 100 % where others cost money."""
    points = [
        {
            "value": [row["percentile"] / 100, number(row["monetary_share"])],
            "tip": [
                f"The best {formats.percent(row['percentile'] / 100)} ({formats.number(row['customers'])} customers)",
                f"bring {formats.percent(row['monetary_share'], 1)} of the {word}",
            ],
        }
        for row in rows
        if row["monetary_share"] is not None
    ]
    return frame(
        tooltip={
            "trigger": "axis",
            "confine": True,
            "axisPointer": {"lineStyle": {"color": "@border"}},
        },
        grid={"left": 4, "right": 16, "top": 12, "bottom": 28, "containLabel": True},
        xAxis=value_axis(
            "fmt:percent",
            min=0,
            max=1,
            splitNumber=5,
            splitLine={"show": False},
            axisLabel={**LABEL, "formatter": "fmt:percent"},
            name="Customers, the best first",
            nameLocation="middle",
            nameGap=28,
            nameTextStyle={"color": "@text-2", "fontSize": 12},
        ),
        yAxis=value_axis("fmt:percent", splitNumber=4),
        series=[
            {
                "type": "line",
                "name": word.capitalize(),
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
                "lineStyle": {"color": "@low", "width": 1.5, "type": "dashed"},
                "itemStyle": {"color": "@low"},
            },
        ],
    )
