/* ---
table: insight.value_headline
grain: []
says: "Predicted value in one row: what all customers are expected to bring within the horizon, how sure that is, and what predicted it."
columns:
  customers: {type: bigint, unit: count, says: customers with a prediction}
  expected_alive: {type: double, nullable: true, unit: count, says: expected number of them who are still active}
  expected_orders: {type: double, nullable: true, unit: count, says: expected purchase days within the horizon}
  orders_low: {type: double, nullable: true, unit: count, says: lower end of their interval}
  orders_high: {type: double, nullable: true, unit: count, says: upper end of it}
  expected_clv: {type: "decimal(18,4)", nullable: true, unit: currency, says: expected value of all within the horizon}
  clv_low: {type: "decimal(18,4)", nullable: true, unit: currency, says: lower end of its interval}
  clv_high: {type: "decimal(18,4)", nullable: true, unit: currency, says: upper end of it}
  top10_share: {type: double, nullable: true, says: "share of the expected value that the ten with the highest hold; null where it is not positive"}
  gems_clv: {type: "decimal(18,4)", nullable: true, unit: currency, says: expected value of the hidden gems}
  horizon_days: {type: integer, nullable: true, unit: day, says: "how far ahead; null is without end"}
  interval: {type: double, says: share of realised values that the intervals are to hold}
  discount_rate_annual: {type: double, says: "money a year from now counts as itself divided by 1 + this"}
  model: {type: text, says: what tells when customers buy}
  spend_model: {type: text, says: what tells what they spend}
  is_fitted: {type: boolean, says: "whether models were fitted; false where a rule stands in for one"}
  model_says: {type: text, says: why these}
  findings: {type: text, nullable: true, says: "what the data cannot tell, in plain words, one a line"}
--- */
with ranked as (
    select
        expected_clv, p.is_gem,
        row_number() over (order by expected_clv desc nulls last, v.customer_id) as place
    from models.clv as v
    left join insight.profit_ranks as p on p.customer_id = v.customer_id
    where expected_clv is not null
),
shares as (
    select
        sum(expected_clv) as expected_clv,
        sum(expected_clv) filter (where place <= 10) as top10_clv,
        sum(expected_clv) filter (where is_gem)::decimal(18,4) as gems_clv
    from ranked
)
select
    t.customers, t.expected_alive, t.expected_orders, t.orders_low, t.orders_high,
    t.expected_clv, t.clv_low, t.clv_high,
    case when s.expected_clv > 0 then s.top10_clv::double / s.expected_clv::double end as top10_share,
    s.gems_clv,
    r.value_horizon_days as horizon_days,
    r.value_interval as interval,
    r.value_discount_rate_annual as discount_rate_annual,
    o.model, m.model as spend_model, o.is_fitted and m.is_fitted as is_fitted,
    concat_ws(' ', o.model_says, nullif(m.model_says, o.model_says)) as model_says,
    nullif(concat_ws(chr(10), o.findings, m.findings), '') as findings
from models.total as t
cross join run.settings as r
cross join shares as s
join models.fits as o on o.role = 'orders'
join models.fits as m on m.role = 'spend'
