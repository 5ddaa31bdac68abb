/* ---
table: customers.lrfm_bounds
grain: dimension, j
says: "The boundary rows that part the scores: a score is 1 + the number of boundaries the customer stands above. The row after each is kept too: whoever moves alone has to pass that one."
constants:
  customers: select count(*) from customers.history where frequency > 0
  ranks: >-
    select list(distinct 1 + (($customers - 1) * js.j) // s.bins + steps.step order by 1 + (($customers - 1) * js.j) // s.bins + steps.step)
    from run.settings as s cross join range(1, 10) as js(j) cross join range(0, 2) as steps(step) where js.j < s.bins
  positions: select list(least((u.r - 0.5) / greatest($customers, 1), 1.0) order by u.r) from (select unnest($ranks) as r) as u
  l_values: select quantile_disc(length_days, $positions) from customers.history where frequency > 0
  r_values: select quantile_disc(recency_days, $positions) from customers.history where frequency > 0
  f_values: select quantile_disc(frequency, $positions) from customers.history where frequency > 0
  m_values: select quantile_disc(monetary, $positions) from customers.history where frequency > 0
columns:
  dimension: {type: text, check: "in ('L', 'R', 'F', 'M')", says: "dimension; R is ranked on ascending days and its score turned afterwards"}
  j: {type: integer, says: "number of the boundary, 1 to bins - 1"}
  rank: {type: bigint, says: "rank of the boundary row: 1 + floor((n - 1) j / bins)"}
  value: {type: "decimal(18,4)", says: value of the boundary row}
  tie_name: {type: text, sensitivity: personal, says: name of the boundary row}
  tie_key: {type: text, says: customer key of the boundary row}
  next_value: {type: "decimal(18,4)", nullable: true, says: value of the row after it; null where there is none}
  next_tie_name: {type: text, nullable: true, sensitivity: personal, says: name of the row after it}
  next_tie_key: {type: text, nullable: true, says: customer key of the row after it}
--- */
-- The values at the wanted ranks come from a selection (the constants), so that only rows tied with them are sorted.
with scored as (
    select customer_id, customer, length_days, recency_days, frequency, monetary
    from customers.history
    where frequency > 0
),
wanted as (
    select 'L' as dimension, u.rank, u.value::decimal(18,4) as value,
        len(list_filter($l_values, lambda v: v < u.value)) as smaller
    from (select unnest($ranks) as rank, unnest($l_values) as value) as u
    union all
    select 'R' as dimension, u.rank, u.value::decimal(18,4) as value,
        len(list_filter($r_values, lambda v: v < u.value)) as smaller
    from (select unnest($ranks) as rank, unnest($r_values) as value) as u
    union all
    select 'F' as dimension, u.rank, u.value::decimal(18,4) as value,
        len(list_filter($f_values, lambda v: v < u.value)) as smaller
    from (select unnest($ranks) as rank, unnest($f_values) as value) as u
    union all
    select 'M' as dimension, u.rank, u.value::decimal(18,4) as value,
        len(list_filter($m_values, lambda v: v < u.value)) as smaller
    from (select unnest($ranks) as rank, unnest($m_values) as value) as u
),
buckets as (
    -- How many customers stand between two wanted values: those at or above exactly `reached` of them.
    select 'L' as dimension, len(list_filter($l_values, lambda v: v <= length_days)) as reached, count(*) as n
    from scored
    group by 1, 2
    union all
    select 'R' as dimension, len(list_filter($r_values, lambda v: v <= recency_days)) as reached, count(*) as n
    from scored
    group by 1, 2
    union all
    select 'F' as dimension, len(list_filter($f_values, lambda v: v <= frequency)) as reached, count(*) as n
    from scored
    group by 1, 2
    union all
    select 'M' as dimension, len(list_filter($m_values, lambda v: v <= monetary)) as reached, count(*) as n
    from scored
    group by 1, 2
),
ties as (
    select 'L' as dimension, length_days::decimal(18,4) as value, customer, customer_id,
        row_number() over (partition by length_days order by customer, customer_id) as place
    from scored
    where list_contains($l_values, length_days)
    union all
    select 'R' as dimension, recency_days::decimal(18,4) as value, customer, customer_id,
        row_number() over (partition by recency_days order by customer, customer_id) as place
    from scored
    where list_contains($r_values, recency_days)
    union all
    select 'F' as dimension, frequency::decimal(18,4) as value, customer, customer_id,
        row_number() over (partition by frequency order by customer, customer_id) as place
    from scored
    where list_contains($f_values, frequency)
    union all
    select 'M' as dimension, monetary::decimal(18,4) as value, customer, customer_id,
        row_number() over (partition by monetary order by customer, customer_id) as place
    from scored
    where list_contains($m_values, monetary)
),
placed as (
    -- Who stands below a value has reached no more wanted values than are smaller than it.
    select w.dimension, w.rank, w.value,
        w.rank - coalesce(sum(b.n), 0) as place
    from wanted as w
    left join buckets as b on b.dimension = w.dimension and b.reached <= w.smaller
    group by w.dimension, w.rank, w.value
),
boundary_rows as (
    select p.dimension, p.rank, p.value, t.customer as tie_name, t.customer_id as tie_key
    from placed as p
    join ties as t on t.dimension = p.dimension and t.value = p.value and t.place = p.place
),
boundaries as (
    select js.j::integer as j, 1 + (($customers - 1) * js.j) // s.bins as rank
    from run.settings as s
    cross join range(1, 10) as js(j)
    where js.j < s.bins
)
select
    r.dimension, b.j, b.rank, r.value, r.tie_name, r.tie_key,
    n.value as next_value, n.tie_name as next_tie_name, n.tie_key as next_tie_key
from boundaries as b
join boundary_rows as r on r.rank = b.rank
left join boundary_rows as n on n.dimension = r.dimension and n.rank = b.rank + 1
