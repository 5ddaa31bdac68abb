/* ---
table: insight.value_at_stake
grain: alive_band, customer_value, region
says: "What hangs on customers who may have left: by chance of being still active, what they brought within the days before as_of, and what is expected within as many days from then on."
order_by: alive_band, customer_value, region
columns:
  alive_band: {type: integer, nullable: true, check: "between 1 and 6", says: "band of the chance of being active, 1 the least likely; null where a rule without leaving stands in for a model"}
  alive_from: {type: double, nullable: true, says: "chance from which a customer is in it; null is open"}
  alive_to: {type: double, nullable: true, says: "chance below which a customer is in it; null is open"}
  customer_value: {type: text, says: value tier}
  region: {type: text, nullable: true, says: region of most of the customers' orders}
  customers: {type: bigint, unit: count, check: ">= 1", says: customers in the band}
  expected_alive: {type: double, nullable: true, unit: count, says: expected number of them who are still active}
  past_monetary: {type: "decimal(18,4)", nullable: true, unit: currency, says: "what they brought within the span before as_of; null where value is predicted without end"}
  expected_clv: {type: "decimal(18,4)", unit: currency, says: what they are expected to bring within the span from as_of on}
  falling: {type: bigint, unit: count, says: "customers among them who are falling, as insight.value_outlook says"}
--- */
with banded as (
    select
        case
            when l.p_alive < 0.1 then 1
            when l.p_alive < 0.25 then 2
            when l.p_alive < 0.5 then 3
            when l.p_alive < 0.75 then 4
            when l.p_alive < 0.9 then 5
            when l.p_alive <= 1 then 6
        end as alive_band,
        l.customer_value, l.region, l.p_alive, o.past_monetary, o.expected_clv, o.is_falling
    from insight.customer_list as l
    join insight.value_outlook as o on o.customer_id = l.customer_id
),
bands as (
    select * from (
        values (1, null, 0.1), (2, 0.1, 0.25), (3, 0.25, 0.5), (4, 0.5, 0.75), (5, 0.75, 0.9), (6, 0.9, null)
    ) as b(alive_band, alive_from, alive_to)
),
-- Doubles are added as decimals, so that a sum does not hang on the order of rows.
summed as (
    select
        alive_band, customer_value, region,
        count(*) as customers,
        sum(p_alive::decimal(18,12))::double as expected_alive,
        sum(past_monetary)::decimal(18,4) as past_monetary,
        sum(expected_clv)::decimal(18,4) as expected_clv,
        count(*) filter (where is_falling) as falling
    from banded
    group by alive_band, customer_value, region
)
select
    s.alive_band::integer as alive_band, b.alive_from::double as alive_from, b.alive_to::double as alive_to,
    s.customer_value, s.region, s.customers, s.expected_alive, s.past_monetary, s.expected_clv, s.falling
from summed as s
left join bands as b on b.alive_band = s.alive_band
