/* ---
table: insight.what_if
grain: customer_id, orders_added
says: "Every gem rescored with further orders on the day before the cutoff, each at the customer's own mean monetary value, everyone else fixed: one row for each number of orders at which a score can change."
order_by: customer_id, orders_added
constants:
  as_of: select as_of from customers.cutoff
  bins: select bins from run.settings
  high_value_at: select high_value_at from run.settings
  most: select what_if_max_orders from run.settings
  by_name: select ties = 'first' from run.settings
columns:
  customer_id: {type: text, references: customers.lrfm.customer_id, says: stable customer key}
  orders_added: {type: integer, unit: count, says: further orders}
  length_days: {type: integer, unit: day, says: length with them}
  recency_days: {type: integer, unit: day, says: recency with them}
  frequency: {type: bigint, unit: count, says: orders with them}
  monetary: {type: "decimal(18,4)", unit: currency, says: monetary value with them}
  l_score: {type: integer, says: score of length with them}
  r_score: {type: integer, says: score of recency with them}
  f_score: {type: integer, says: score of frequency with them}
  m_score: {type: integer, says: score of monetary value with them}
  lrfm_score: {type: integer, says: sum of the scores with them}
  is_high_value: {type: boolean, says: whether that is a High-Value customer}
--- */
with gems as (
    select
        l.*,
        date_diff('day', l.first_order_date, $as_of)::integer - 1 as new_length_days,
        money_divide(l.monetary, l.frequency)::decimal(18,4) as mean_monetary
    from customers.lrfm as l
    join insight.profit_ranks as p on p.customer_id = l.customer_id
    where p.is_gem
),
scores_now as (
    select customer_id, 'L' as dimension, l_score as ascending_score from gems
    union all
    select customer_id, 'R', $bins + 1 - r_score from gems
    union all
    select customer_id, 'F', f_score from gems
    union all
    select customer_id, 'M', m_score from gems
),
-- Who moves alone must pass, at each boundary, the row that the others leave at its rank: the boundary row itself where
-- the customer stands above it already, else the row after it.
thresholds as (
    select
        s.customer_id, s.dimension, b.j,
        case when s.ascending_score > b.j then b.value else b.next_value end as value,
        case when s.ascending_score > b.j then b.tie_name else b.next_tie_name end as name,
        case when s.ascending_score > b.j then b.tie_key else b.next_tie_key end as key
    from scores_now as s
    join customers.lrfm_bounds as b on b.dimension = s.dimension
),
listed as (
    select
        customer_id,
        list(struct_pack(value := value, name := name, key := key) order by j) filter (where dimension = 'L') as l_thresholds,
        list(struct_pack(value := value, name := name, key := key) order by j) filter (where dimension = 'R') as r_thresholds,
        list(struct_pack(value := value, name := name, key := key) order by j) filter (where dimension = 'F') as f_thresholds,
        list(struct_pack(value := value, name := name, key := key) order by j) filter (where dimension = 'M') as m_thresholds
    from thresholds
    group by customer_id
),
-- A score can change only where frequency or monetary value reaches a threshold or has just passed it.
numbers as (
    select customer_id, 1 as n from gems
    union
    select g.customer_id, greatest(1, t.value::bigint - g.frequency + step.step)
    from gems as g
    join thresholds as t on t.customer_id = g.customer_id and t.dimension = 'F'
    cross join range(0, 2) as step(step)
    where t.value is not null
    union
    select g.customer_id,
        greatest(1, cast((t.value - g.monetary) * 10000 as bigint) // cast(g.mean_monetary * 10000 as bigint) + step.step)
    from gems as g
    join thresholds as t on t.customer_id = g.customer_id and t.dimension = 'M'
    cross join range(0, 2) as step(step)
    where t.value is not null and g.mean_monetary > 0
),
tried as (
    select
        g.customer_id, g.customer, n.n::integer as orders_added,
        g.new_length_days as length_days,
        1 as recency_days,
        g.frequency + n.n as frequency,
        (g.monetary + cast(g.mean_monetary * n.n as decimal(18,4)))::decimal(18,4) as monetary,
        t.l_thresholds, t.r_thresholds, t.f_thresholds, t.m_thresholds
    from gems as g
    join numbers as n on n.customer_id = g.customer_id
    join listed as t on t.customer_id = g.customer_id
    where n.n <= $most
),
rescored as (
    select
        customer_id, orders_added, length_days, recency_days, frequency, monetary,
        (1 + len(list_filter(l_thresholds, lambda b: b.value < length_days or ($by_name and b.value = length_days
            and (b.name < customer or (b.name = customer and b.key < customer_id))))))::integer as l_score,
        ($bins - len(list_filter(r_thresholds, lambda b: b.value < recency_days or ($by_name and b.value = recency_days
            and (b.name < customer or (b.name = customer and b.key < customer_id))))))::integer as r_score,
        (1 + len(list_filter(f_thresholds, lambda b: b.value < frequency or ($by_name and b.value = frequency
            and (b.name < customer or (b.name = customer and b.key < customer_id))))))::integer as f_score,
        (1 + len(list_filter(m_thresholds, lambda b: b.value < monetary or ($by_name and b.value = monetary
            and (b.name < customer or (b.name = customer and b.key < customer_id))))))::integer as m_score
    from tried
)
select
    *,
    l_score + r_score + f_score + m_score as lrfm_score,
    l_score + r_score + f_score + m_score >= $high_value_at as is_high_value
from rescored
