"""Who gained and who lost most between two runs: bars to the right and to the left of nothing."""

from __future__ import annotations

from collections.abc import Sequence

from evervalue.api.snapshots import Row
from evervalue.dashboard.charts.base import Option, category_axis, frame, number, value_axis
from evervalue.dashboard.formats import Formats
from evervalue.dashboard.links import customer_url


def gains(rows: Sequence[Row], column: str, formats: Formats) -> Option:
    """One bar a customer, the biggest gain on top; losses lie on the other side of the axis."""
    shown = list(rows)[::-1]
    money = column != "score_change"

    def told(row: Row) -> str:
        value = row[column]
        text = formats.short_money(abs(value)) if money else formats.number(abs(value))
        return ("+" if value > 0 else "−" if value < 0 else "") + text

    return frame(
        grid={"left": 4, "right": 12, "top": 4, "bottom": 4, "containLabel": True},
        xAxis=value_axis(
            "fmt:short_money" if money else "fmt:number", splitNumber=4, boundaryGap=["18%", "18%"]
        ),
        yAxis=category_axis(
            [row["customer"] for row in shown],
            axisLabel={"color": "@text", "fontSize": 12, "width": 150, "overflow": "truncate"},
        ),
        series=[
            {
                "type": "bar",
                "barMaxWidth": 16,
                "data": [
                    {
                        "value": number(row[column]),
                        "itemStyle": {"color": "@good" if row[column] > 0 else "@low"},
                        "label": {
                            "show": True,
                            "position": "right" if row[column] > 0 else "left",
                            "formatter": told(row),
                            "color": "@text",
                        },
                        "tip": [
                            row["customer"],
                            f"{row['tier_before']} → {row['tier_now']}",
                            f"{'Money' if money else 'Score'} {told(row)}",
                        ],
                        "href": customer_url(row["customer_id"]) if row["movement"] != "left" else "",
                    }
                    for row in shown
                ],
                "label": {"show": False},
            }
        ],
    )
