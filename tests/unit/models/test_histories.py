"""Histories from any frame: the same numbers, ids kept, faults named together."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from evervalue.core.errors import InputError, MissingColumns, SettingsError
from evervalue.models.histories import UnitSuspected, distinct, histories

ROWS: dict[str, list[Any]] = {
    "customer_id": ["a", "b", "c"],
    "frequency": [2, 0, 1],
    "recency": [10.0, 0.0, 3.5],
    "T": [30.25, 12.5, 8.5],
    "monetary_value": [4.0, 0.0, 7.5],
}


def made(kind: str, rows: dict[str, list[Any]] = ROWS) -> Any:
    match kind:
        case "pandas":
            return pd.DataFrame(rows, index=[7, 3, 5])
        case "polars":
            return pl.DataFrame(rows)
        case "lazy":
            return pl.LazyFrame(rows)
        case "arrow":
            return pa.table(rows)
        case "mapping":
            return rows
    return np.array([rows[c] for c in ("frequency", "recency", "T", "monetary_value")], dtype=float).T


@pytest.mark.parametrize("kind", ["pandas", "polars", "lazy", "arrow", "mapping", "array"])
def test_the_same_from_every_kind(kind: str) -> None:
    found = histories(made(kind), unit="W", spend=True)

    assert found.frequency.tolist() == ROWS["frequency"]
    assert found.recency.tolist() == ROWS["recency"]
    assert found.T.tolist() == ROWS["T"]
    assert found.monetary_value is not None
    assert found.monetary_value.tolist() == ROWS["monetary_value"]
    assert list(found.ids) == ([] if kind == "array" else ["customer_id"])


@pytest.mark.parametrize("kind", ["pandas", "polars", "lazy", "arrow"])
def test_results_come_back_as_the_same_kind(kind: str) -> None:
    frame = made(kind)
    out = histories(frame, unit="W").frame({"p_alive": np.array([0.5, 1.0, 0.25])})

    assert type(out) is type(frame)
    rows = out.collect() if kind == "lazy" else out
    rows = rows if kind == "arrow" else pa.table(rows.to_arrow()) if kind != "pandas" else pa.table(rows)
    assert rows.column("customer_id").to_pylist() == ["a", "b", "c"]
    assert rows.column("p_alive").to_pylist() == [0.5, 1.0, 0.25]
    if kind == "pandas":
        assert out.index.tolist() == [7, 3, 5]
        assert out.attrs["unit"] == "W"


def test_the_unit_travels_on_the_frame() -> None:
    frame = made("pandas")
    frame.attrs["unit"] = "D"
    assert histories(frame).unit == "D"
    with pytest.raises(SettingsError, match="says that its times are in days"):
        histories(frame, unit="W")
    assert histories(made("arrow").replace_schema_metadata({"unit": "W"})).unit == "W"


def test_distinct_histories() -> None:
    x, t_x, T = np.array([1.0, 0, 1, 1]), np.array([2.0, 0, 2, 2]), np.array([5.0, 5, 5, 6])
    found = distinct(x, t_x, T, [1, 2, 3, 4])

    assert found.x.tolist() == [0, 1, 1]
    assert found.weight.tolist() == [2, 4, 4]
    assert found.x[found.inverse].tolist() == x.tolist()
    assert found.T[found.inverse].tolist() == T.tolist()
    assert len(distinct(x, t_x, T, None, {"z": np.arange(4.0)}).x) == 4


def test_all_faults_are_named_together() -> None:
    rows = {
        "customer": ["a", "b", "c", "d", "e", "f", "g"],
        "frequency": [1, 1, -1, 0, 1.5, np.nan, 0],
        "recency": [0.0, 9.0, 1.0, 2.0, 1.0, 1.0, 0.0],
        "T": [5.0, 8.0, 5.0, 5.0, 5.0, 5.0, 5.0],
    }
    with pytest.raises(InputError) as told:
        histories(rows)
    for part in (
        "1 row with frequency above 0 but recency 0",
        "1 row with a recency beyond T",
        "1 row with negative numbers",
        "1 row with recency above 0 but frequency 0",
        "1 row with a frequency that is no whole number",
        "1 row with NaN or infinite numbers",
        "row 1, customer b",
    ):
        assert part in str(told.value)


def test_missing_columns_offer_the_nearest() -> None:
    with pytest.raises(MissingColumns, match="'recency' \\(did you mean 'Recency'"):
        histories({"frequency": [1], "Recency": [1.0], "T": [2.0]})
    with pytest.raises(MissingColumns, match="monetary_value"):
        histories({"frequency": [1], "recency": [1.0], "T": [2.0]}, spend=True)


NO_ROW: dict[str, list[float]] = {"frequency": [], "recency": [], "T": []}


@pytest.mark.parametrize("empty", [NO_ROW, pd.DataFrame(NO_ROW)])
def test_no_row(empty: Any) -> None:
    with pytest.raises(InputError, match="no row"):
        histories(empty)


def test_text_is_no_number() -> None:
    with pytest.raises(InputError, match="no numbers"):
        histories({"frequency": ["one"], "recency": [1.0], "T": [2.0]})


def test_days_told_as_weeks_are_suspected() -> None:
    days = {"frequency": [1, 0], "recency": [100.0, 0.0], "T": [730.0, 400.0]}
    with pytest.warns(UnitSuspected, match="730 weeks, 14 years, and all are whole numbers"):
        histories(days, unit="W")
    weeks = {"frequency": [1, 0], "recency": [10 / 7, 0.0], "T": [100 / 7, 37 / 7]}
    with pytest.warns(UnitSuspected, match="sevenths"):
        histories(weeks, unit="D")
    assert histories(days, unit="D").unit == "D"
