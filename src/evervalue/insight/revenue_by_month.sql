/* ---
table: insight.revenue_by_month
grain: month
says: "Revenue, margin and orders of each month before the cutoff; months without an order are zeros."
order_by: month
columns:
  month: {type: date, says: first day of the month}
  revenue: {type: "decimal(18,4)", unit: currency, says: "net revenue, returns taken off"}
  margin: {type: "decimal(18,4)", unit: currency, says: margin of the lines that have one}
  orders: {type: bigint, unit: count, says: sales}
  customers: {type: bigint, unit: count, says: customers with a sale}
--- */
with monthly as (
    select
        date_trunc('month', o.order_date)::date as month,
        o.customer_id,
        sum(o.revenue) as revenue,
        sum(o.margin) as margin,
        count(*) filter (where o.kind = 'sale') as orders
    from curated.orders as o
    cross join customers.cutoff as c
    where o.order_date < c.as_of
    group by 1, 2
),
months as (
    select m.month::date as month
    from (
        select unnest(generate_series(min(month), max(month), interval 1 month)) as month from monthly
    ) as m
)
select
    m.month,
    coalesce(sum(t.revenue), 0)::decimal(18,4) as revenue,
    coalesce(sum(t.margin), 0)::decimal(18,4) as margin,
    coalesce(sum(t.orders), 0)::bigint as orders,
    count(*) filter (where t.orders > 0) as customers
from months as m
left join monthly as t on t.month = m.month
group by m.month
