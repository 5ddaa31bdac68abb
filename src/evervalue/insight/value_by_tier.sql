/* ---
table: insight.value_by_tier
grain: customer_value
says: "What each value tier is expected to be worth: the past sorts customers into tiers, this is what is ahead of them."
columns:
  customer_value: {type: text, says: value tier}
  customers: {type: bigint, unit: count, says: customers with a prediction}
  expected_alive: {type: double, nullable: true, unit: count, says: expected number of them who are still active}
  expected_orders: {type: double, nullable: true, unit: count, says: expected purchase days within the horizon}
  expected_clv: {type: "decimal(18,4)", unit: currency, says: expected value within the horizon}
  expected_clv_share: {type: double, nullable: true, says: "share of all expected value; null where that is not positive"}
  mean_expected_clv: {type: "decimal(18,4)", unit: currency, says: expected value a customer}
  monetary: {type: "decimal(18,4)", unit: currency, says: monetary value before as_of}
--- */
-- Doubles are added as decimals, so that a sum does not hang on the order of rows.
with tiers as (
    select
        l.customer_value,
        count(*) as customers,
        sum(v.p_alive::decimal(18,12))::double as expected_alive,
        sum(v.expected_orders::decimal(28,12))::double as expected_orders,
        sum(v.expected_clv) as expected_clv,
        sum(l.monetary) as monetary
    from customers.lrfm as l
    join models.clv as v on v.customer_id = l.customer_id
    where l.lrfm_score is not null and v.expected_clv is not null
    group by l.customer_value
),
total as (
    select sum(expected_clv) as expected_clv from tiers
)
select
    t.customer_value, t.customers, t.expected_alive, t.expected_orders,
    t.expected_clv::decimal(18,4) as expected_clv,
    case when a.expected_clv > 0 then t.expected_clv::double / a.expected_clv::double end as expected_clv_share,
    money_divide(t.expected_clv, t.customers)::decimal(18,4) as mean_expected_clv,
    t.monetary::decimal(18,4) as monetary
from tiers as t
cross join total as a
