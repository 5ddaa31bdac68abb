/* ---
table: insight.lorenz
grain: percentile
says: "Share of monetary value that the best customers bring, percentile by percentile, the best first; it passes 1 where others cost money."
columns:
  percentile: {type: integer, check: "between 0 and 100", says: "percent of the scored customers, the most profitable first"}
  customers: {type: bigint, unit: count, says: customers up to there}
  monetary: {type: "decimal(18,4)", unit: currency, says: their monetary value}
  monetary_share: {type: double, nullable: true, says: "their share of all monetary value; null where that is not positive"}
--- */
with ranked as (
    select
        p.profit_rank,
        sum(l.monetary) over (order by p.profit_rank) as running,
        sum(l.monetary) over () as total,
        count(*) over () as customers
    from insight.profit_ranks as p
    join customers.lrfm as l on l.customer_id = p.customer_id
),
steps as (
    select s.percentile::integer as percentile, (a.customers * s.percentile) // 100 as upto
    from range(0, 101) as s(percentile)
    cross join (select count(*) as customers from insight.profit_ranks) as a
)
select
    s.percentile,
    s.upto as customers,
    coalesce(r.running, 0)::decimal(18,4) as monetary,
    case when s.upto = 0 then 0 when r.total > 0 then r.running::double / r.total::double end as monetary_share
from steps as s
left join ranked as r on r.profit_rank = s.upto
