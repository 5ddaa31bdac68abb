/* ---
table: customers.tie_dependence
grain: []
says: "How many value tiers hang on the order among equal values: with names in another order those customers could land elsewhere."
constants:
  high_value_at: select high_value_at from run.settings
  mid_value_at: select mid_value_at from run.settings
  l_open: select list(value::integer order by j) from customers.lrfm_bounds where dimension = 'L' and next_value = value
  r_open: select list(value::integer order by j) from customers.lrfm_bounds where dimension = 'R' and next_value = value
  f_open: select list(value::bigint order by j) from customers.lrfm_bounds where dimension = 'F' and next_value = value
  m_open: select list(value::decimal(18,4) order by j) from customers.lrfm_bounds where dimension = 'M' and next_value = value
  l_values: select list(value::integer order by j) from customers.lrfm_bounds where dimension = 'L'
  r_values: select list(value::integer order by j) from customers.lrfm_bounds where dimension = 'R'
  f_values: select list(value::bigint order by j) from customers.lrfm_bounds where dimension = 'F'
  m_values: select list(value::decimal(18,4) order by j) from customers.lrfm_bounds where dimension = 'M'
  bins: select bins from run.settings
columns:
  tie_dependent: {type: bigint, unit: count, says: customers whose tier could differ under another order of names}
--- */
with reach as (
    -- The lowest score a customer could have, and how many boundaries inside its own tie could fall either way.
    select
        3 + $bins
        + coalesce(len(list_filter($l_values, lambda v: v < length_days)), 0)
        + coalesce(len(list_filter($f_values, lambda v: v < frequency)), 0)
        + coalesce(len(list_filter($m_values, lambda v: v < monetary)), 0)
        - coalesce(len(list_filter($r_values, lambda v: v < recency_days)), 0)
        - coalesce(len(list_filter($r_open, lambda v: v = recency_days)), 0) as lowest,
        coalesce(len(list_filter($l_open, lambda v: v = length_days)), 0)
        + coalesce(len(list_filter($r_open, lambda v: v = recency_days)), 0)
        + coalesce(len(list_filter($f_open, lambda v: v = frequency)), 0)
        + coalesce(len(list_filter($m_open, lambda v: v = monetary)), 0) as open_boundaries
    from customers.history
    where frequency > 0
)
select
    count(*) filter (
        where (lowest >= $high_value_at) <> (lowest + open_boundaries >= $high_value_at)
            or (lowest >= $mid_value_at) <> (lowest + open_boundaries >= $mid_value_at)
    ) as tie_dependent
from reach
