/* ---
table: insight.cohort_sizes
grain: cohort_by, cohort
says: "Each cohort with what its customers brought so far and what they are expected to bring; months, quarters and years without a new customer are zeros. The newest 240 of each unit."
order_by: cohort_by, cohort
constants:
  as_of: select as_of from customers.cutoff
columns:
  cohort_by: {type: text, check: "in ('month', 'quarter', 'year')", says: how long a cohort is}
  cohort: {type: date, says: first day of the cohort}
  customers: {type: bigint, unit: count, says: customers whose first sale was then}
  recent_customers: {type: bigint, unit: count, says: those with a sale in the last 90 days before the cutoff}
  orders: {type: bigint, unit: count, says: their sales before the cutoff}
  revenue: {type: "decimal(18,4)", unit: currency, says: their net revenue}
  margin: {type: "decimal(18,4)", nullable: true, unit: currency, says: their margin}
  monetary: {type: "decimal(18,4)", unit: currency, says: their monetary value}
  predicted_customers: {type: bigint, unit: count, says: those with a prediction}
  expected_alive: {type: double, nullable: true, unit: count, says: how many of them are expected to be still active}
  expected_clv: {type: "decimal(18,4)", nullable: true, unit: currency, says: what they are expected to be worth within the horizon}
  mean_monetary: {type: "decimal(18,4)", nullable: true, unit: currency, says: "monetary value so far, a customer; null where there is none"}
  mean_expected_clv: {type: "decimal(18,4)", nullable: true, unit: currency, says: "expected value within the horizon, a customer with a prediction"}
--- */
with units as (
    select * from (values ('month', 1), ('quarter', 3), ('year', 12)) as v(cohort_by, months)
),
known as (
    select
        h.*, 12 * year(h.first_order_date) + month(h.first_order_date) - 1 as first_number,
        v.p_alive, v.expected_clv
    from customers.history as h
    left join models.clv as v on v.customer_id = h.customer_id
    where h.first_order_date is not null
),
-- Doubles are added as decimals, so that a sum does not hang on the order of rows.
summed as (
    select
        u.cohort_by, k.first_number // u.months as cohort_number,
        count(*) as customers,
        count(*) filter (where k.recency_days <= 90) as recent_customers,
        sum(k.frequency) as orders,
        sum(k.revenue) as revenue,
        sum(k.margin) as margin,
        sum(k.monetary) as monetary,
        count(k.expected_clv) as predicted_customers,
        sum(k.p_alive::decimal(18,12))::double as expected_alive,
        sum(k.expected_clv) as expected_clv
    from known as k
    cross join units as u
    group by u.cohort_by, k.first_number // u.months
),
newest as (
    select u.*, (12 * year($as_of - 1) + month($as_of - 1) - 1) // u.months as cohort_number
    from units as u
),
every as (
    select n.cohort_by, n.months, n.cohort_number - b.back as cohort_number
    from newest as n
    cross join range(0, 240) as b(back)
    join (select cohort_by, min(cohort_number) as cohort_number from summed group by cohort_by) as f
        on f.cohort_by = n.cohort_by and n.cohort_number - b.back >= f.cohort_number
)
select
    e.cohort_by,
    make_date((e.cohort_number * e.months // 12)::integer, (e.cohort_number * e.months % 12 + 1)::integer, 1) as cohort,
    coalesce(s.customers, 0) as customers,
    coalesce(s.recent_customers, 0) as recent_customers,
    coalesce(s.orders, 0)::bigint as orders,
    coalesce(s.revenue, 0)::decimal(18,4) as revenue,
    s.margin::decimal(18,4) as margin,
    coalesce(s.monetary, 0)::decimal(18,4) as monetary,
    coalesce(s.predicted_customers, 0) as predicted_customers,
    s.expected_alive,
    s.expected_clv::decimal(18,4) as expected_clv,
    money_divide(s.monetary, s.customers)::decimal(18,4) as mean_monetary,
    money_divide(s.expected_clv, s.predicted_customers)::decimal(18,4) as mean_expected_clv
from every as e
left join summed as s on s.cohort_by = e.cohort_by and s.cohort_number = e.cohort_number
