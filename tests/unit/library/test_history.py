"""`ev.purchase_history`: the columns that models need besides, held to sums made in plain Python, and its unit."""

from __future__ import annotations

import datetime as dt
import gc
import math
import random
from collections import defaultdict
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal
from itertools import pairwise
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pytest

import evervalue as ev
from evervalue.core.errors import SettingsError
from evervalue.warehouse import frame_facts
from evervalue.warehouse.frame_facts import facts_of

CENT = Decimal("0.0001")
USUAL = ["customer", "frequency", "recency", "T", "monetary_value"]
MORE = [
    "first_order_date", "last_order_date", "monetary", "repeat_monetary", "mean_monetary", "least_monetary",
    "monetary_squared_sum", "reversed_monetary", "kept_share", "log_interval_sum",
]  # fmt: skip


def random_orders(seed: int) -> list[tuple[str, dt.date, Decimal, str]]:
    rng = random.Random(seed)
    return [
        (
            f"c{rng.randrange(40)}",
            dt.date(2024, 1, 1) + dt.timedelta(days=rng.randrange(120)),
            Decimal(rng.randrange(-300_000, 9_000_000)) * CENT,
            "return" if rng.random() < 0.1 else "sale",
        )
        for _ in range(400)
    ]


def frame(rows: list[tuple[str, dt.date, Decimal, str]]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "customer": [row[0] for row in rows],
            "order_date": [row[1] for row in rows],
            "monetary": pl.Series([row[2] for row in rows], dtype=pl.Decimal(18, 4)),
            "kind": [row[3] for row in rows],
        }
    )


@pytest.mark.parametrize("unit", ["D", "W"])
def test_all_columns_are_what_plain_python_sums_up(unit: Any) -> None:
    rows, days_in = random_orders(7), {"D": 1, "W": 7}[unit]
    rows = [(c, day, -abs(m) if kind != "sale" else m, kind) for c, day, m, kind in rows]
    taken: dict[str, Decimal] = defaultdict(Decimal)
    by_customer: dict[str, dict[dt.date, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for customer, day, money, kind in rows:
        if day < dt.date(2024, 4, 20):
            if kind == "sale":
                by_customer[customer][day] += money
            else:
                taken[customer] -= abs(money)

    found = ev.purchase_history(frame(rows), as_of="2024-04-20", unit=unit, columns="all")
    assert found.columns == USUAL + MORE
    assert found["customer"].to_list() == sorted(by_customer)
    for row in found.rows(named=True):
        days = by_customer[row["customer"]]
        dates = sorted(days)
        spent = [days[day] for day in dates]
        gaps = [(b - a).days / days_in for a, b in pairwise(dates)]
        assert (row["first_order_date"], row["last_order_date"]) == (dates[0], dates[-1])
        assert row["frequency"] == len(gaps)
        assert row["monetary"] == sum(spent)
        assert row["repeat_monetary"] == sum(spent[1:])
        assert row["mean_monetary"] == (sum(spent, Decimal(0)) / len(spent)).quantize(CENT, ROUND_HALF_UP)
        assert row["least_monetary"] == min(spent)
        assert row["monetary_squared_sum"] == sum(m * m for m in spent)
        assert row["reversed_monetary"] == taken[row["customer"]]
        left = float(sum(spent) + taken[row["customer"]]) / float(sum(spent)) if sum(spent) > 0 else 1.0
        assert row["kept_share"] == pytest.approx(min(1.0, max(0.0, left)))
        assert row["log_interval_sum"] == pytest.approx(sum(map(math.log, gaps)), abs=1e-7)


def test_the_usual_columns_are_the_same_and_row_order_changes_nothing() -> None:
    rows = random_orders(8)
    every = ev.purchase_history(frame(rows), columns="all")
    assert ev.purchase_history(frame(rows)).equals(every.select(USUAL))
    random.Random(1).shuffle(rows)
    assert ev.purchase_history(frame(rows), columns="all").equals(every)


def test_one_purchase_on_the_last_day_has_age_zero() -> None:
    one = frame([("Ann", dt.date(2024, 3, 31), Decimal("-2.5"), "sale")])
    (row,) = ev.purchase_history(one, as_of="2024-04-01", columns="all").rows(named=True)
    assert (row["frequency"], row["recency"], row["T"], row["monetary_value"]) == (0, 0.0, 0.0, Decimal(0))
    assert (row["least_monetary"], row["log_interval_sum"]) == (Decimal("-2.5"), 0.0)


def test_frames_that_can_carry_the_unit_do() -> None:
    orders = frame(random_orders(9))
    assert ev.purchase_history(orders.to_pandas(), unit="W").attrs == {"unit": "W"}
    assert ev.purchase_history(orders.to_arrow(), unit="D").schema.metadata == {b"unit": b"D"}
    assert isinstance(ev.purchase_history(orders.to_arrow()), pa.Table)


KINDS: dict[str, Callable[[Any], Any]] = {
    "pandas": lambda orders: orders.to_pandas(),
    "polars": lambda orders: orders,
    "polars-lazy": lambda orders: orders.lazy(),
    "arrow": lambda orders: orders.to_arrow(),
    "duckdb": lambda orders: duckdb.connect().from_arrow(orders.to_arrow()),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_knows_the_unit_of_every_kind_of_history(kind: str) -> None:
    history = ev.purchase_history(KINDS[kind](frame(random_orders(9))), unit="W")
    model = ev.ModifiedBetaGeo(penalty=0.1).fit(history)
    assert model.unit_ == "W"
    predicted = model.predict(history, horizon="39W")
    assert type(predicted) is type(history)
    assert facts_of(predicted) == {"unit": "W"}


def test_what_is_made_of_a_polars_history_says_no_unit() -> None:
    history = ev.purchase_history(frame(random_orders(9)), unit="W")
    assert facts_of(history) == {"unit": "W"}
    for other in (history.filter(pl.col("T") > 2), history.clone(), history.with_columns(pl.col("T") * 7)):
        assert facts_of(other) == {}
    with pytest.raises(SettingsError, match="Fit with unit='D' or unit='W'"):
        ev.ModifiedBetaGeo(penalty=0.1).fit(history.clone()).predict(history, horizon="39W")
    told = ev.ModifiedBetaGeo(penalty=0.1).fit(history.clone(), unit="W")
    assert told.predict(history.clone(), horizon="39W").equals(told.predict(history, horizon="39W"))


def test_nothing_is_remembered_of_a_frame_that_is_gone() -> None:
    gc.collect()
    before = len(frame_facts._NOTED)
    kept = [ev.purchase_history(frame(random_orders(seed)), unit="W") for seed in range(3)]
    assert len(frame_facts._NOTED) == before + 3
    del kept
    gc.collect()
    assert len(frame_facts._NOTED) == before


def test_a_file_gives_its_currency_too(tmp_path: Any) -> None:
    (tmp_path / "sales.csv").write_text("customer,date,amount\nAnn,2024-01-05,10\nAnn,2024-01-09,10\n")
    orders = ev.read_orders(tmp_path / "sales.csv", currency="EUR")
    assert ev.purchase_history(orders, unit="W").attrs == {"unit": "W", "currency": "EUR"}


def test_unknown_columns_are_refused() -> None:
    with pytest.raises(SettingsError, match="'usual' and 'all'"):
        ev.purchase_history(frame(random_orders(9)), columns="most")  # type: ignore[call-overload]


def test_an_unknown_kind_of_frame_is_refused_even_where_a_frame_came_in() -> None:
    orders = pl.DataFrame({"customer": ["a"], "order_date": [dt.date(2024, 1, 1)], "monetary": [1.0]})
    with pytest.raises(SettingsError, match="frame='spark' is not known"):
        ev.purchase_history(orders, frame="spark")  # type: ignore[call-overload]
