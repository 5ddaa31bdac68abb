"""Scores of a run: histories out of the engine, each distinct one scored once, and the scores landed as tables.

Customers with the same number of repeats, length and age are one to a purchase model, so orders are predicted once a
distinct history (a million customers have some ten thousand) and joined back in the engine. Value needs each
customer's own spend, so it is predicted customer by customer, in the order of keys.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evervalue.models.histories import Distinct, Histories
from evervalue.models.prediction import Predictor
from evervalue.models.returns import after_returns
from evervalue.models.value_scores import ValueScores
from evervalue.models.value_total import Total
from evervalue.numerics.arrays import Array
from evervalue.warehouse.arrays import columns, land
from evervalue.warehouse.duckdb import Connection, value

DISTINCT = """
select repeat_orders, length_days, age_days, count(*) as customers
from customers.purchase_history
group by repeat_orders, length_days, age_days
order by repeat_orders, length_days, age_days
"""
CUSTOMERS = """
select repeat_orders as frequency, length_days as recency, age_days - 1 as age,
    coalesce(mean_repeat_monetary, 0) as monetary_value, monetary, repeat_monetary, mean_monetary, least_monetary,
    monetary_squared_sum, kept_share
from customers.purchase_history
order by customer_id
"""
SPENT = ("monetary", "repeat_monetary", "mean_monetary", "least_monetary", "monetary_squared_sum")
ORDERS = ("p_alive", "expected_orders", "p_any_order", "orders_low", "orders_high", "orders_mass")
MONEY = ("expected_order_value", "expected_clv", "clv_low", "clv_high")
STEPS = """
with first_step as (
    select customer_id, min(orders_added) as orders_added
    from insight.what_if
    where is_high_value
    group by customer_id
),
placed as (
    select row_number() over (order by customer_id) - 1 as place, customer_id, last_order_date
    from customers.purchase_history
)
select p.place, s.orders_added, (p.last_order_date < c.as_of - 1)::integer as purchase_days_added
from first_step as s
join placed as p on p.customer_id = s.customer_id
cross join customers.cutoff as c
order by p.place
"""

Rows = NDArray[np.intp]


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
    """History and money after returns of every customer with a sale, in days, in the order of keys."""
    found = after_returns(columns(con, CUSTOMERS))
    return Histories(
        frequency=found["frequency"],
        recency=found["recency"],
        T=found["age"],
        monetary_value=found["monetary_value"],
        unit="D",
        extra={name: found[name] for name in SPENT},
        currency=currency,
    )


def interval_logs(con: Connection) -> float:
    """Sum over all customers of the logarithms of the days between purchases: what regularity is told by."""
    (found,) = con.execute(
        "select coalesce(sum(log_interval_sum), 0)::double from customers.purchase_history"
    ).fetchone() or (0.0,)
    return float(found)


def land_history_scores(
    con: Connection, d: Distinct, scores: ValueScores, first: Rows, discounted: Array
) -> None:
    """Fills `models.history_scores`, which is there and empty.

    Parameters
    ----------
    d
        Each history once.
    scores
        Of every customer.
    first
        A customer with each of the histories.
    discounted
        Discounted orders of each history.
    """
    rows: dict[str, Any] = {"x": d.x, "t_x": d.t_x, "age": d.T + 1, "customers": d.weight}
    rows |= {name: getattr(scores, name)[first] for name in ORDERS}
    rows["discounted_orders"] = discounted
    land(
        con, "models.history_scores", rows,
        "select x::bigint, t_x::integer, age::integer, customers::bigint, p_alive, expected_orders, discounted_orders, "
        "p_any_order, orders_low, orders_high, orders_mass from {rows} order by 1, 2, 3",
    )  # fmt: skip


def land_clv(con: Connection, scores: ValueScores, said: Mapping[str, Any]) -> None:
    """Fills `models.clv`, which is there and empty: orders from the history scores, value from the arrays.

    Parameters
    ----------
    scores
        In the order of `customer_histories`.
    said
        `interval`, `horizon_days`, `discount_rate_annual`, `model`, `model_says` and `currency`, SQL literals.
    """
    types = ", ".join(f"{name} decimal(18,4)" for name in MONEY)
    con.execute(f"create temp table evervalue_values (place bigint, {types})")
    try:
        arrays = {name: _within_money(getattr(scores, name)) for name in MONEY}
        land(con, "evervalue_values", {"place": np.arange(1, len(scores.p_alive) + 1)} | arrays)
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


def land_total(con: Connection, total: Total, alive: Array) -> None:
    """Fills `models.total`, which is there and empty."""
    rows = {
        "customers": np.array([total.customers if math.isfinite(total.expected_clv) else 0]),
        "alive": np.array([alive.sum()]),
        **{
            name: np.array([getattr(total, name)])
            for name in ("expected_orders", "orders_low", "orders_high")
        },
        **{name: _within_money(np.array([getattr(total, name)])) for name in MONEY[1:]},
    }
    land(
        con, "models.total", rows,
        "select customers, alive, expected_orders, orders_low, orders_high, expected_clv, clv_low, clv_high, "
        f"{value(total.says)} from {{rows}}",
    )  # fmt: skip


def land_step_values(con: Connection, predictor: Predictor, h: Histories, scores: ValueScores) -> None:
    """Fills `models.step_values`, which is there and empty: what is expected to follow from each gem's smallest step.

    All its orders lie on the day before the cutoff, hence are one purchase day, or none where that day is one already.
    The customer is then one who bought on the last day that was seen: x grows by one and t_x becomes T. They are at the
    customer's own mean, so that nothing is learnt of what a purchase day brings.
    """
    found = columns(con, STEPS)
    rows, added = found["place"].astype(np.intp), found["purchase_days_added"]
    x, t_x, T = h.frequency[rows], h.recency[rows], h.T[rows]
    before = predictor.discounted_orders(x, t_x, T)
    after = predictor.discounted_orders(x + added, np.where(added > 0, T, t_x), T)
    each = scores.expected_order_value[rows]
    clv = scores.expected_clv[rows]
    # What a recalibration does to the customer's value it does to the gain too.
    plain = before * each
    lift = np.divide(clv, plain, out=np.ones(len(rows)), where=plain != 0)
    gain = (after - before) * each * lift
    arrays: dict[str, Any] = {"place": rows + 1, "orders": found["orders_added"], "days": added}
    arrays |= {"clv": _within_money(clv), "after": _within_money(clv + gain)}
    land(
        con, "models.step_values", arrays,
        """
        with placed as (
            select row_number() over (order by customer_id) as place, customer_id from customers.purchase_history
        )
        select p.customer_id, r.orders::integer, r.days::integer, r.clv, r.after,
            r.after::decimal(18,4) - r.clv::decimal(18,4)
        from {rows} as r
        join placed as p on p.place = r.place
        order by p.customer_id
        """,
    )  # fmt: skip


def _within_money(amounts: Array) -> Array:
    """Amounts that DECIMAL(18,4) can hold; what cannot be said (infinite, not a number) lands as null."""
    return np.where(np.isfinite(amounts) & (np.abs(amounts) < 1e14), amounts, np.nan)
