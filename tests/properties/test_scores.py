"""Whatever the orders: their order, threads, their split over files and the unit of money change no score."""

from __future__ import annotations

import datetime as dt
import random
import tempfile
import warnings
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import evervalue as ev

START = dt.date(2024, 1, 1)
SLOW = settings(deadline=None, max_examples=15, suppress_health_check=list(HealthCheck))
SCORES = ["l_score", "r_score", "f_score", "m_score", "lrfm_score", "customer_value"]

rows = st.lists(
    st.tuples(
        st.sampled_from(["Ann", "Bob", "Cid", "Dee", "Eve", "Ünal", "a", "B"]),
        st.one_of(st.none(), st.integers(1, 9)),
        st.integers(0, 60).map(lambda n: START + dt.timedelta(days=n)),
        # Cents, so that a hundred of them is still money of four places.
        st.one_of(st.integers(-3, 3).map(Decimal), st.decimals("-500", "5000", places=2)),
    ),
    min_size=1,
    max_size=40,
)


def frame(found: list[tuple[Any, ...]]) -> pl.DataFrame:
    schema: dict[str, Any] = {
        "customer": pl.String, "order_id": pl.Int64, "order_date": pl.Date, "monetary": pl.Decimal(18, 4),
    }  # fmt: skip
    return pl.DataFrame(found, schema=schema, orient="row")


def scores(orders: Any, **options: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ev.ScoresSayLittle)
        return ev.lrfm(orders, **options)


@SLOW
@given(rows, st.randoms(use_true_random=False), st.sampled_from(["first", "share"]))
def test_row_order(found: list[tuple[Any, ...]], chance: random.Random, ties: Any) -> None:
    shuffled = chance.sample(found, len(found))
    assert scores(frame(found), ties=ties).equals(scores(frame(shuffled), ties=ties))


@pytest.mark.slow
@SLOW
@given(rows, st.sampled_from(["first", "share"]))
def test_unit_of_money(found: list[tuple[Any, ...]], ties: Any) -> None:
    cents = [(customer, order, day, money * 100) for customer, order, day, money in found]
    one, other = scores(frame(found), ties=ties), scores(frame(cents), ties=ties)
    assert one.select("customer", *SCORES).equals(other.select("customer", *SCORES))
    assert [money * 100 for money in one["monetary"]] == other["monetary"].to_list()


@pytest.mark.slow
@SLOW
@given(rows)
def test_an_order_in_one_line_or_in_many(found: list[tuple[Any, ...]]) -> None:
    whole = (
        frame([(c, n if o is None else o + 1000, d, m) for n, (c, o, d, m) in enumerate(found, 2000)])
        .group_by("customer", "order_id")
        .agg(pl.col("order_date").min(), pl.col("monetary").sum())
    )
    assert scores(frame(found)).equals(scores(whole))


@pytest.mark.slow
@SLOW
@given(rows, st.integers(1, 39))
def test_splitting_a_file(found: list[tuple[Any, ...]], place: int) -> None:
    named = [(c, f"order {n if o is None else o}-{c}", d, m) for n, (c, o, d, m) in enumerate(found, 100)]
    columns = ("customer", "order_id", "order_date", "monetary")
    with tempfile.TemporaryDirectory() as folder:
        lines = [f"{c},{o},{d},{m},{n}" for n, (c, o, d, m) in enumerate(named)]
        header = "customer,order_id,order_date,monetary,line_id"
        parts = [lines[:place], lines[place:]] if 0 < place < len(lines) else [lines]
        Path(folder, "whole").mkdir()
        Path(folder, "parts").mkdir()
        Path(folder, "whole", "all.csv").write_text("\n".join([header, *lines]) + "\n", "utf-8")
        for number, part in enumerate(parts):
            Path(folder, "parts", f"{number}.csv").write_text("\n".join([header, *part]) + "\n", "utf-8")
        whole = ev.read_orders(Path(folder, "whole"), *columns, date_format="%Y-%m-%d", decimal=".")
        split = ev.read_orders(Path(folder, "parts"), *columns, date_format="%Y-%m-%d", decimal=".")
        assert scores(whole).to_arrow().equals(scores(split).to_arrow())


def test_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Enough rows that the engine shares them out."""
    chance = random.Random(7)
    found = [
        (f"c{chance.randrange(20_000)}", chance.randrange(150_000), START + dt.timedelta(chance.randrange(700)),
         Decimal(chance.randrange(-10_000, 90_000)) / 100)
        for _ in range(300_000)
    ]  # fmt: skip
    orders = frame(found)
    results = []
    for threads in ("1", "2", "5"):
        monkeypatch.setenv("EVERVALUE_THREADS", threads)
        results.append(ev.lrfm(orders))
    assert results[0].equals(results[1])
    assert results[0].equals(results[2])
    assert results[0]["customer"].is_sorted()
