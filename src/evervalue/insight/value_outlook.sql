/* ---
table: insight.value_outlook
grain: customer_id
says: "What each customer brought within the days before as_of, beside what is expected within as many days from then on, and who is falling: among the best quarter of those who brought something, and expected to bring less than half of it. Only customers with a prediction."
order_by: customer_id
constants:
  as_of: select as_of from customers.cutoff
  span_days: select value_horizon_days from run.settings
columns:
  customer_id: {type: text, references: customers.lrfm.customer_id, says: stable customer key}
  span_days: {type: integer, nullable: true, unit: day, says: "the horizon, and how far back it is compared with; null where value is predicted without end, which nothing can be compared with"}
  past_monetary: {type: "decimal(18,4)", nullable: true, unit: currency, says: "margin or revenue, as set, within the span before as_of, returns taken off"}
  expected_clv: {type: "decimal(18,4)", unit: currency, says: "expected value within the span from as_of on, discounted to as_of"}
  change_monetary: {type: "decimal(18,4)", nullable: true, unit: currency, says: what is expected less what came}
  is_falling: {type: boolean, says: "whether the customer is among the best quarter by what came, and is expected to bring less than half of it"}
--- */
with past as (
    select customer_id, sum(monetary)::decimal(18,4) as past_monetary
    from curated.orders
    where order_date < $as_of and order_date >= $as_of - $span_days
    group by customer_id
),
beside as (
    select
        v.customer_id,
        v.expected_clv,
        case when $span_days is not null then coalesce(p.past_monetary, 0)::decimal(18,4) end as past_monetary
    from models.clv as v
    left join past as p on p.customer_id = v.customer_id
    where v.expected_clv is not null
),
best as (
    select quantile_disc(past_monetary, 0.75) as falling_from from beside where past_monetary > 0
)
select
    b.customer_id,
    $span_days::integer as span_days,
    b.past_monetary,
    b.expected_clv,
    (b.expected_clv - b.past_monetary)::decimal(18,4) as change_monetary,
    coalesce(b.past_monetary >= f.falling_from and 2 * b.expected_clv < b.past_monetary, false) as is_falling
from beside as b
cross join best as f
