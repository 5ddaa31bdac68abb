/* ---
table: insight.headline
grain: []
says: "The story in one row: how many customers, how they part, and how many of the best are Mid-Value; filters never change it."
columns:
  customers: {type: bigint, unit: count, says: "customers listed, scored or not"}
  scored_customers: {type: bigint, unit: count, says: customers with at least one sale}
  high_value: {type: bigint, unit: count, says: High-Value customers}
  mid_value: {type: bigint, unit: count, says: Mid-Value customers}
  low_value: {type: bigint, unit: count, says: Low-Value customers}
  top10_mid: {type: bigint, unit: count, says: Mid-Value customers among the ten most profitable}
  top20_mid: {type: bigint, unit: count, says: Mid-Value customers among the twenty most profitable}
  gems: {type: bigint, unit: count, says: hidden gems}
  gems_monetary: {type: "decimal(18,4)", unit: currency, says: monetary value of the hidden gems}
  monetary: {type: "decimal(18,4)", unit: currency, says: monetary value of all customers}
  revenue: {type: "decimal(18,4)", unit: currency, says: net revenue}
  margin: {type: "decimal(18,4)", nullable: true, unit: currency, says: margin}
  orders: {type: bigint, unit: count, says: sales before the cutoff}
  first_order_date: {type: date, nullable: true, says: business day of the first sale}
  last_order_date: {type: date, nullable: true, says: business day of the last sale before the cutoff}
  tie_dependent: {type: bigint, unit: count, says: customers whose tier hangs on the order among equal values}
--- */
select
    count(*) as customers,
    count(l.lrfm_score) as scored_customers,
    count(*) filter (where l.customer_value = 'High-Value') as high_value,
    count(*) filter (where l.customer_value = 'Mid-Value') as mid_value,
    count(*) filter (where l.customer_value = 'Low-Value') as low_value,
    count(*) filter (where l.customer_value = 'Mid-Value' and p.profit_rank <= 10) as top10_mid,
    count(*) filter (where l.customer_value = 'Mid-Value' and p.profit_rank <= 20) as top20_mid,
    count(*) filter (where p.is_gem) as gems,
    coalesce(sum(l.monetary) filter (where p.is_gem), 0)::decimal(18,4) as gems_monetary,
    coalesce(sum(l.monetary), 0)::decimal(18,4) as monetary,
    coalesce(sum(h.revenue), 0)::decimal(18,4) as revenue,
    sum(h.margin)::decimal(18,4) as margin,
    coalesce(sum(l.frequency), 0)::bigint as orders,
    min(l.first_order_date) as first_order_date,
    max(l.last_order_date) as last_order_date,
    any_value(t.tie_dependent) as tie_dependent
from customers.lrfm as l
join customers.history as h on h.customer_id = l.customer_id
cross join customers.tie_dependence as t
left join insight.profit_ranks as p on p.customer_id = l.customer_id
