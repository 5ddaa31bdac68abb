"""What all charts share: axes, type and tooltips, in the names that `static/app.js` resolves."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

Option = dict[str, Any]
TIER_COLOUR = {"High-Value": "@high", "Mid-Value": "@mid", "Low-Value": "@low"}
TIER_SYMBOL = {"High-Value": "rect", "Mid-Value": "diamond", "Low-Value": "circle"}
LABEL = {"color": "@text-2", "fontSize": 12}


def number(value: Decimal | float | int | None) -> float | None:
    """Money as a position on the screen; the exact value travels in the tooltip's text."""
    return None if value is None else float(value)


def frame(**more: Any) -> Option:
    """An option with our type; what a tooltip says stands with the point (`tip`) or its series (`tips`)."""
    return {
        "textStyle": {"fontFamily": "Inter, system-ui, sans-serif", "fontSize": 12},
        "tooltip": {"trigger": "item", "confine": True},
        **more,
    }


def value_axis(formatter: str, **more: Any) -> Option:
    """An axis of numbers, quiet: hair lines and no ticks."""
    return {
        "type": "value",
        "axisLabel": {**LABEL, "formatter": formatter, "hideOverlap": True},
        "splitLine": {"lineStyle": {"color": "@line"}},
        "axisLine": {"show": False},
        "axisTick": {"show": False},
        **more,
    }


def category_axis(names: Sequence[str], **more: Any) -> Option:
    """An axis of names."""
    return {
        "type": "category",
        "data": list(names),
        "axisLabel": {"color": "@text", "fontSize": 12},
        "axisLine": {"show": False},
        "axisTick": {"show": False},
        **more,
    }
