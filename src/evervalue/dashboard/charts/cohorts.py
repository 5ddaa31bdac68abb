"""Cohorts as curves over the months of their age: the newest stands out, all together is dashed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from evervalue.api.queries.cohorts import Measure
from evervalue.api.snapshots import Row
from evervalue.dashboard.charts.base import LABEL, Option, frame, number, value_axis
from evervalue.dashboard.formats import Formats

RAMP = ("@r5", "@r4", "@low", "@low", "@low")
"""The cohorts before the newest, the newer ones first."""


def curves(
    lines: Sequence[tuple[str, Sequence[Row]]], together: Sequence[Row], measure: Measure, formats: Formats
) -> Option:
    """One line a cohort, each named at its end; ages stop where some of its customers have not lived them.

    `lines` are names with rows of `insight.cohort_curves`, the newest last; `together` is the curve of all, empty to
    leave it out. Retention begins a month after the first order: in the first month it is everybody.
    """
    share = measure == "retention"
    column = "retention" if share else f"mean_{measure}"
    series: list[dict[str, Any]] = []
    if together:
        series.append(_line("All", together, column, "@text-2", formats, share, dashed=True))
    for place, (name, rows) in enumerate(lines):
        back = len(lines) - 1 - place
        colour = "@high" if back == 0 else RAMP[min(back - 1, len(RAMP) - 1)]
        series.append(_line(name, rows, column, colour, formats, share, newest=back == 0))
    return frame(
        grid={"left": 4, "right": 76, "top": 12, "bottom": 28, "containLabel": True},
        xAxis=value_axis(
            "fmt:number",
            min=1 if share else 0,
            max=max((rows[-1]["age_months"] for _, rows in lines if rows), default=None),
            minInterval=1,
            splitLine={"show": False},
            axisLabel={**LABEL, "formatter": "fmt:number", "hideOverlap": True},
            name="Months after the first order",
            nameLocation="middle",
            nameGap=28,
            nameTextStyle={"color": "@text-2", "fontSize": 12},
        ),
        yAxis=value_axis(
            "fmt:percent" if share else "fmt:short_money", splitNumber=4, min=0 if share else None
        ),
        series=series,
    )


def _line(
    name: str,
    rows: Sequence[Row],
    column: str,
    colour: str,
    formats: Formats,
    share: bool,
    *,
    dashed: bool = False,
    newest: bool = False,
) -> dict[str, Any]:
    points = [
        {
            "value": [row["age_months"], number(row[column])],
            "tip": [
                f"{name}, month {row['age_months']}",
                f"{formats.percent(row[column], 1)} ordered"
                if share
                else f"{formats.exact(row[column])} a customer",
                f"{formats.number(row['customers'])} customers",
            ],
        }
        for row in rows
        if row[column] is not None and (row["age_months"] > 0 or not share)
    ]
    return {
        "type": "line",
        "name": name,
        "data": points,
        "symbol": "circle",
        "symbolSize": 6,
        "showSymbol": len(points) < 3,
        "z": 3 if newest else 2,
        "lineStyle": {
            "color": colour,
            "width": 2.5 if newest else 1.5,
            "type": "dashed" if dashed else "solid",
        },
        "itemStyle": {"color": colour},
        "endLabel": {
            "show": True,
            "formatter": name,
            "color": "@text" if newest else "@text-2",
            "fontWeight": 600 if newest else 400,
            "fontSize": 12,
        },
        "labelLayout": {"moveOverlap": "shiftY"},
        "emphasis": {"focus": "series"},
    }
