/* ---
table: insight.tiers
grain: customer_value
says: "What each value tier is made of: counts, money and mean behaviour; High against Mid against Low."
columns:
  customer_value: {type: text, says: value tier}
  customers: {type: bigint, unit: count, says: customers in the tier}
  customer_share: {type: double, says: share of the scored customers}
  monetary: {type: "decimal(18,4)", unit: currency, says: monetary value of the tier}
  monetary_share: {type: double, nullable: true, says: "share of all monetary value; null where that is not positive"}
  revenue: {type: "decimal(18,4)", unit: currency, says: net revenue of the tier}
  margin: {type: "decimal(18,4)", nullable: true, unit: currency, says: margin of the tier}
  orders: {type: bigint, unit: count, says: orders of the tier}
  mean_monetary: {type: "decimal(18,4)", unit: currency, says: monetary value a customer}
  mean_length_days: {type: double, unit: day, says: mean length}
  mean_recency_days: {type: double, unit: day, says: mean recency}
  mean_frequency: {type: double, unit: count, says: mean number of orders}
  mean_l_score: {type: double, says: mean score of length}
  mean_r_score: {type: double, says: mean score of recency}
  mean_f_score: {type: double, says: mean score of frequency}
  mean_m_score: {type: double, says: mean score of monetary value}
--- */
with total as (
    select count(*) as customers, sum(monetary) as monetary from customers.lrfm where lrfm_score is not null
),
tiers as (
    select
        l.customer_value,
        count(*) as customers,
        sum(l.monetary) as monetary,
        sum(h.revenue) as revenue,
        sum(h.margin) as margin,
        sum(l.frequency)::bigint as orders,
        avg(l.length_days) as mean_length_days,
        avg(l.recency_days) as mean_recency_days,
        avg(l.frequency) as mean_frequency,
        avg(l.l_score) as mean_l_score,
        avg(l.r_score) as mean_r_score,
        avg(l.f_score) as mean_f_score,
        avg(l.m_score) as mean_m_score
    from customers.lrfm as l
    join customers.history as h on h.customer_id = l.customer_id
    where l.lrfm_score is not null
    group by l.customer_value
)
select
    t.customer_value,
    t.customers,
    t.customers::double / a.customers as customer_share,
    t.monetary::decimal(18,4) as monetary,
    case when a.monetary > 0 then t.monetary::double / a.monetary::double end as monetary_share,
    t.revenue::decimal(18,4) as revenue,
    t.margin::decimal(18,4) as margin,
    t.orders,
    money_divide(t.monetary, t.customers)::decimal(18,4) as mean_monetary,
    t.mean_length_days, t.mean_recency_days, t.mean_frequency,
    t.mean_l_score, t.mean_r_score, t.mean_f_score, t.mean_m_score
from tiers as t
cross join total as a
