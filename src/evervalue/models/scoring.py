"""Scores of a run: histories out of the engine, each distinct one scored once, and the scores landed as tables.

Customers with the same number of repeats, length and age are one to a purchase model, so orders are predicted once a
distinct history (a million customers have some ten thousand) and joined back in the engine. Value needs each
customer's own spend, so it is predicted customer by customer, in the order of keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from evervalue.models.histories import Distinct, Histories
from evervalue.numerics.arrays import Array
from evervalue.warehouse.arrays import columns, land
from evervalue.warehouse.duckdb import Connection

DISTINCT = """
select repeat_orders, length_days, age_days, count(*) as customers
from customers.purchase_history
group by repeat_orders, length_days, age_days
order by repeat_orders, length_days, age_days
"""
CUSTOMERS = """
select repeat_orders as frequency, length_days as recency, age_days - 1 as age,
    coalesce(mean_repeat_monetary, 0) as monetary_value, monetary, repeat_monetary, mean_monetary, least_monetary,
    monetary_squared_sum
from customers.purchase_history
order by customer_id
"""
MONEY = ("monetary", "repeat_monetary", "mean_monetary", "least_monetary", "monetary_squared_sum")


@dataclass(frozen=True)
class HistoryScores:
    """What a purchase model says of each distinct history; NaN where it says nothing."""

    p_alive: Array
    expected_orders: Array
    discounted_orders: Array
    p_any_order: Array
    orders_low: Array
    orders_high: Array
    orders_mass: Array


@dataclass(frozen=True)
class CustomerValues:
    """What each customer is expected to be worth, in the order of keys; NaN where nothing is said."""

    expected_order_value: Array
    expected_clv: Array
    clv_low: Array
    clv_high: Array


def distinct_histories(con: Connection) -> Distinct:
    """Each purchase history of the run once, in days, with how many customers have it; counted in the engine."""
    found = columns(con, DISTINCT)
    return Distinct(
        x=found["repeat_orders"],
        t_x=found["length_days"],
        T=found["age_days"] - 1,
        weight=found["customers"],
        inverse=np.empty(0, dtype=np.intp),
    )


def customer_histories(con: Connection, *, currency: str | None = None) -> Histories:
    """History and money of every customer with a sale, in days, in the order of keys."""
    found = columns(con, CUSTOMERS)
    return Histories(
        frequency=found["frequency"],
        recency=found["recency"],
        T=found["age"],
        monetary_value=found["monetary_value"],
        unit="D",
        extra={name: found[name] for name in MONEY},
        currency=currency,
    )


def interval_logs(con: Connection) -> float:
    """Sum over all customers of the logarithms of the days between purchases: what regularity is told by."""
    (found,) = con.execute(
        "select coalesce(sum(log_interval_sum), 0)::double from customers.purchase_history"
    ).fetchone() or (0.0,)
    return float(found)


def land_history_scores(con: Connection, histories: Distinct, scores: HistoryScores) -> None:
    """Fills `models.history_scores`, which is there and empty."""
    rows: dict[str, Any] = {
        "x": histories.x.astype(np.int64),
        "t_x": histories.t_x.astype(np.int64),
        "age": histories.T.astype(np.int64) + 1,
        "customers": histories.weight.astype(np.int64),
    }
    rows |= {f.name: getattr(scores, f.name) for f in fields(scores)}
    measures = ", ".join(f.name for f in fields(scores))
    land(
        con, "models.history_scores", rows,
        f"select x, t_x::integer, age::integer, customers, {measures} from {{rows}} order by 1, 2, 3",
    )  # fmt: skip


def land_clv(con: Connection, values: CustomerValues, said: Mapping[str, Any]) -> None:
    """Fills `models.clv`, which is there and empty: orders from the history scores, value from the arrays.

    Parameters
    ----------
    values
        In the order of `customer_histories`.
    said
        `interval`, `horizon_days`, `discount_rate_annual`, `model`, `model_says` and `currency`, SQL literals.
    """
    names = [f.name for f in fields(values)]
    con.execute(
        f"create temp table evervalue_values (place bigint, {', '.join(f'{n} decimal(18,4)' for n in names)})"
    )
    try:
        arrays = {n: _within_money(getattr(values, n)) for n in names}
        land(con, "evervalue_values", {"place": np.arange(1, len(arrays[names[0]]) + 1)} | arrays)
        con.execute(
            f"""
            insert into models.clv
            with placed as (
                select row_number() over (order by customer_id) as place, customer_id,
                    repeat_orders, length_days, age_days
                from customers.purchase_history
            ),
            scored as (
                select p.customer_id, s.p_alive, s.expected_orders, s.orders_low, s.orders_high,
                    v.expected_order_value, v.expected_clv, v.clv_low, v.clv_high
                from placed as p
                join evervalue_values as v on v.place = p.place
                join models.history_scores as s on s.repeat_orders = p.repeat_orders
                    and s.length_days = p.length_days and s.age_days = p.age_days
            )
            select h.customer_id, s.p_alive, s.expected_orders, s.orders_low, s.orders_high,
                s.expected_order_value, s.expected_clv, s.clv_low, s.clv_high,
                case when s.customer_id is not null then {said["interval"]} end,
                case when s.customer_id is not null then {said["horizon_days"]} end,
                case when s.customer_id is not null then {said["discount_rate_annual"]} end,
                case when s.customer_id is not null then {said["model"]} else 'none' end,
                case when s.customer_id is not null then {said["model_says"]}
                    else 'No sale before the cutoff, so there is nothing to predict from.' end,
                {said["currency"]}
            from customers.history as h
            left join scored as s on s.customer_id = h.customer_id
            order by h.customer_id
            """
        )
    finally:
        con.execute("drop table evervalue_values")


def _within_money(amounts: Array) -> Array:
    """Amounts that DECIMAL(18,4) can hold; what cannot be said (infinite, not a number) lands as null."""
    return np.where(np.isfinite(amounts) & (np.abs(amounts) < 1e14), amounts, np.nan)
