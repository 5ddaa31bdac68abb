"""The example company through the Python functions, in every kind of frame, to the last digit."""

from __future__ import annotations

import csv
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import evervalue as ev

COLUMNS = ["customer", "monetary", "customer_value", "length_days", "recency_days", "frequency",
           "l_score", "r_score", "f_score", "m_score", "lrfm_score"]  # fmt: skip
PROMISED = ["customer", "length_days", "recency_days", "frequency", "monetary",
            "l_score", "r_score", "f_score", "m_score", "lrfm_score", "customer_value"]  # fmt: skip
KINDS = ("pandas", "polars", "polars-lazy", "arrow", "duckdb")


@pytest.fixture(scope="module")
def orders(saas_sales: Path) -> ev.Orders:
    return ev.read_orders(
        saas_sales, customer="Customer", order="Order ID", date="Order Date", monetary="Profit"
    )


@pytest.fixture(scope="module")
def best(data_dir: Path) -> list[tuple[str, ...]]:
    return [
        tuple(row.values()) for row in csv.DictReader((data_dir / "saas_top10.csv").read_text().splitlines())
    ]


def frame_of(orders: ev.Orders, kind: str) -> Any:
    if kind == "polars-lazy":
        return orders.to_polars().lazy()
    return {"pandas": orders.to_pandas, "polars": orders.to_polars, "arrow": orders.to_arrow}.get(
        kind, lambda: orders.relation
    )()


def rows_of(frame: Any, columns: list[str]) -> list[tuple[Any, ...]]:
    if hasattr(frame, "to_arrow"):
        frame = frame.to_arrow()
    elif hasattr(frame, "collect"):
        frame = frame.collect().to_arrow()
    elif hasattr(frame, "itertuples"):
        return [tuple(row) for row in frame[columns].itertuples(index=False, name=None)]
    elif hasattr(frame, "fetchall"):
        return list(frame.select(*columns).fetchall())
    return [tuple(row[name] for name in columns) for row in frame.to_pylist()]


def top_ten(frame: Any) -> list[tuple[str, ...]]:
    rows = sorted(rows_of(frame, COLUMNS), key=lambda row: row[1], reverse=True)
    return [tuple(map(str, row)) for row in rows[:10]]


def tiers(frame: Any) -> list[int]:
    found = [row[0] for row in rows_of(frame, ["customer_value"])]
    return [found.count(f"{tier}-Value") for tier in ("High", "Mid", "Low")]


def test_what_was_read(orders: ev.Orders) -> None:
    facts = orders.facts
    assert (facts.lines, facts.orders, facts.customers) == (9994, 5009, 99)
    assert facts.monetary == Decimal("286397.0217")
    assert orders.quarantined == {}


def test_scores_of_orders(orders: ev.Orders, best: list[tuple[str, ...]]) -> None:
    scores = ev.lrfm(orders, as_of="2024-01-01")
    assert scores.columns == PROMISED
    assert top_ten(scores) == best
    assert (scores.tiers.high, scores.tiers.mid, scores.tiers.low) == (14, 43, 42)
    assert scores.monetary == Decimal("286397.0217")


@pytest.mark.parametrize("kind", KINDS)
def test_scores_of_a_frame(orders: ev.Orders, best: list[tuple[str, ...]], kind: str) -> None:
    frame = frame_of(orders, kind)
    scores = ev.lrfm(frame, as_of="2024-01-01")
    assert type(scores) is type(frame)
    assert top_ten(scores) == best
    assert tiers(scores) == [14, 43, 42]

    gems = ev.hidden_gems(scores)
    assert type(gems) is type(frame)
    assert [row[0] for row in rows_of(gems, ["customer"])][:3] == [
        "Valero Energy",
        "Coca-Cola",
        "Trafigura Group",
    ]
    assert rows_of(gems, ["orders_to_high"])[:3] == [(1,), (16,), (1,)]


def test_the_frame_as_pandas_reads_it(saas_sales: Path, best: list[tuple[str, ...]]) -> None:
    """Floats, with dates converted by the caller: the shortest text of each float is its money."""
    import pandas as pd

    frame = pd.read_csv(saas_sales)
    frame["Order Date"] = pd.to_datetime(frame["Order Date"], format="%m/%d/%Y")
    scores = ev.lrfm(
        frame, as_of="2024-01-01", customer="Customer", order="Order ID", date="Order Date", monetary="Profit"
    )
    assert list(scores.columns) == PROMISED
    assert top_ten(scores) == best
    assert tiers(scores) == [14, 43, 42]
    assert scores["monetary"].sum() == Decimal("286397.0217")


def test_gems(orders: ev.Orders) -> None:
    gems = ev.hidden_gems(ev.lrfm(orders, as_of="2024-01-01"))
    assert len(gems) == 14
    assert sum(gems.actions.values()) == 14
    assert len(ev.hidden_gems(ev.lrfm(orders, as_of="2024-01-01"), top=20)) == 11
    assert len(ev.hidden_gems(orders, top=10, as_of="2024-01-01")) == 5
    assert gems.to_arrow().equals(ev.hidden_gems(orders, as_of="2024-01-01").to_arrow())


def test_the_chart_states_the_finding(orders: ev.Orders) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    axes = ev.plot_top_customers(ev.lrfm(orders, as_of="2024-01-01"))
    assert axes.get_title(loc="left") == "11 of the 20 most profitable customers are Mid-Value"
    labels = [text.get_text() for text in axes.texts]
    assert labels[0] == "◆ 10.3k"
    assert sum(label.startswith("◆") for label in labels) == 11
    assert [tick.get_text() for tick in axes.get_yticklabels()][:2] == ["Valero Energy", "Coca-Cola"]
    plt.close(axes.figure)
