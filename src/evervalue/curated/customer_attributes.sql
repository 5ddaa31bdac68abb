/* ---
table: curated.customer_attributes
grain: customer_id, attribute, value, valid_from
says: "What sources say of a customer: every value with the time it held for, the latest marked."
order_by: customer_id, attribute
columns:
  customer_id: {type: text, says: stable customer key}
  attribute: {type: text, says: "name of the attribute, as set"}
  value: {type: text, sensitivity: personal, says: value as it came}
  valid_from: {type: date, nullable: true, says: "first day on which it holds: the first seen, or the day of the load that first read it; null where another value outweighed it on each of its days"}
  valid_to: {type: date, nullable: true, says: "first day on which it does not hold any more; null while it does"}
  first_seen: {type: date, nullable: true, says: first business day with the value}
  last_seen: {type: date, nullable: true, says: last business day with the value}
  line_count: {type: bigint, unit: count, says: lines that say so}
  is_latest: {type: boolean, says: whether it is the value seen last}
--- */
with resolved as (
    select
        coalesce(n.customer_id, a.customer_id) as customer_id, a.attribute, a.value, a.first_seen, a.last_seen, a.line_count,
        case when a.stretch > 0
            then coalesce(a.first_seen, timezone(t.time_zone, timezone('UTC', a.known_from))::date) end as valid_from,
        timezone(t.time_zone, timezone('UTC', a.known_until))::date as closed_on
    from mapped.customer_attributes as a
    join run.source_settings as s on s.source = a.source
    cross join run.settings as t
    left join identity.renamed as n on n.namespace = s.customer_keys and n.customer_key = a.customer_id
),
merged as (
    select
        customer_id, attribute, value, valid_from,
        min(first_seen) as first_seen,
        max(last_seen) as last_seen,
        cast(sum(line_count) as bigint) as line_count,
        case when count(closed_on) = count(*) then max(closed_on) end as closed_on
    from resolved
    group by customer_id, attribute, value, valid_from
),
followed as (
    select *,
        sum(line_count) over (partition by customer_id, attribute, value) as value_lines,
        case when valid_from is not null
            then lead(valid_from) over (partition by customer_id, attribute order by valid_from nulls first, closed_on, value) end
            as next_from
    from merged
)
select
    customer_id, attribute, value, valid_from,
    least(next_from, closed_on) as valid_to,
    first_seen, last_seen, line_count,
    row_number() over (
        partition by customer_id, attribute
        order by case when closed_on is null then 0 else 1 end, last_seen desc nulls last, value_lines desc, value,
            valid_from desc nulls last
    ) = 1 as is_latest
from followed
