"""Scores from orders that are in memory already: the same tables as a run, from `curated.orders` on.

What is handed over has been read and settled (by `ev.read_orders`, or by whoever made the frame), so the raw and
curated zones are left out; from `customers.history` on every number comes from the same SQL as in a run.
"""

from __future__ import annotations

import datetime as dt

from evervalue.core.errors import InputError
from evervalue.core.progress import Progress
from evervalue.pipeline.settings import Settings
from evervalue.pipeline.tables import fill_run_tables, models_for
from evervalue.warehouse.duckdb import Connection
from evervalue.warehouse.runner import build

GIVEN = ("curated.orders", "curated.customers")


def score_orders(
    con: Connection,
    orders: str,
    settings: Settings,
    *targets: str,
    progress: Progress,
    as_of: dt.date | None = None,
) -> None:
    """Builds the target tables, with all that they are built from, in the connection's database.

    Parameters
    ----------
    con
        An open connection.
    orders
        A table or view there: `customer_id`, `customer`, `order_id` (null makes the row an order of its own),
        `order_date` (date), `monetary` (DECIMAL(18,4)) and `kind` ('sale' or what else). One row a line or an order.
    settings
        As a project's.
    targets
        Names of declared tables from `customers` and `insight`.
    progress
        Told of each table.
    as_of
        Cutoff; None takes the day after the newest order.

    Raises
    ------
    InputError
        A customer, a date or an amount is missing.
    """
    _refuse_gaps(con, orders)
    for schema in ("curated", "customers", "insight", "run"):
        con.execute(f"drop schema if exists {schema} cascade")
    con.execute("create schema curated")
    fill_run_tables(con, settings, run_id="memory", as_of=as_of)
    con.execute(
        f"""
        create table curated.orders as
        select customer_id, min(order_date) as order_date,
            case when bool_or(kind = 'sale') then 'sale' else min(kind) end as kind,
            sum(monetary)::decimal(18,4) as monetary, sum(monetary)::decimal(18,4) as revenue,
            sum(monetary)::decimal(18,4) as margin, null::text as region
        from {orders}
        where order_id is not null
        group by customer_id, order_id
        union all
        select customer_id, order_date, kind, monetary, monetary, monetary, null
        from {orders}
        where order_id is null
        """
    )
    con.execute(
        f"""
        create table curated.customers as
        select customer_id::text as customer_id, max(customer)::text as customer from {orders} group by customer_id
        """
    )
    models = [m for m in models_for(*targets) if m.head.schema_name in ("customers", "insight", "run")]
    build(con, models, given=GIVEN, progress=progress)


def _refuse_gaps(con: Connection, orders: str) -> None:
    gaps = con.execute(
        f"select count(*), count(*) filter (where customer_id is null), count(*) filter (where order_date is null), "
        f"count(*) filter (where monetary is null) from {orders}"
    ).fetchone() or (0, 0, 0, 0)
    if gaps[0] == 0:
        raise InputError("There are no orders to score: the frame has no row.")
    faults = [
        f"{n:,} of {gaps[0]:,} rows have no {what}"
        for what, n in zip(("customer", "date", "monetary value"), gaps[1:], strict=True)
        if n
    ]
    if faults:
        raise InputError(
            f"{'; '.join(faults)}. Fill or drop those rows first: nothing is left out in silence."
        )
