"""What each load of a source brought: rows taken and rows refused; a load that brought nothing is a zero."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from evervalue.api.snapshots import Row
from evervalue.dashboard.charts.base import LABEL, Option, category_axis, frame, value_axis
from evervalue.dashboard.formats import Formats

CUT_ABOVE = 4
"""How many times as high as all others the first load must be for its bar to be cut off."""


def loads(rows: Sequence[Row], usual: Mapping[str, Any] | None, formats: Formats) -> Option:
    """One bar a load, the oldest first, with the band of what is usual where it is known.

    Parameters
    ----------
    rows
        Loads, the latest first.
    usual
        The volume check, with `expected_low` and `expected_high`.
    """
    told = list(reversed(rows))
    ceiling = top(rows, usual)
    taken = [min(row["rows_came"], ceiling or row["rows_came"]) - _refused(row, ceiling) for row in told]
    tips = [_tip(row, formats) for row in told]
    bars: list[dict[str, Any]] = [
        _bars("Taken", "@high", taken, tips),
        _bars("Refused", "@alarm", [_refused(row, ceiling) for row in told], tips),
    ]
    failed = [[n, 0] for n, row in enumerate(told) if row["failed"]]
    if failed:
        bars.append(
            {
                "type": "scatter",
                "name": "Failed",
                "data": failed,
                "tips": [tips[n] for n, _ in failed],
                "symbol": "path://M2 0L5 3L8 0L10 2L7 5L10 8L8 10L5 7L2 10L0 8L3 5L0 2Z",
                "symbolSize": 11,
                "symbolOffset": [0, -8],
                "itemStyle": {"color": "@alarm"},
            }
        )
    if usual and usual["expected_high"] is not None:
        bars[0]["markArea"] = {
            "silent": True,
            "itemStyle": {"color": "@here"},
            "data": [[{"yAxis": usual["expected_low"] or 0}, {"yAxis": usual["expected_high"]}]],
        }
    return frame(
        tooltip={"trigger": "axis", "confine": True, "axisPointer": {"type": "none"}},
        grid={"left": 4, "right": 12, "top": 12, "bottom": 4, "containLabel": True},
        xAxis=category_axis(labels(told, formats), axisLabel={**LABEL, "hideOverlap": True}),
        yAxis=value_axis("fmt:number", splitNumber=4, minInterval=1, min=0, **_cut(ceiling)),
        series=bars,
    )  # fmt: skip


def top(rows: Sequence[Row], usual: Mapping[str, Any] | None) -> int | None:
    """Where the first load's bar is cut off; None where it is not so much higher than the others.

    The first load brings everything there is, beside which no later one could be seen.
    """
    others = [row["rows_came"] for row in rows[:-1]]
    if not any(others):
        return None
    most = max(max(others), (usual["expected_high"] if usual else None) or 0)
    return round(most * 1.1) if rows[-1]["rows_came"] > CUT_ABOVE * most else None


def labels(rows: Sequence[Row], formats: Formats) -> list[str]:
    """The day of each load, with its time where a day has several."""
    days = [row["read_at"].date() for row in rows]
    several = len(set(days)) < len(days)
    return [formats.moment(row["read_at"], short=True) if several else formats.date(day)
            for row, day in zip(rows, days, strict=True)]  # fmt: skip


def _cut(ceiling: int | None) -> dict[str, Any]:
    if not ceiling:
        return {}
    return {"max": ceiling, "axisLabel": {**LABEL, "formatter": "fmt:number", "showMaxLabel": False}}


def _refused(row: Row, ceiling: int | None) -> int:
    """Refused rows as drawn: in a bar that is cut off, in their share."""
    came, refused = int(row["rows_came"]), int(row["rows_came_refused"])
    return round(refused * ceiling / came) if ceiling and came > ceiling else refused


def _bars(name: str, colour: str, values: Sequence[int], tips: Sequence[Sequence[str]]) -> dict[str, Any]:
    return {
        "type": "bar",
        "name": name,
        "stack": "rows",
        "data": list(values),
        "tips": list(tips),
        "barMaxWidth": 28,
        "barMinWidth": 1,
        "barCategoryGap": "25%",
        "itemStyle": {"color": colour},
    }


def _tip(row: Row, formats: Formats) -> list[str]:
    if row["failed"]:
        return [formats.moment(row["read_at"]), "could not be read"]
    lines = [formats.moment(row["read_at"]), f"{formats.number(row['rows_came'])} rows came"]
    if row["rows_came_refused"]:
        lines.append(f"{formats.number(row['rows_came_refused'])} of them refused")
    return [*lines, f"{formats.number(row['rows_read'])} rows in all"]
