"""Frames: columns found by name, types taken or refused, money exact, the same kind out as in."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import evervalue as ev
from evervalue.core.errors import AmbiguousInput, EvervalueError, InputError, MissingColumns, SettingsError
from evervalue.warehouse.duckdb import connect

DAY = dt.date(2024, 1, 5)


def orders(**columns: Any) -> pl.DataFrame:
    base: dict[str, Any] = {
        "customer_id": ["a", "a", "b", "c", "d"],
        "order_id": [1, 2, 3, 4, 5],
        "order_date": [DAY + dt.timedelta(days=n) for n in range(5)],
        "monetary": [1.5, 2.25, 3.0, 4.0, 5.0],
    }
    return pl.DataFrame({name: value for name, value in {**base, **columns}.items() if value is not None})


def test_importing_the_package_loads_nothing() -> None:
    script = (
        "import sys, evervalue as ev\n"
        "loaded = {'duckdb', 'pandas', 'polars', 'pyarrow', 'pydantic'} & set(sys.modules)\n"
        "assert not loaded, loaded\n"
        "assert set(ev.__all__) <= set(dir(ev))\n"
        "assert all(getattr(ev, name) is not None for name in ev.__all__)\n"
        "try: ev.nothing\n"
        "except AttributeError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "no attribute 'nothing'" in done.stdout


def test_usual_names_are_found_and_others_are_named() -> None:
    renamed = orders().rename(
        {"customer_id": "who", "order_id": "no", "order_date": "when", "monetary": "profit"}
    )
    named = ev.lrfm(renamed, customer="who", order="no", date="when", monetary="profit")
    assert named.equals(ev.lrfm(orders()))
    with pytest.raises(MissingColumns, match="holds the customer.*customer_id or customer"):
        ev.lrfm(renamed)
    with pytest.raises(MissingColumns, match=r"no column 'profits' \(did you mean 'profit'\?\)"):
        ev.lrfm(renamed, customer="who", date="when", monetary="profits")


def test_a_key_is_beside_the_name_where_they_differ() -> None:
    named = ev.lrfm(orders(customer=["Ann", "Ann", "Bob", None, "Dee"], customer_id=[1, 1, 2, 3, 4]))
    assert named.columns[:2] == ["customer_id", "customer"]
    assert named.select("customer_id", "customer").rows() == [(1, "Ann"), (2, "Bob"), (3, "3"), (4, "Dee")]
    assert ev.lrfm(orders(customer=["a", "a", "b", "c", "d"])).columns[0] == "customer"


def test_number_keys_stay_numbers_in_their_order() -> None:
    scores = ev.lrfm(orders(customer_id=[10, 10, 9, 100, 2]))
    assert scores["customer"].to_list() == [2, 9, 10, 100]
    assert scores["customer"].dtype == pl.Int64
    whole = ev.lrfm(orders(customer_id=[10.0, 10.0, 9.0, 100.0, 2.0]))
    assert whole["customer"].to_list() == ["10", "100", "2", "9"] or whole["customer"].to_list() == [
        2,
        9,
        10,
        100,
    ]


@pytest.mark.parametrize(
    ("columns", "error", "says"),
    [
        (
            {"monetary": [1.0, float("nan"), 2.0, 3.0, 4.0]},
            InputError,
            "1 cell of 'monetary' cannot be money",
        ),
        ({"monetary": [1.0, float("inf"), 2.0, 3.0, 4.0]}, InputError, "for example inf"),
        ({"monetary": [1e15, 1.0, 2.0, 3.0, 4.0]}, InputError, "below 100,000,000,000,000"),
        ({"monetary": ["1", "2", "3", "4", "5"]}, InputError, "holds text, not numbers"),
        ({"monetary": [1.0, None, 2.0, 3.0, 4.0]}, InputError, "1 of 5 rows have no monetary value"),
        ({"customer_id": ["a", None, "b", "", "d"]}, InputError, "2 of 5 rows have no customer"),
        ({"customer_id": [1.5, 2.0, 3.0, 4.0, 5.0]}, InputError, "not whole numbers"),
        ({"order_date": [DAY, None, DAY, DAY, DAY]}, InputError, "1 of 5 rows have no date"),
        ({"order_date": [1, 2, 3, 4, 5]}, InputError, "not dates"),
        ({"order_date": ["05/01/2024"] * 5}, AmbiguousInput, "5 cells of it, for example '05/01/2024'"),
        ({"kind": ["sale", "gift", "sale", "sale", "sale"]}, InputError, "holds gift"),
    ],
)
def test_what_cannot_be_taken_is_refused(
    columns: dict[str, Any], error: type[EvervalueError], says: str
) -> None:
    with pytest.raises(error, match=says):
        ev.lrfm(orders(**columns))


def test_empty_and_no_frames() -> None:
    with pytest.raises(InputError, match="no row"):
        ev.lrfm(orders().clear())
    with pytest.raises(InputError, match="A dict is no frame"):
        ev.lrfm({"customer": []})


@pytest.mark.parametrize(
    "options", [{"bins": 1}, {"bins": 11}, {"ties": "last"}, {"high_value_at": 3}, {"as_of": "tomorrow"}]
)
def test_impossible_arguments(options: dict[str, Any]) -> None:
    with pytest.raises(SettingsError):
        ev.lrfm(orders(), **options)


def test_dates_of_every_kind_are_the_same_days() -> None:
    expected = ev.lrfm(orders())
    text = orders(order_date=[f"2024-01-{5 + n:02}" for n in range(5)])
    times = orders(order_date=[dt.datetime(2024, 1, 5 + n, 23, 59) for n in range(5)])
    berlin = orders().with_columns(
        pl.col("order_date").cast(pl.Datetime("us")).dt.replace_time_zone("Europe/Berlin")
    )
    for frame in (text, times, berlin):
        assert ev.lrfm(frame).equals(expected)
    assert ev.lrfm(orders(), as_of=dt.datetime(2024, 1, 10, 5)).equals(ev.lrfm(orders(), as_of="2024-01-10"))


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.floats(-1e12, 1e12, allow_nan=False).map(lambda x: round(x, 6)), min_size=4, max_size=12),
    st.booleans(),
)
def test_float_money_is_its_shortest_text(values: list[float], narrow: bool) -> None:
    dtype = pl.Float32 if narrow else pl.Float64
    frame = pl.DataFrame(
        {
            "customer": [f"c{n:02}" for n in range(len(values))],
            "order_date": [DAY] * len(values),
            "monetary": pl.Series(values, dtype=dtype),
        }
    )
    found = ev.lrfm(frame)["monetary"].to_list()
    texts = [str(pa.scalar(v, pa.float32()).as_py()) for v in values] if narrow else [repr(v) for v in values]
    if narrow:
        import numpy as np

        texts = [str(np.float32(v)) for v in values]
    assert found == [Decimal(text).quantize(Decimal("0.0001"), ROUND_HALF_UP) for text in texts]


def test_the_same_kind_out_and_the_same_rows() -> None:
    frame = orders()
    expected = ev.lrfm(frame).to_arrow().to_pylist()
    from_pandas = ev.lrfm(frame.to_pandas())
    assert isinstance(from_pandas, pd.DataFrame)
    assert from_pandas["monetary"].dtype == pd.ArrowDtype(pa.decimal128(18, 4))
    assert from_pandas["l_score"].dtype == pd.Int32Dtype()
    assert from_pandas.to_dict("records") == expected
    lazy = ev.lrfm(frame.lazy())
    assert isinstance(lazy, pl.LazyFrame)
    assert lazy.collect().to_arrow().to_pylist() == expected
    assert ev.lrfm(frame.to_arrow()).to_pylist() == expected
    stream = pa.RecordBatchReader.from_batches(frame.to_arrow().schema, frame.to_arrow().to_batches())
    assert ev.lrfm(stream).to_pylist() == expected


def test_a_relation_stays_on_its_own_connection() -> None:
    con = connect()
    con.register("frame", orders().to_arrow())
    con.execute("create table orders as from frame")
    scores = ev.lrfm(con.table("orders"))
    assert scores.columns[0] == "customer"
    before = con.execute("show tables").fetchall()
    joined = con.sql("select count(*) from scores join orders on orders.customer_id = scores.customer")
    assert joined.fetchall() == [(5,)]
    assert before == [("frame",), ("orders",)], "nothing is left behind"


def test_unscored_customers_are_listed() -> None:
    kinds = ["sale", "sale", "sale", "return", "sale"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ev.ScoresSayLittle)
        scores = ev.lrfm(orders(kind=kinds))
    row = scores.filter(pl.col("customer") == "c").to_dicts()[0]
    assert (row["frequency"], row["l_score"], row["customer_value"]) == (0, None, None)
    assert row["monetary"] == Decimal("4.0000")


def test_threads_do_not_meet() -> None:
    frames = [orders(monetary=[float(n), 2.0, 3.0, 4.0, 5.0]) for n in range(12)]
    alone = [ev.lrfm(frame) for frame in frames]
    with ThreadPoolExecutor(6) as pool:
        together: list[Any] = list(pool.map(lambda frame: ev.lrfm(frame), frames))
    assert all(a.equals(b) for a, b in zip(alone, together, strict=True))


def test_scores_that_were_cut_have_no_what_if() -> None:
    scores = ev.lrfm(orders(), mid_value_at=5)
    whole = ev.hidden_gems(scores, top=3, mid_value_at=5)
    part = ev.hidden_gems(scores.filter(pl.col("customer") != "a"), top=3, mid_value_at=5)
    assert len(whole) >= 1
    assert part["orders_to_high"].null_count() == len(part) >= 1
    assert set(part["step_says"]) == {"Not computed: these scores do not follow from the customers given."}
    with pytest.raises(SettingsError, match="another tier than the bounds 14 and 10"):
        ev.hidden_gems(scores)
    with pytest.raises(InputError, match="2 rows for 1 customers"):
        ev.hidden_gems(pl.concat([scores.head(1), scores.head(1)]), mid_value_at=5)
    with pytest.raises(MissingColumns, match="no column 'frequency'"):
        ev.hidden_gems(scores.drop("frequency"))
