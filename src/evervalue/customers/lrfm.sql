/* ---
table: customers.lrfm
grain: customer_id
says: "Length, recency, frequency and monetary value with their scores, one row a customer; customers without a sale are listed, unscored."
order_by: customer_id
constants:
  bins: select bins from run.settings
  high_value_at: select high_value_at from run.settings
  mid_value_at: select mid_value_at from run.settings
  l_values: select list(value::integer order by j) from customers.lrfm_bounds where dimension = 'L'
  r_values: select list(value::integer order by j) from customers.lrfm_bounds where dimension = 'R'
  f_values: select list(value::bigint order by j) from customers.lrfm_bounds where dimension = 'F'
  m_values: select list(value::decimal(18,4) order by j) from customers.lrfm_bounds where dimension = 'M'
  l_rows: >-
    select list(struct_pack(value := b.value::integer, name := b.tie_name, key := b.tie_key) order by b.j)
    from customers.lrfm_bounds as b cross join run.settings as s where b.dimension = 'L' and s.ties = 'first'
  r_rows: >-
    select list(struct_pack(value := b.value::integer, name := b.tie_name, key := b.tie_key) order by b.j)
    from customers.lrfm_bounds as b cross join run.settings as s where b.dimension = 'R' and s.ties = 'first'
  f_rows: >-
    select list(struct_pack(value := b.value::bigint, name := b.tie_name, key := b.tie_key) order by b.j)
    from customers.lrfm_bounds as b cross join run.settings as s where b.dimension = 'F' and s.ties = 'first'
  m_rows: >-
    select list(struct_pack(value := b.value::decimal(18,4), name := b.tie_name, key := b.tie_key) order by b.j)
    from customers.lrfm_bounds as b cross join run.settings as s where b.dimension = 'M' and s.ties = 'first'
columns:
  customer_id: {type: text, references: curated.customers.customer_id, says: stable customer key}
  customer: {type: text, sensitivity: personal, says: name as shown}
  first_order_date: {type: date, nullable: true, says: business day of the first sale}
  last_order_date: {type: date, nullable: true, says: business day of the last sale}
  length_days: {type: integer, nullable: true, unit: day, check: ">= 0", says: days from the first to the last order}
  recency_days: {type: integer, nullable: true, unit: day, check: ">= 1", says: days from the last order to as_of}
  frequency: {type: bigint, unit: count, check: ">= 0", says: distinct orders}
  monetary: {type: "decimal(18,4)", unit: currency, says: "margin or revenue, as set, returns taken off"}
  l_score: {type: integer, nullable: true, check: ">= 1", says: "score of length, the highest the longest"}
  r_score: {type: integer, nullable: true, check: ">= 1", says: "score of recency, the highest the most recent"}
  f_score: {type: integer, nullable: true, check: ">= 1", says: "score of frequency, the highest the most orders"}
  m_score: {type: integer, nullable: true, check: ">= 1", says: "score of monetary value, the highest the most"}
  lrfm_score: {type: integer, nullable: true, check: ">= 4", says: sum of the four scores}
  customer_value: {type: text, nullable: true, check: "in ('High-Value', 'Mid-Value', 'Low-Value')", says: value tier by the LRFM score}
--- */
with above as (
    -- Boundaries below the customer's value, and of those at the same value the ones that stand earlier by name and key.
    select
        *,
        len(list_filter($l_values, lambda v: v < length_days))
            + case when list_contains($l_values, length_days) then coalesce(len(list_filter($l_rows, lambda b: b.value = length_days
                and (b.name < customer or (b.name = customer and b.key < customer_id)))), 0) else 0 end as l_above,
        len(list_filter($r_values, lambda v: v < recency_days))
            + case when list_contains($r_values, recency_days) then coalesce(len(list_filter($r_rows, lambda b: b.value = recency_days
                and (b.name < customer or (b.name = customer and b.key < customer_id)))), 0) else 0 end as r_above,
        len(list_filter($f_values, lambda v: v < frequency))
            + case when list_contains($f_values, frequency) then coalesce(len(list_filter($f_rows, lambda b: b.value = frequency
                and (b.name < customer or (b.name = customer and b.key < customer_id)))), 0) else 0 end as f_above,
        len(list_filter($m_values, lambda v: v < monetary))
            + case when list_contains($m_values, monetary) then coalesce(len(list_filter($m_rows, lambda b: b.value = monetary
                and (b.name < customer or (b.name = customer and b.key < customer_id)))), 0) else 0 end as m_above
    from customers.history
),
scored as (
    select
        customer_id, customer, first_order_date, last_order_date, length_days, recency_days, frequency, monetary,
        case when frequency > 0 then 1 + coalesce(l_above, 0) end::integer as l_score,
        case when frequency > 0 then $bins - coalesce(r_above, 0) end::integer as r_score,
        case when frequency > 0 then 1 + coalesce(f_above, 0) end::integer as f_score,
        case when frequency > 0 then 1 + coalesce(m_above, 0) end::integer as m_score
    from above
)
select
    *,
    l_score + r_score + f_score + m_score as lrfm_score,
    case
        when frequency = 0 then null
        when l_score + r_score + f_score + m_score >= $high_value_at then 'High-Value'
        when l_score + r_score + f_score + m_score >= $mid_value_at then 'Mid-Value'
        else 'Low-Value'
    end as customer_value
from scored
