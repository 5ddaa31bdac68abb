/* ---
table: curated.unallocated_costs
grain: source, file_id, line
says: "Costs that no line bears, with the reason. They are in no margin."
columns:
  source: {type: text, says: name of the source}
  file_id: {type: text, says: file the entry came from}
  line: {type: bigint, says: data row in the file}
  entry_id: {type: text, nullable: true, says: number of the entry as the source writes it}
  cost_kind: {type: text, says: what the cost is for}
  level: {type: text, says: what it names}
  names: {type: text, nullable: true, says: "the line, order or customer that it names"}
  reason: {type: text, check: "in ('no_such_line', 'no_such_order', 'order_of_several_sources', 'no_such_customer', 'no_line_in_period', 'no_line_in_scope')", says: short code of the reason}
  says: {type: text, says: the reason in words}
  amount: {type: "decimal(18,4)", unit: currency, says: cost in the reporting currency}
--- */
with unborne as (
    select e.*, coalesce(e.line_id, e.order_id, e.customer_key) as names
    from curated.cost_entries as e
    where not exists (
        select 1 from curated.cost_allocations as a
        where a.cost_source = e.source and a.cost_file_id = e.file_id and a.cost_line = e.line
    )
),
found as (
    select u.source, u.file_id, u.line, min(t.source) as least, max(t.source) as greatest
    from unborne as u
    join curated.cost_targets as t on t.order_id = u.order_id and u.level = 'order'
    group by u.source, u.file_id, u.line
    union all
    select u.source, u.file_id, u.line, min(t.source), max(t.source)
    from unborne as u
    join curated.cost_targets as t
        on t.line_id = u.line_id and u.level = 'line' and (u.order_id is null or t.order_id = u.order_id)
    group by u.source, u.file_id, u.line
),
reasoned as (
    select u.*,
        case
            when u.level in ('line', 'order') and f.least is null then 'no_such_' || u.level
            when f.least <> f.greatest then 'order_of_several_sources'
            when u.level = 'customer' and u.customer_id is null then 'no_such_customer'
            when u.product_id is null and u.category is null and u.channel is null then 'no_line_in_period'
            else 'no_line_in_scope'
        end as reason
    from unborne as u
    left join found as f on f.source = u.source and f.file_id = u.file_id and f.line = u.line
)
select
    source, file_id, line, entry_id, cost_kind, level, names, reason,
    case reason
        when 'no_such_line' then 'no stored line has this number'
        when 'no_such_order' then 'no stored order has this number'
        when 'order_of_several_sources' then 'orders of several sources have this number, none of them in the system of the cost'
        when 'no_such_customer' then 'no customer is known by this key in its namespace'
        when 'no_line_in_period' then 'there is no line in its period'
        else 'there is no line of its product, category or channel'
    end as says,
    amount
from reasoned
