/* ---
table: customers.cutoff
grain: []
says: "The cutoff of this run: orders count up to the day before it."
columns:
  as_of: {type: date, says: "cutoff, itself outside the window; the one asked for, else the day after the newest order"}
  newest_order_date: {type: date, says: business day of the newest order or return}
  later_orders: {type: bigint, unit: count, says: "orders on or after the cutoff, which are left out"}
--- */
select
    coalesce(any_value(s.as_of), max(o.order_date) + 1)::date as as_of,
    max(o.order_date) as newest_order_date,
    count(*) filter (where o.order_date >= s.as_of) as later_orders
from curated.orders as o
cross join run.settings as s
