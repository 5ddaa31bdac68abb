"""Trust as pictures: candidates beside rules, expected beside actual, and how often intervals held."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from evervalue.api.snapshots import Row
from evervalue.dashboard import model_words
from evervalue.dashboard.charts.base import LABEL, Option, category_axis, frame, number, value_axis
from evervalue.dashboard.formats import Formats
from evervalue.dashboard.words import count

CHOSEN_MARK = "●"


def candidates(rows: Sequence[Row], measure: str, target: str, formats: Formats) -> Option:
    """One bar a model or rule, the best by this measure on top; the model of the run is marked."""
    better = model_words.MEASURES[measure].better
    known = [row for row in rows if row["value"] is not None]
    shown = sorted(
        known,
        key=lambda r: (
            -r["value"] if better == "high" else abs(r["value"]) if better == "zero" else r["value"]
        ),
    )
    about = model_words.MEASURES[measure]
    bars = [
        {
            "value": number(row["value"]),
            "itemStyle": {"color": "@high" if row["is_chosen"] else "@r4" if not row["naive"] else "@low"},
            "label": {"formatter": model_words.written(measure, row["value"], target, formats)},
            "tip": [
                row["model_name"] + (" (no model)" if row["naive"] else ""),
                f"{about.name}: {model_words.written(measure, row['value'], target, formats)}",
                *([f"{row['verdict']} than the best rule" if row["verdict"] != "level" else "level with the best rule"]
                  if row["verdict"] and not row["naive"] else []),
            ],
        }
        for row in shown
    ]  # fmt: skip
    names = [(f"{CHOSEN_MARK} " if row["is_chosen"] else "") + row["model_name"] for row in shown]
    axis = (
        "fmt:percent" if about.is_share
        else "fmt:short_money" if about.is_money and target == "value" else "fmt:number"
    )  # fmt: skip
    return frame(
        grid={"left": 4, "right": 72, "top": 4, "bottom": 4, "containLabel": True},
        xAxis=value_axis(axis, splitNumber=4),
        yAxis=category_axis(names, inverse=True),
        series=[
            {
                "type": "bar",
                "data": bars,
                "barMaxWidth": 24,
                "barCategoryGap": "34%",
                "label": {"show": True, "position": "right", **LABEL},
                "itemStyle": {"borderRadius": [0, 3, 3, 0]},
            }
        ],
    )


def calibration(rows: Sequence[Row], target: str, formats: Formats) -> Option:
    """One point a tenth of the customers: expected across, actual up; on the dashed line they are equal."""
    known = [row for row in rows if row["predicted"] is not None and row["actual"] is not None]
    ends = [end for row in known for end in (row["predicted"], row["actual"])] or [0.0, 1.0]
    low, high = min(*ends, 0.0), max(ends)
    points: list[dict[str, Any]] = [
        {
            "value": [row["predicted"], row["actual"]],
            "label": {"formatter": str(row["decile"])},
            "tip": [
                f"Tenth {row['decile']}: {count(row['customers'], 'customer', formats)}",
                f"Expected {_amount(row['predicted'], target, formats)} each",
                f"Came {_amount(row['actual'], target, formats)} each",
            ],
        }
        for row in known
    ]
    formatter = "fmt:short_money" if target == "value" else "fmt:number"
    named = {"nameLocation": "middle", "nameTextStyle": {"color": "@text-2", "fontSize": 12}}
    return frame(
        grid={"left": 24, "right": 20, "top": 12, "bottom": 28, "containLabel": True},
        xAxis=value_axis(
            formatter,
            splitNumber=4,
            splitLine={"show": False},
            name="Expected of a customer",
            nameGap=28,
            **named,
        ),
        yAxis=value_axis(formatter, splitNumber=4, name="What came", nameGap=44, **named),
        series=[
            {
                "type": "line",
                "data": [[low, low], [high, high]],
                "showSymbol": False,
                "silent": True,
                "lineStyle": {"color": "@low", "width": 1.5, "type": "dashed"},
                "itemStyle": {"color": "@low"},
            },
            {
                "type": "scatter",
                "data": points,
                "symbolSize": 13,
                "itemStyle": {"color": "@high", "opacity": 1},
                "label": {"show": True, "position": "top", **LABEL},
            },
        ],
    )


def coverage(rows: Sequence[Row], formats: Formats) -> Option:
    """How often what came lay inside the interval, tenth by tenth; dashed is what the intervals say they hold."""
    known = [row for row in rows if row["coverage"] is not None]
    tips = [
        [
            f"Tenth {row['decile']}: {count(row['customers'], 'customer', formats)}",
            f"Held {formats.percent(row['coverage'], 1)}",
            f"Says {formats.percent(row['interval_mass'], 1)}",
        ]
        for row in known
    ]
    lines = (("Held", "coverage", "@high", "solid"), ("Says", "interval_mass", "@low", "dashed"))
    return frame(
        tooltip={"trigger": "axis", "confine": True, "axisPointer": {"lineStyle": {"color": "@border"}}},
        grid={"left": 4, "right": 16, "top": 12, "bottom": 28, "containLabel": True},
        xAxis=category_axis(
            [str(row["decile"]) for row in known],
            axisLabel=LABEL,
            name="Tenth of the customers, the lowest forecasts first",
            nameLocation="middle",
            nameGap=28,
            nameTextStyle={"color": "@text-2", "fontSize": 12},
        ),
        yAxis=value_axis("fmt:percent", min=0, max=1, splitNumber=4),
        series=[
            {
                "type": "line",
                "name": name,
                "data": [{"value": number(r[column]), "tip": t} for r, t in zip(known, tips, strict=True)],
                "showSymbol": style == "solid",
                "symbolSize": 7,
                "lineStyle": {"color": colour, "width": 2, "type": style},
                "itemStyle": {"color": colour},
            }
            for name, column, colour, style in lines
        ],
    )


def _amount(value: float, target: str, formats: Formats) -> str:
    return formats.whole_money(value) if target == "value" else formats.number(value, 2)
