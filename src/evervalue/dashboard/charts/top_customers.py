"""The most profitable customers as bars, Mid-Value ones highlighted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from evervalue.api.snapshots import Row
from evervalue.dashboard.charts.base import (
    LABEL,
    TIER_COLOUR,
    Option,
    category_axis,
    frame,
    number,
    value_axis,
)
from evervalue.dashboard.formats import Formats
from evervalue.dashboard.links import customer_url
from evervalue.dashboard.words import GEM_MARK


def top_customers(rows: Sequence[Row], formats: Formats) -> Option:
    """One bar a customer, the best on top; a gem has its mark as well as its colour."""
    bars: list[dict[str, Any]] = []
    for row in rows:
        mark = f"{GEM_MARK} " if row["is_gem"] else ""
        bars.append(
            {
                "value": number(row["monetary"]),
                "itemStyle": {"color": TIER_COLOUR.get(row["customer_value"], "@low")},
                "label": {"formatter": mark + formats.short_money(row["monetary"])},
                "tip": [
                    f"{row['profit_rank']}. {row['customer']}",
                    f"{formats.exact(row['monetary'])}",
                    f"{mark}{row['customer_value']}, score {row['lrfm_score']}",
                ],
                "href": customer_url(row["customer_id"]),
            }
        )
    return frame(
        grid={"left": 4, "right": 72, "top": 4, "bottom": 4, "containLabel": True},
        xAxis=value_axis("fmt:short_money", splitNumber=4),
        yAxis=category_axis(
            [row["customer"] for row in rows],
            inverse=True,
            axisLabel={"color": "@text", "fontSize": 12, "width": 150, "overflow": "truncate"},
        ),
        series=[
            {
                "type": "bar",
                "data": bars,
                "barCategoryGap": "28%",
                "label": {"show": True, "position": "right", **LABEL},
                "itemStyle": {"borderRadius": [0, 3, 3, 0]},
                "cursor": "pointer",
            }
        ],
    )
