/* ---
table: curated.customer_attributes
grain: customer_id, attribute, value
says: "What sources say of a customer, every value ever seen, the latest marked."
order_by: customer_id, attribute
columns:
  customer_id: {type: text, says: stable customer key}
  attribute: {type: text, says: "name of the attribute, as set"}
  value: {type: text, sensitivity: personal, says: value as it came}
  first_seen: {type: date, nullable: true, says: first business day with the value}
  last_seen: {type: date, nullable: true, says: last business day with the value}
  line_count: {type: bigint, unit: count, says: lines that say so}
  is_latest: {type: boolean, says: whether it is the value seen last}
--- */
with merged as (
    select customer_id, attribute, value, min(first_seen) as first_seen, max(last_seen) as last_seen,
        cast(sum(line_count) as bigint) as line_count
    from mapped.customer_attributes
    group by customer_id, attribute, value
)
select
    *,
    row_number() over (partition by customer_id, attribute order by last_seen desc nulls last, line_count desc, value) = 1 as is_latest
from merged
