"""`ev.purchase_history` gives the published summary of the CDNOW sample (Fader, Hardie and Lee)."""

from __future__ import annotations

import csv
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

import evervalue as ev


@pytest.fixture
def history(shared_data: Callable[[str], Path]) -> pl.DataFrame:
    orders = pl.read_csv(
        shared_data("cdnow") / "cdnow_sample.csv",
        schema_overrides={"sample_id": pl.String},
        try_parse_dates=True,
    )
    return ev.purchase_history(
        orders, customer="sample_id", date="date", monetary="amount", as_of="1997-10-01", unit="W"
    )


def test_the_summary_of_39_weeks(history: pl.DataFrame, shared_data: Callable[[str], Path]) -> None:
    path = shared_data("cdnow") / "cdnow_sample_cbs_39wk.csv"
    published = {int(row["ID"]): row for row in csv.DictReader(path.read_text().splitlines())}

    assert len(history) == len(published) == 2357
    for name, frequency, recency, age, _ in history.rows():
        row = published[int(name)]
        assert frequency == int(row["frequency"])
        # The published file is rounded to two places.
        assert recency == pytest.approx(float(row["recency"]), abs=0.0051)
        assert age == pytest.approx(float(row["T"]), abs=0.0051)


def test_distinct_histories_and_exact_weeks(
    history: pl.DataFrame, shared_data: Callable[[str], Path]
) -> None:
    assert history.select("frequency", "recency", "T").n_unique() == 1016

    path = shared_data("cdnow") / "cdnow_sample_cbs_with_holdout.csv"
    exact = list(csv.DictReader(path.read_text().splitlines()))
    for (_, x, t_x, age, spend), row in zip(history.rows(), exact, strict=True):
        assert (float(x), t_x, age) == (
            float(row["x_cal"]),
            float(row["t_x_weeks"]),
            float(row["T_cal_weeks"]),
        )
        assert abs(spend - Decimal(row["mean_repeat_spend"])) <= Decimal("0.00005")


def test_days_are_weeks_times_seven(shared_data: Callable[[str], Path]) -> None:
    path = shared_data("cdnow") / "cdnow_sample.csv"
    orders = ev.read_orders(path, customer="sample_id", date="date", monetary="amount")
    weeks = ev.purchase_history(orders, as_of="1997-10-01", unit="W", frame="polars")
    days = ev.purchase_history(orders, as_of="1997-10-01", frame="polars")
    assert days["frequency"].sum() == 2457
    assert [t / 7 for t in days["T"]] == weeks["T"].to_list()
    assert set(days["T"]) <= {float(n) for n in range(182, 273)}
