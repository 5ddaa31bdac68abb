/* ---
table: insight.revenue_concentration
grain: dimension, percentile
says: "Share of revenue that the best values of each dimension bring, percentile by percentile, the best first; it passes 1 where others cost money."
order_by: dimension, percentile
columns:
  dimension: {type: text, says: name of the dimension}
  percentile: {type: integer, check: "between 0 and 100", says: "percent of the values, those with the most revenue first"}
  value_count: {type: bigint, unit: count, says: values up to there}
  revenue: {type: "decimal(18,4)", unit: currency, says: their net revenue}
  revenue_share: {type: double, nullable: true, says: "their share of all revenue; null where that is not positive"}
--- */
with ranked as (
    select
        dimension, place,
        sum(revenue) over (partition by dimension order by place) as running,
        sum(revenue) over (partition by dimension) as total
    from insight.revenue_by_dimension
),
counted as (
    select dimension, count(*) as value_count from insight.revenue_by_dimension group by dimension
),
steps as (
    select c.dimension, s.percentile::integer as percentile, (c.value_count * s.percentile) // 100 as upto
    from counted as c
    cross join range(0, 101) as s(percentile)
)
select
    s.dimension,
    s.percentile,
    s.upto as value_count,
    coalesce(r.running, 0)::decimal(18,4) as revenue,
    case when s.upto = 0 then 0 when r.total > 0 then r.running::double / r.total::double end as revenue_share
from steps as s
left join ranked as r on r.dimension = s.dimension and r.place = s.upto
