"""Charts are data: what they draw, in which colours, and that they hold no code."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from evervalue.dashboard.assets import FOLDER
from evervalue.dashboard.charts.behaviour import behaviour, nudge
from evervalue.dashboard.charts.lorenz import lorenz
from evervalue.dashboard.charts.months import months
from evervalue.dashboard.charts.top_customers import top_customers
from evervalue.dashboard.formats import Formats

US = Formats("en_US", "USD")


def row(
    name: str, tier: str, monetary: str, *, gem: bool = False, behaviour: int = 8, rank: int = 1
) -> dict[str, Any]:
    return {
        "customer": name,
        "customer_id": name,
        "customer_value": tier,
        "is_gem": gem,
        "monetary": Decimal(monetary),
        "behaviour": behaviour,
        "profit_rank": rank,
        "lrfm_score": behaviour + 4,
    }


ROWS = [
    row("Valero Energy", "Mid-Value", "10308.6297", gem=True, behaviour=7),
    row("Lowes", "High-Value", "7937.4915", behaviour=10, rank=2),
    row("Glencore", "Low-Value", "-12.5", behaviour=3, rank=3),
]
MONTHS = [
    {"month": date(2023, m, 1), "revenue": Decimal(m), "margin": Decimal(-m), "orders": m, "customers": 1}
    for m in (1, 2, 3)
]
CURVE = [{"percentile": p, "customers": p, "monetary_share": p / 100} for p in (0, 50, 100)]
OPTIONS = {
    "top": top_customers(ROWS, US),
    "behaviour": behaviour(ROWS, 4, "profit", US),
    "months": months(MONTHS, US),
    "lorenz": lorenz(CURVE, "profit", US),
}


def test_mid_value_bars_are_highlighted_and_gems_marked() -> None:
    bars = OPTIONS["top"]["series"][0]["data"]
    assert [b["itemStyle"]["color"] for b in bars] == ["@mid", "@high", "@low"]
    assert [b["label"]["formatter"] for b in bars] == ["◆ $10.3K", "$7.9K", "-$12"]
    assert bars[0]["tip"] == ["1. Valero Energy", "USD 10,308.6297", "◆ Mid-Value, score 11"]
    assert bars[0]["href"] == "/customers/Valero%20Energy"
    assert OPTIONS["top"]["yAxis"]["inverse"] is True


def test_points_are_parted_by_tier_shape_and_colour() -> None:
    series = OPTIONS["behaviour"]["series"]
    assert [(s["name"], s["symbol"], s["itemStyle"]["color"]) for s in series] == [
        ("High-Value", "rect", "@high"),
        ("Mid-Value", "diamond", "@mid"),
        ("Low-Value", "circle", "@low"),
    ]
    assert series[1]["tips"][0] == ["◆ Valero Energy", "USD 10,308.6297", "Mid-Value, behaviour score 7"]
    assert series[1]["hrefs"] == ["/customers/Valero%20Energy"]
    x, y = series[1]["data"][0]
    assert (round(x), y) == (7, 10308.6297)
    zone = series[1]["markArea"]["data"][0]
    assert zone[0]["xAxis"] < 7 < zone[1]["xAxis"]
    assert zone[0]["yAxis"] < 10308.6297 < zone[1]["yAxis"]


def test_without_gems_there_is_no_zone() -> None:
    assert all("markArea" not in s for s in behaviour(ROWS[1:], 4, "profit", US)["series"])


def test_a_nudge_is_small_and_always_the_same() -> None:
    assert all(abs(nudge(str(i))) <= 0.3 for i in range(500))
    assert nudge("Valero Energy") == nudge("Valero Energy")


def test_the_second_line_is_dashed() -> None:
    revenue, profit = OPTIONS["months"]["series"]
    assert (revenue["lineStyle"]["type"], profit["lineStyle"]["type"]) == ("solid", "dashed")
    assert [p["value"] for p in profit["data"]] == [-1.0, -2.0, -3.0]
    assert len(months(MONTHS, US, margin=False)["series"]) == 1


def test_the_curve_leaves_out_what_is_not_known() -> None:
    unknown = [{"percentile": 0, "customers": 0, "monetary_share": None}]
    assert lorenz(unknown, "profit", US)["series"][0]["data"] == []


def texts(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, each in value.items():
            yield from texts(each, name)
    elif isinstance(value, list):
        for each in value:
            yield from texts(each, key)
    elif isinstance(value, str):
        yield key, value


@pytest.mark.parametrize("name", OPTIONS)
def test_options_are_json_and_name_only_what_the_script_knows(name: str) -> None:
    assert json.loads(json.dumps(OPTIONS[name], allow_nan=False)) == OPTIONS[name]
    script = (FOLDER / "app.js").read_text("utf-8")
    style = (FOLDER / "app.css").read_text("utf-8")
    for key, text in texts(OPTIONS[name]):
        if text.startswith("fmt:"):
            assert f"    {text[4:]}: (" in script
        if text.startswith("@"):
            assert "color" in key.lower()
            assert f"--{text[1:]}:" in style


def test_no_chart_needs_rows() -> None:
    for option in (
        top_customers([], US),
        behaviour([], 4, "profit", US),
        months([], US),
        lorenz([], "profit", US),
    ):
        assert json.dumps(option)
