"""Scores from orders that are in memory already: the same tables as a run, from `curated.orders` on.

What is handed over has been read and settled (by `ev.read_orders`, or by whoever made the frame), so the raw
and curated zones are left out; from `customers.history` on every number comes from the same SQL as in a run.

Orders that are all sales, and whose customers have no name beside their key, take a shorter way to the same
history: one grouping in the keys' own types instead of three in text. `tests/oracle/test_lrfm.py` holds the
two ways to each other.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from functools import cache

from evervalue.core.errors import InputError
from evervalue.core.progress import Progress
from evervalue.pipeline.settings import Settings
from evervalue.pipeline.tables import column_list, create_empty, fill_run_tables, models_without_value
from evervalue.warehouse.duckdb import Connection
from evervalue.warehouse.head import Head
from evervalue.warehouse.runner import build
from evervalue.warehouse.sql_model import SqlModel

ZONES = ("curated", "customers", "models", "insight", "run")
GIVEN = ("curated.orders", "curated.customers")
SALE = "'sale'"
UNSORTED = ("customers.history", "customers.lrfm")
SUMMED = ("customers.cutoff", "customers.history")


def score_orders(
    con: Connection,
    orders: str,
    settings: Settings,
    *targets: str,
    progress: Progress,
    as_of: dt.date | None = None,
    shorter: bool = True,
) -> None:
    """Builds the target tables, with all that they are built from, in the connection's current database.

    Rows of `customers.history` and `customers.lrfm` lie in no order: who hands them out sorts them.

    Parameters
    ----------
    con
        An open connection.
    orders
        A table or view there, one row a line or an order: `customer_id` (whole number or text), `order_date`
        (date) and `monetary` (DECIMAL(18,4)); where they are known `order_id` (null makes the row an order of
        its own), `customer` (shown name; null shows the key) and `kind` ('sale' or what else).
    settings
        As a project's.
    targets
        Names of declared tables from `customers` and `insight`.
    progress
        Told of each table.
    as_of
        Cutoff; None takes the day after the newest order.
    shorter
        Whether the shorter way may be taken.

    Raises
    ------
    InputError
        A customer, a date or an amount is missing.
    """
    columns = {row[0]: str(row[1]) for row in con.execute(f"describe {orders}").fetchall()}
    con.execute("set preserve_insertion_order = false")
    newest, all_ordered = _refuse_gaps(con, orders, columns)
    for schema in ZONES:
        con.execute(f"drop schema if exists {schema} cascade")
        con.execute(f"create schema {schema}")
    fill_run_tables(con, settings, run_id="memory", as_of=as_of)
    shorter = shorter and not {"customer", "kind"} & set(columns) and _shorter_will_do(targets)
    if shorter:
        _sum_up(con, orders, columns, as_of if as_of and newest >= as_of else None, as_of, all_ordered)
    else:
        _group(con, orders, columns)
    _, empty = models_without_value(*targets)
    create_empty(con, *empty)
    build(con, _models(targets, shorter), given=(*GIVEN, *empty), progress=progress)


def _refuse_gaps(con: Connection, orders: str, columns: dict[str, str]) -> tuple[dt.date, bool]:
    """The newest day on any line, and whether every line has an order id."""
    order_id = "order_id" if "order_id" in columns else "null"
    rows, no_customer, no_date, no_money, newest, ordered = con.execute(
        f"select count(*), count(*) - count(customer_id), count(*) - count(order_date), count(*) - count(monetary), "
        f"max(order_date), count({order_id}) from {orders}"
    ).fetchone() or (0, 0, 0, 0, None, 0)
    if rows == 0:
        raise InputError("There are no orders to score: the frame has no row.")
    faults = [
        f"{n:,} of {rows:,} rows have no {what}"
        for what, n in (("customer", no_customer), ("date", no_date), ("monetary value", no_money))
        if n
    ]
    if faults:
        raise InputError(
            f"{'; '.join(faults)}. Fill or drop those rows first: nothing is left out in silence."
        )
    return newest, ordered == rows


class _AsItComes(Head):
    """A head that sorts rows by what it says and nothing else."""

    @property
    def layout(self) -> tuple[str, ...]:
        """As `order_by` says."""
        return self.order_by


def _wanted(targets: tuple[str, ...]) -> list[SqlModel]:
    models, _ = models_without_value(*targets)
    return [m for m in models if m.head.schema_name in ("customers", "insight", "run")]


@cache
def _shorter_will_do(targets: tuple[str, ...]) -> bool:
    """Whether nothing but the history reads the orders."""
    return not any("curated.orders" in m.reads for m in _wanted(targets) if m.name not in SUMMED)


@cache
def _models(targets: tuple[str, ...], shorter: bool) -> list[SqlModel]:
    """The tables to build, the largest ones unsorted."""
    found = []
    for model in _wanted(targets):
        if model.name in UNSORTED:
            head = model.head
            if shorter and model.name == "customers.history":
                # Customers are a view of this very table, so looking for its keys there would prove nothing.
                key = head.columns["customer_id"].model_copy(update={"references": None})
                head = head.model_copy(update={"columns": {**head.columns, "customer_id": key}})
            model = replace(model, head=_AsItComes.model_construct(**{**dict(head), "order_by": ()}))
        found.append(replace(model, sql="") if shorter and model.name in SUMMED else model)
    return found


def _grouped(
    orders: str,
    columns: dict[str, str],
    every: str,
    alone: str,
    *,
    all_ordered: bool = False,
    apart: str = "",
) -> str:
    """The SELECT of one row an order: `every` over the lines of an order, `alone` over a line that is one."""
    parts = []
    if "order_id" in columns:
        some = "" if all_ordered else "where order_id is not null"
        parts.append(
            f"select customer_id, {every} from {orders} {some} group by customer_id, order_id{apart}"
        )
    if not all_ordered:
        none = "where order_id is null" if "order_id" in columns else ""
        parts.append(f"select customer_id, {alone} from {orders} {none}")
    return " union all ".join(parts)


def _sum_up(
    con: Connection,
    orders: str,
    columns: dict[str, str],
    bound: dt.date | None,
    as_of: dt.date | None,
    all_ordered: bool,
) -> None:
    """Fills `customers.cutoff` and `customers.history` from sales alone, in one grouping of the lines.

    `bound` is the cutoff where there are lines on or after it; the sums then leave later orders out, and keep the
    customers who have no other.
    """
    before = f"filter (where order_date < date '{bound}')" if bound else ""
    grouped = _grouped(
        orders,
        columns,
        "min(order_date) as order_date, sum(monetary) as monetary",
        "order_date, monetary",
        all_ordered=all_ordered,
    )
    con.execute(
        f"""
        create temp table evervalue_summed as
        select customer_id, min(order_date) {before} as first_order_date, max(order_date) {before} as last_order_date,
            count(*) {before} as frequency, sum(monetary) {before} as monetary,
            count(*) as all_orders, max(order_date) as newest_order_date
        from ({grouped}) as o
        group by customer_id
        """
    )
    try:
        con.execute(f"create table customers.cutoff ({column_list('customers.cutoff')})")
        asked = f"date '{as_of}'" if as_of else "max(newest_order_date) + 1"
        con.execute(
            f"insert into customers.cutoff select {asked}, max(newest_order_date), "
            "coalesce(sum(all_orders - frequency), 0) from evervalue_summed"
        )
        con.execute("set variable evervalue_as_of = (select as_of from customers.cutoff)")
        con.execute(
            """
            create table customers.history as
            select customer_id::text as customer_id, customer_id::text as customer, first_order_date, last_order_date,
                (last_order_date - first_order_date)::integer as length_days,
                (getvariable('evervalue_as_of') - last_order_date)::integer as recency_days,
                frequency, coalesce(monetary, 0)::decimal(18,4) as revenue, monetary as margin,
                coalesce(monetary, 0)::decimal(18,4) as monetary,
                0::bigint as reversal_count, 0::decimal(18,4) as reversed_amount
            from (
                select customer_id, first_order_date, last_order_date, frequency, monetary::decimal(18,4) as monetary
                from evervalue_summed
            ) as s
            """
        )
        con.execute("create view curated.customers as select customer_id, customer from customers.history")
    finally:
        con.execute("drop table evervalue_summed")


def _group(con: Connection, orders: str, columns: dict[str, str]) -> None:
    """Fills `curated.orders` and `curated.customers` from lines of any kind."""
    has_kind, has_name = "kind" in columns, "customer" in columns
    kind = "kind" if has_kind else SALE
    # As in a run: what takes something back is a row of its own, of its own day, whatever order it names.
    apart = ", kind, case when kind <> 'sale' then order_date end" if has_kind else ""
    grouped = _grouped(
        orders,
        columns,
        f"min(order_date) as order_date, {kind} as kind, sum(monetary)::decimal(18,4) as monetary",
        f"order_date, {kind} as kind, monetary",
        apart=apart,
    )
    con.execute(
        f"""
        create table curated.orders as
        select customer_id::text as customer_id, order_date, kind, monetary, monetary as revenue, monetary as margin,
            null::text as region
        from ({grouped}) as o
        """
    )
    # As in a run: the newest name, and of those on one day the last by code points.
    name = (
        "max_by(customer, row(order_date, customer)) filter (where customer is not null)"
        if has_name
        else "null"
    )
    con.execute(
        f"""
        create table curated.customers as
        select customer_id::text as customer_id, coalesce({name}, customer_id::text)::text as customer
        from {orders}
        group by customer_id
        """
    )
