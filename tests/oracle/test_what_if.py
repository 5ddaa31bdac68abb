"""The smallest step to High-Value equals brute force: everyone rescored for each number of further orders in turn."""

from __future__ import annotations

import csv
import datetime as dt
import warnings
from dataclasses import replace
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import evervalue as ev
from tests.support.plain_lrfm import CENT, DAY, Customer, Line, customers_of, scored

MOST = 100


def brute_force(everyone: list[Customer], *, bins: int, ties: str, top: int | None) -> dict[str, Any]:
    """(orders to High-Value, score after, worth) of each hidden gem; None where 100 orders are not enough."""
    rows = scored(everyone, bins=bins, ties=ties)
    ranked = sorted(
        (c for c in everyone if c.frequency), key=lambda c: (-rows[c.key]["monetary"], c.name, c.key)
    )
    best = (
        {c.key for c in ranked if rows[c.key]["m_score"] == bins}
        if top is None
        else {c.key for c in ranked[:top]}
    )
    found: dict[str, tuple[int | None, int | None, Decimal | None]] = {}
    for place, customer in enumerate(everyone):
        if customer.key not in best or rows[customer.key]["customer_value"] != "Mid-Value":
            continue
        mean = (customer.monetary / customer.frequency).quantize(CENT, ROUND_HALF_UP)
        found[customer.key] = (None, None, None)
        for n in range(1, MOST + 1):
            moved = replace(
                customer,
                last=customer.as_of - DAY,
                frequency=customer.frequency + n,
                monetary=customer.monetary + n * mean,
            )
            after = scored([*everyone[:place], moved, *everyone[place + 1 :]], bins=bins, ties=ties)[
                customer.key
            ]
            if after["customer_value"] == "High-Value":
                found[customer.key] = (n, after["lrfm_score"], n * mean)
                break
    return found


def told(gems: pl.DataFrame) -> dict[str, Any]:
    columns = gems.select(pl.col("customer").cast(pl.String), "orders_to_high", "score_after", "step_worth")
    return {name: tuple(rest) for name, *rest in columns.rows()}


def frame(lines: list[Line]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "customer": [line.customer_id for line in lines],
            "order_id": pl.Series([line.order_id for line in lines], dtype=pl.Int64),
            "order_date": [line.order_date for line in lines],
            "monetary": pl.Series([line.monetary for line in lines], dtype=pl.Decimal(18, 4)),
        }
    )


START = dt.date(2024, 1, 1)
lines = st.lists(
    st.builds(
        Line,
        st.sampled_from([f"{letter}{n}" for letter in "aZé" for n in range(6)]),
        st.one_of(st.none(), st.integers(1, 60)),
        st.integers(0, 30).map(lambda n: START + dt.timedelta(days=n)),
        st.one_of(st.integers(-2, 8).map(Decimal), st.decimals("-5", "90", places=4)),
    ),
    min_size=12,
    max_size=60,
)


@pytest.mark.slow
@settings(deadline=None, max_examples=20, suppress_health_check=list(HealthCheck))
@given(lines, st.sampled_from([3, 4, 5]), st.sampled_from(["first", "share"]), st.sampled_from([None, 5]))
def test_random_customers(lines: list[Line], bins: int, ties: Any, top: int | None) -> None:
    expected = brute_force(customers_of(lines, None), bins=bins, ties=ties, top=top)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ev.ScoresSayLittle)
        from_orders = ev.hidden_gems(frame(lines), top, bins=bins, ties=ties)
        scores = ev.lrfm(frame(lines), bins=bins, ties=ties)
    from_scores = ev.hidden_gems(scores, top, bins=bins)

    assert told(from_orders) == expected
    assert told(from_scores) == expected
    assert from_scores.columns == from_orders.columns


@pytest.mark.parametrize("ties", ["first", "share"])
def test_saas(saas_sales: Path, ties: Any) -> None:
    rows = list(csv.DictReader(saas_sales.read_text("utf-8-sig").splitlines()))
    lines = [
        Line(
            row["Customer"],
            row["Order ID"],
            dt.datetime.strptime(row["Order Date"], "%m/%d/%Y").date(),
            Decimal(row["Profit"]).quantize(CENT, ROUND_HALF_UP),
        )
        for row in rows
    ]
    expected = brute_force(customers_of(lines, dt.date(2024, 1, 1)), bins=4, ties=ties, top=None)

    orders = ev.read_orders(saas_sales, "Customer", "Order ID", "Order Date", "Profit")
    gems = ev.hidden_gems(ev.lrfm(orders, as_of="2024-01-01", ties=ties))

    assert told(gems.to_polars()) == expected
    if ties == "first":
        assert len(expected) == 14
