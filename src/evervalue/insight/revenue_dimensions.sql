/* ---
table: insight.revenue_dimensions
grain: dimension
says: "The dimensions that revenue can be parted by in this run, and how much of it each tells apart."
columns:
  dimension: {type: text, says: name of the dimension}
  is_attribute: {type: boolean, says: whether it is a fact about customers and not about lines}
  value_count: {type: bigint, unit: count, check: ">= 1", says: "different values, the unsaid one not counted"}
  revenue: {type: "decimal(18,4)", unit: currency, says: "net revenue of all its values, which is all revenue"}
  said_revenue: {type: "decimal(18,4)", unit: currency, says: net revenue of which the source says the value}
--- */
select
    dimension,
    bool_or(is_attribute) as is_attribute,
    count(*) filter (where value <> '') as value_count,
    sum(revenue)::decimal(18,4) as revenue,
    coalesce(sum(revenue) filter (where value <> ''), 0)::decimal(18,4) as said_revenue
from insight.revenue_by_dimension
group by dimension
having count(*) filter (where value <> '') >= 1
