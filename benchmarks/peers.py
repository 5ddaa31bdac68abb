"""The same scores by other means, each as its users would write it.

`python -m benchmarks.peers NAME PARQUET FEW OUTPUT`: reading the file is not timed; everyone starts from a frame of
their own kind in memory and ends with one row a customer.
The scores are the method's own (rank k of n against 1 + (n - 1) j / 4, ties by key), so results can be compared row by
row; only `lifetimes` computes something less: the summary alone, without scores.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.measure import tell, timed

BINS = 4


def evervalue_polars(path: Path) -> tuple[Callable[[], Any], None]:
    import polars as pl

    import evervalue as ev

    frame = pl.read_parquet(path)
    return lambda: ev.lrfm(frame), None


def evervalue_arrow(path: Path) -> tuple[Callable[[], Any], None]:
    import pyarrow.parquet as pq

    import evervalue as ev

    frame = pq.read_table(path)
    return lambda: ev.lrfm(frame), None


def evervalue_duckdb(path: Path) -> tuple[Callable[[], Any], Any]:
    from evervalue.core.progress import Silent
    from evervalue.library.session import settings
    from evervalue.pipeline.from_orders import score_orders
    from evervalue.warehouse.duckdb import connect

    con = connect()
    con.execute(f"create table lines as from '{path}'")
    (key,) = con.execute("select typeof(any_value(customer_id)) from lines").fetchone() or ("",)

    def work() -> Any:
        score_orders(con, "lines", settings({}), "customers.lrfm", progress=Silent())
        return con.execute(
            f"select customer_id::{key} as customer, * exclude (customer_id, customer) from customers.lrfm order by 1"
        ).to_arrow_table()

    return work, con


def evervalue_pandas(path: Path) -> tuple[Callable[[], Any], None]:
    import evervalue as ev

    frame = _pandas(path)
    return lambda: ev.lrfm(frame), None


def polars(path: Path) -> tuple[Callable[[], Any], None]:
    import polars as pl

    frame = pl.read_parquet(path)

    def work() -> Any:
        as_of = frame["order_date"].max() + pl.duration(days=1)
        history = (
            frame.lazy()
            .group_by("customer_id")
            .agg(
                first=pl.col("order_date").min(),
                last=pl.col("order_date").max(),
                frequency=pl.col("order_id").n_unique(),
                monetary=pl.col("monetary").sum(),
            )
            .sort("customer_id")
            .select(
                customer="customer_id",
                length_days=(pl.col("last") - pl.col("first")).dt.total_days(),
                recency_days=(as_of - pl.col("last")).dt.total_days(),
                frequency="frequency",
                monetary="monetary",
            )
            .collect()
        )
        limits = [1 + (len(history) - 1) * j / BINS for j in range(1, BINS)]

        def score(name: str) -> Any:
            rank = pl.col(name).rank("ordinal")
            return pl.sum_horizontal((rank > limit).cast(pl.Int32) for limit in limits) + 1

        return (
            history.lazy()
            .with_columns(
                l_score=score("length_days"),
                r_score=BINS + 1 - score("recency_days"),
                f_score=score("frequency"),
                m_score=score("monetary"),
            )
            .with_columns(
                lrfm_score=pl.col("l_score") + pl.col("r_score") + pl.col("f_score") + pl.col("m_score")
            )
            .with_columns(
                customer_value=pl.when(pl.col("lrfm_score") >= 14)
                .then(pl.lit("High-Value"))
                .when(pl.col("lrfm_score") >= 10)
                .then(pl.lit("Mid-Value"))
                .otherwise(pl.lit("Low-Value"))
            )
            .collect()
        )

    return work, None


def duckdb_windows(path: Path) -> tuple[Callable[[], Any], Any]:
    from evervalue.warehouse.duckdb import connect

    con = connect()
    con.execute(f"create table lines as from '{path}'")
    query = """
        with cutoff as (select max(order_date) + 1 as as_of from lines),
        history as (
            select customer_id, max(order_date) - min(order_date) as length_days,
                any_value(as_of) - max(order_date) as recency_days,
                count(distinct order_id) as frequency, sum(monetary)::decimal(18,4) as monetary
            from lines, cutoff group by customer_id
        ),
        ranked as (
            select *, count(*) over () as n,
                row_number() over (order by length_days, customer_id) as l,
                row_number() over (order by recency_days, customer_id) as r,
                row_number() over (order by frequency, customer_id) as f,
                row_number() over (order by monetary, customer_id) as m
            from history
        ),
        scored as (
            select *,
                1 + (4*(l-1) > n-1)::int + (4*(l-1) > 2*(n-1))::int + (4*(l-1) > 3*(n-1))::int as l_score,
                4 - (4*(r-1) > n-1)::int - (4*(r-1) > 2*(n-1))::int - (4*(r-1) > 3*(n-1))::int as r_score,
                1 + (4*(f-1) > n-1)::int + (4*(f-1) > 2*(n-1))::int + (4*(f-1) > 3*(n-1))::int as f_score,
                1 + (4*(m-1) > n-1)::int + (4*(m-1) > 2*(n-1))::int + (4*(m-1) > 3*(n-1))::int as m_score
            from ranked
        )
        select customer_id as customer, length_days, recency_days, frequency, monetary,
            l_score, r_score, f_score, m_score,
            l_score + r_score + f_score + m_score as lrfm_score,
            case when l_score + r_score + f_score + m_score >= 14 then 'High-Value'
                when l_score + r_score + f_score + m_score >= 10 then 'Mid-Value' else 'Low-Value' end as customer_value
        from scored order by customer_id
    """
    return lambda: con.execute(query).to_arrow_table(), con


def pandas(path: Path) -> tuple[Callable[[], Any], None]:
    import numpy as np

    frame = _pandas(path)

    def work() -> Any:
        as_of = frame["order_date"].max() + np.timedelta64(1, "D")
        history = frame.groupby("customer_id").agg(
            first=("order_date", "min"),
            last=("order_date", "max"),
            frequency=("order_id", "nunique"),
            monetary=("monetary", "sum"),
        )
        history["length_days"] = (history["last"] - history["first"]).dt.days
        history["recency_days"] = (as_of - history["last"]).dt.days
        limits = [1 + (len(history) - 1) * j / BINS for j in range(1, BINS)]
        for letter, name in zip(
            "lrfm", ("length_days", "recency_days", "frequency", "monetary"), strict=True
        ):
            rank = history[name].rank(method="first")
            score = 1 + sum((rank > limit).astype(int) for limit in limits)
            history[f"{letter}_score"] = BINS + 1 - score if letter == "r" else score
        history["lrfm_score"] = history[["l_score", "r_score", "f_score", "m_score"]].sum(axis=1)
        history["customer_value"] = np.select(
            [history["lrfm_score"] >= 14, history["lrfm_score"] >= 10],
            ["High-Value", "Mid-Value"],
            "Low-Value",
        )
        return history.drop(columns=["first", "last"]).rename_axis("customer").reset_index()

    return work, None


def lifetimes(path: Path) -> tuple[Callable[[], Any], None]:
    import warnings

    warnings.simplefilter("ignore")
    from lifetimes.utils import summary_data_from_transaction_data

    frame = _pandas(path)
    return lambda: summary_data_from_transaction_data(frame, "customer_id", "order_date", "monetary"), None


def _pandas(path: Path) -> Any:
    import pandas as pd

    frame = pd.read_parquet(path)
    return frame.assign(
        order_date=pd.to_datetime(frame["order_date"]), monetary=frame["monetary"].astype("float64")
    )


PEERS: dict[str, Callable[[Path], tuple[Callable[[], Any], Any]]] = {
    "evervalue-polars": evervalue_polars,
    "evervalue-arrow": evervalue_arrow,
    "evervalue-duckdb": evervalue_duckdb,
    "evervalue-pandas": evervalue_pandas,
    "polars": polars,
    "duckdb-windows": duckdb_windows,
    "pandas": pandas,
    "lifetimes": lifetimes,
}


def written(result: Any, output: Path) -> None:
    """Writes a peer's rows as Parquet, for the comparison."""
    if hasattr(result, "write_parquet"):
        result.write_parquet(output)
    elif hasattr(result, "to_parquet"):
        result.to_parquet(output)
    else:
        import pyarrow.parquet as pq

        pq.write_table(result, output)


def main() -> None:
    name, path, few, output = sys.argv[1:5]
    # Imports and first-call work are paid on a few rows beforehand, by everyone.
    warm, _ = PEERS[name](Path(few))
    warm()
    work, _ = PEERS[name](Path(path))
    result, took = timed(work)
    tell(took)
    written(result, Path(output))


if __name__ == "__main__":
    main()
