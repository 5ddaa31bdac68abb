/* ---
table: customers.history
grain: customer_id
says: "What each customer did before the cutoff, one row a customer; only sales count in length, recency and frequency."
order_by: customer_id
constants:
  as_of: select as_of from customers.cutoff
columns:
  customer_id: {type: text, references: curated.customers.customer_id, says: stable customer key}
  customer: {type: text, sensitivity: personal, says: name as shown}
  first_order_date: {type: date, nullable: true, says: business day of the first sale}
  last_order_date: {type: date, nullable: true, says: business day of the last sale}
  length_days: {type: integer, nullable: true, unit: day, check: ">= 0", says: days from the first to the last order}
  recency_days: {type: integer, nullable: true, unit: day, check: ">= 1", says: days from the last order to as_of}
  frequency: {type: bigint, unit: count, check: ">= 0", says: distinct orders}
  revenue: {type: "decimal(18,4)", unit: currency, says: "net revenue, returns taken off"}
  margin: {type: "decimal(18,4)", nullable: true, unit: currency, says: "margin, returns taken off; null where no line has one"}
  monetary: {type: "decimal(18,4)", unit: currency, says: "margin or revenue, as set, returns taken off"}
  reversal_count: {type: bigint, unit: count, says: "returns, cancellations, refunds, credit notes and adjustments"}
  reversed_amount: {type: "decimal(18,4)", unit: currency, says: net revenue of those}
--- */
with summed as (
    select
        customer_id,
        min(order_date) filter (where kind = 'sale') as first_order_date,
        max(order_date) filter (where kind = 'sale') as last_order_date,
        count(*) filter (where kind = 'sale') as frequency,
        sum(revenue) as revenue,
        sum(margin) as margin,
        sum(monetary) as monetary,
        count(*) filter (where kind <> 'sale') as reversal_count,
        sum(revenue) filter (where kind <> 'sale') as reversed_amount
    from curated.orders
    where order_date < $as_of
    group by customer_id
)
select
    c.customer_id,
    c.customer,
    s.first_order_date,
    s.last_order_date,
    date_diff('day', s.first_order_date, s.last_order_date)::integer as length_days,
    date_diff('day', s.last_order_date, $as_of)::integer as recency_days,
    coalesce(s.frequency, 0) as frequency,
    coalesce(s.revenue, 0)::decimal(18,4) as revenue,
    s.margin::decimal(18,4) as margin,
    coalesce(s.monetary, 0)::decimal(18,4) as monetary,
    coalesce(s.reversal_count, 0) as reversal_count,
    coalesce(s.reversed_amount, 0)::decimal(18,4) as reversed_amount
from curated.customers as c
left join summed as s using (customer_id)
