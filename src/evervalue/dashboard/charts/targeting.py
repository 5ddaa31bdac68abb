"""What contacts are expected to leave, by how many there are: a hill, with the chosen number marked on it."""

from __future__ import annotations

from collections.abc import Sequence

from evervalue.api.snapshots import Row
from evervalue.dashboard.charts.base import LABEL, Option, frame, number, value_axis
from evervalue.dashboard.formats import Formats
from evervalue.dashboard.words import count


def targeting(rows: Sequence[Row], formats: Formats) -> Option:
    """Gain less cost by number of contacts, the best customers first; dashed where the uplift is at its ends."""
    points = [
        {"value": [row["contacts"], number(row["expected_net"])], "tip": _tip(row, formats)} for row in rows
    ]
    chosen = [point for point, row in zip(points, rows, strict=True) if row["is_chosen"]]
    return frame(
        tooltip={"trigger": "axis", "confine": True, "axisPointer": {"lineStyle": {"color": "@border"}}},
        grid={"left": 4, "right": 16, "top": 12, "bottom": 28, "containLabel": True},
        xAxis=value_axis(
            "fmt:number",
            min=0,
            max=rows[-1]["contacts"] if rows else 1,
            splitLine={"show": False},
            axisLabel={**LABEL, "formatter": "fmt:number", "hideOverlap": True},
            name="Contacts, the best customers first",
            nameLocation="middle",
            nameGap=28,
            nameTextStyle={"color": "@text-2", "fontSize": 12},
        ),
        yAxis=value_axis("fmt:short_money", splitNumber=4),
        series=[
            {
                "type": "line",
                "name": "Expected to be left",
                "data": points,
                "showSymbol": False,
                "lineStyle": {"color": "@high", "width": 2},
                "itemStyle": {"color": "@high"},
                "areaStyle": {"color": "@high", "opacity": 0.07},
                "markLine": {
                    "silent": True,
                    "symbol": "none",
                    "label": {"show": False},
                    "lineStyle": {"color": "@border", "width": 1, "type": "solid"},
                    "data": [{"yAxis": 0}],
                },
            },
            *(
                _end(rows, column, name)
                for column, name in (("net_low", "At its least"), ("net_high", "At its most"))
            ),
            {
                "type": "scatter",
                "name": "The choice",
                "data": chosen,
                "symbol": "diamond",
                "symbolSize": 14,
                "z": 5,
                "tooltip": {"show": False},
                "itemStyle": {"color": "@text", "borderColor": "@card", "borderWidth": 1.5},
            },
        ],
    )


def _tip(row: Row, formats: Formats) -> list[str]:
    money = formats.whole_money
    contacts = count(row["contacts"], "contact", formats)
    return [
        f"{contacts}, the choice" if row["is_chosen"] else contacts,
        f"leave {money(row['expected_net'])}: {money(row['expected_gain'])} expected, {money(row['spent'])} spent",
        f"from {money(row['net_low'])} to {money(row['net_high'])} as the uplift goes",
    ]


def _end(rows: Sequence[Row], column: str, name: str) -> Option:
    return {
        "type": "line",
        "name": name,
        "data": [[row["contacts"], number(row[column])] for row in rows],
        "showSymbol": False,
        "silent": True,
        "tooltip": {"show": False},
        "lineStyle": {"color": "@low", "width": 1.5, "type": "dashed"},
        "itemStyle": {"color": "@low"},
    }
