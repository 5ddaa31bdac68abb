"""One customer: value, scores, why and what next, orders, months, attributes."""

from __future__ import annotations

from datetime import date
from typing import Literal

from evervalue.api.queries.customers import COLUMNS, TABLE
from evervalue.api.queries.gems import COLUMNS as GEM_COLUMNS
from evervalue.api.queries.gems import TABLE as GEM_TABLE
from evervalue.api.queries.value import ASKED, of_customer
from evervalue.api.snapshots import Statement

FIELDS = (*COLUMNS, *ASKED)
"""Fields of a customer as the run has it."""
ORDER_COLUMNS = (
    "order_id", "order_date", "kind", "line_count", "revenue", "margin", "region", "channel", "currency",
)  # fmt: skip
"""Fields of an order of a customer."""
BEFORE_CUTOFF = "order_date < (select as_of from customers.cutoff)"
ATTRIBUTES = ("attribute", "value", "valid_from", "valid_to", "first_seen", "last_seen", "is_latest")
"""Fields of what is known of a customer."""
Part = Literal[
    "customer", "orders", "value", "months", "attributes", "what_if", "live", "features", "sessions"
]


OF_EVENTS = {"features": "customers.features", "sessions": "customers.sessions"}
"""Parts that runs of earlier versions do not have, with their tables."""


def customer(customer_id: str) -> Statement:
    """The customer's row of the list, with what predicted its value and why."""
    columns = ", ".join((*(f"l.{name}" for name in COLUMNS), *(f"v.{name}" for name in ASKED)))
    sql = f"select {columns}\nfrom {TABLE} as l\nleft join models.clv as v on v.customer_id = l.customer_id"
    return Statement(f"{sql}\nwhere l.customer_id = $customer_id", {"customer_id": customer_id})


def of_list(customer_id: str) -> Statement:
    """The customer's row of the list alone: one look-up, for who asks often."""
    return _of(f"select {', '.join(COLUMNS)}\nfrom {TABLE}", customer_id)


def gem(customer_id: str) -> Statement:
    """The customer's row among the hidden gems; nothing where it is none."""
    return _of(f"select {', '.join(GEM_COLUMNS)}\nfrom {GEM_TABLE}", customer_id)


def orders(customer_id: str, limit: int | None = None, *, as_of: date | None = None) -> Statement:
    """The customer's orders before the cutoff, newest first; the cutoff of the run is looked up unless it is given."""
    before, given = ("order_date < $as_of", {"as_of": as_of}) if as_of else (BEFORE_CUTOFF, {})
    rest = f"\n  and {before}\norder by order_date desc, order_key" + (f"\nlimit {limit}" if limit else "")
    found = _of(f"select {', '.join(ORDER_COLUMNS)}\nfrom curated.orders", customer_id, rest)
    return Statement(found.sql, {**found.parameters, **given})


def months(customer_id: str) -> Statement:
    """Revenue, margin and orders by month, from the first month of all customers to the last, zeros included."""
    sql = f"""with mine as (
  select date_trunc('month', order_date)::date as month,
    sum(revenue) as revenue, sum(margin) as margin, count(*) as orders
  from curated.orders
  where customer_id = $customer_id
    and {BEFORE_CUTOFF}
  group by 1
)
select m.month, coalesce(mine.revenue, 0) as revenue, coalesce(mine.margin, 0) as margin,
  coalesce(mine.orders, 0) as orders
from insight.revenue_by_month as m
left join mine on mine.month = m.month
order by m.month"""
    return Statement(sql, {"customer_id": customer_id})


def attributes(customer_id: str) -> Statement:
    """What is known about the customer, with what it was before and from when to when; the newest first."""
    order = (
        "\norder by attribute, is_latest desc, valid_from desc nulls last, last_seen desc nulls last, value"
    )
    return _of(f"select {', '.join(ATTRIBUTES)}\nfrom curated.customer_attributes", customer_id, order)


def what_if(customer_id: str) -> Statement:
    """What a number of further orders would do to the score, one row a number; for hidden gems."""
    return _of("select *\nfrom insight.what_if", customer_id, "\norder by orders_added")


def features(customer_id: str) -> Statement:
    """What the customer did on sites and in apps before the cutoff; nothing of whom there are no events."""
    return _of("select *\nfrom customers.features", customer_id)


def sessions(customer_id: str) -> Statement:
    """The customer's visits, the newest first."""
    return _of("select *\nfrom customers.sessions", customer_id, "\norder by started_at desc, visitor_id")


def peers(customer_id: str) -> Statement:
    """How many scored customers do better than this one, in each of the four measures."""
    sql = """with me as (
  select length_days, recency_days, frequency, monetary from insight.customer_list where customer_id =
  $customer_id ) select count(*) as customers, count(*) filter (c.length_days > me.length_days) as longer,
  count(*) filter (c.recency_days < me.recency_days) as more_recent, count(*) filter (c.frequency >
  me.frequency) as more_frequent, count(*) filter (c.monetary > me.monetary) as more_profitable from
  insight.customer_list as c, me
where c.lrfm_score is not null"""
    return Statement(sql, {"customer_id": customer_id})


def _of(select: str, customer_id: str, order: str = "") -> Statement:
    return Statement(f"{select}\nwhere customer_id = $customer_id{order}", {"customer_id": customer_id})


PARTS = {
    "customer": customer,
    "orders": orders,
    "value": of_customer,
    "months": months,
    "attributes": attributes,
    "what_if": what_if,
    "features": features,
    "sessions": sessions,
}
