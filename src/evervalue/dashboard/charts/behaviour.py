"""Customers as points: how they behave (across) and what they bring (up). Hidden gems sit up and to the left."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

from evervalue.api.snapshots import Row
from evervalue.dashboard.charts.base import (
    LABEL,
    TIER_COLOUR,
    TIER_SYMBOL,
    Option,
    frame,
    number,
    value_axis,
)
from evervalue.dashboard.formats import Formats
from evervalue.dashboard.links import customer_url
from evervalue.dashboard.words import GEM_MARK, TIERS

SPREAD = 0.6


def behaviour(rows: Sequence[Row], bins: int, word: str, formats: Formats) -> Option:
    """One point a customer, nudged sideways so that equal scores do not hide each other."""
    series = [_series(tier, [r for r in rows if r["customer_value"] == tier], formats) for tier in TIERS]
    if zone := _gem_zone(rows):
        series[1]["markArea"] = zone
    return frame(
        grid={"left": 4, "right": 12, "top": 12, "bottom": 28, "containLabel": True},
        xAxis=value_axis(
            "fmt:score",
            min=2,
            max=3 * bins + 1,
            interval=1,
            splitLine={"show": False},
            axisLine={"show": True, "onZero": False, "lineStyle": {"color": "@line"}},
            axisLabel={**LABEL, "formatter": "fmt:score", "showMaxLabel": False},
            name="Behaviour score (L + R + F)",
            nameLocation="middle",
            nameGap=28,
            nameTextStyle={"color": "@text-2", "fontSize": 12},
        ),
        yAxis=value_axis("fmt:short_money", name=""),
        series=series,
        meta={"y": word},
    )


def nudge(customer_id: str) -> float:
    """A sideways shift that is always the same for the same customer."""
    return (zlib.crc32(customer_id.encode()) % 1000 / 999 - 0.5) * SPREAD


def _series(tier: str, rows: Sequence[Row], formats: Formats) -> dict[str, Any]:
    """Points as bare pairs, which draw twice as fast as objects; what is said of each stands beside them."""
    return {
        "type": "scatter",
        "name": tier,
        "data": [[round(r["behaviour"] + nudge(r["customer_id"]), 3), number(r["monetary"])] for r in rows],
        "tips": [
            [
                (f"{GEM_MARK} " if row["is_gem"] else "") + row["customer"],
                formats.exact(row["monetary"]),
                f"{tier}, behaviour score {row['behaviour']}",
            ]
            for row in rows
        ],
        "hrefs": [customer_url(row["customer_id"]) for row in rows],
        "symbol": TIER_SYMBOL[tier],
        "symbolSize": {"High-Value": 8, "Mid-Value": 11, "Low-Value": 8}[tier],
        "itemStyle": {"color": TIER_COLOUR[tier], "opacity": 0.9},
        "cursor": "pointer",
    }


def _gem_zone(rows: Sequence[Row]) -> dict[str, Any] | None:
    gems = [r for r in rows if r["is_gem"]]
    if not gems:
        return None
    left = min(r["behaviour"] for r in gems) - 0.5
    right = max(r["behaviour"] for r in gems) + 0.5
    floor = min(number(r["monetary"]) or 0.0 for r in gems)
    roof = max(number(r["monetary"]) or 0.0 for r in gems)
    margin = (roof - floor) * 0.06 or 1.0
    return {
        "silent": True,
        "itemStyle": {"color": "@mid-fill"},
        "label": {
            "show": True,
            "position": "insideTopLeft",
            "color": "@mid-text",
            "fontSize": 12,
            "fontWeight": 600,
            "formatter": f"{GEM_MARK} Hidden gems",
        },
        "data": [[{"xAxis": left, "yAxis": floor - margin}, {"xAxis": right, "yAxis": roof + 2.5 * margin}]],
    }
