"""Money by month: revenue as a line, margin as a dashed one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from evervalue.api.snapshots import Row
from evervalue.dashboard.charts.base import LABEL, Option, category_axis, frame, number, value_axis
from evervalue.dashboard.formats import Formats


def months(rows: Sequence[Row], formats: Formats, *, margin: bool = True) -> Option:
    """One point a month; a month without orders is a zero, not a gap."""
    tips = [
        [
            formats.month(row["month"]),
            f"Revenue {formats.exact(row['revenue'])}",
            *([f"Profit {formats.exact(row['margin'])}"] if margin else []),
            f"{formats.number(row['orders'])} orders",
        ]
        for row in rows
    ]
    lines = [_line("Revenue", "revenue", "@high", "solid", rows, tips)]
    if margin:
        lines.append(_line("Profit", "margin", "@mid", "dashed", rows, tips))
    return frame(
        tooltip={
            "trigger": "axis",
            "confine": True,
            "axisPointer": {"lineStyle": {"color": "@border"}},
        },
        grid={"left": 4, "right": 12, "top": 12, "bottom": 4, "containLabel": True},
        xAxis=category_axis(
            [formats.month(row["month"]) for row in rows],
            boundaryGap=len(rows) == 1,
            axisLabel={**LABEL, "hideOverlap": True},
        ),
        yAxis=value_axis("fmt:short_money", splitNumber=4),
        series=lines,
    )


def _line(
    name: str, column: str, colour: str, dash: str, rows: Sequence[Row], tips: Sequence[Sequence[str]]
) -> dict[str, Any]:
    data = [{"value": number(row[column]), "tip": tip} for row, tip in zip(rows, tips, strict=True)]
    line: dict[str, Any] = {
        "type": "line",
        "name": name,
        "data": data,
        "showSymbol": len(rows) < 3,
        "symbolSize": 7,
        "lineStyle": {"color": colour, "width": 2, "type": dash},
        "itemStyle": {"color": colour},
    }
    if dash == "solid":
        line["areaStyle"] = {"color": colour, "opacity": 0.07}
    return line
