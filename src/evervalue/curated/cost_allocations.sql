/* ---
table: curated.cost_allocations
grain: cost_source, cost_file_id, cost_line, source, file_id, line
says: "Each cost shared out to the lines that bear it, in proportion to their amounts, to the last digit: the parts of an entry add up to the entry."
order_by: source, file_id, line, cost_source, cost_file_id, cost_line
columns:
  cost_source: {type: text, says: source of the cost entry}
  cost_file_id: {type: text, says: file of the cost entry}
  cost_line: {type: bigint, says: row of the cost entry}
  cost_kind: {type: text, says: what the cost is for}
  level: {type: text, check: "in ('line', 'order', 'customer', 'period')", says: what the cost is for}
  source: {type: text, says: source of the line that bears it}
  file_id: {type: text, says: file of that line}
  line: {type: bigint, says: row of that line}
  amount: {type: "decimal(18,4)", unit: currency, says: the line's part}
--- */
with direct as (
    select e.source as cost_source, e.file_id as cost_file_id, e.line as cost_line, t.*, t.system = e.system as is_own
    from curated.cost_entries as e
    join curated.cost_targets as t on t.line_id = e.line_id
    where e.level = 'line' and (e.order_id is null or t.order_id = e.order_id)
    union all
    select e.source, e.file_id, e.line, t.*, t.system = e.system
    from curated.cost_entries as e
    join curated.cost_targets as t on t.order_id = e.order_id
    where e.level = 'order'
),
-- An order number means an order of the entry's own system where there is one, else of the one source that has it.
own_first as (
    select *, bool_or(is_own) over (partition by cost_source, cost_file_id, cost_line) as has_own from direct
),
one_source as (
    select *,
        min(source) over (partition by cost_source, cost_file_id, cost_line) as least,
        max(source) over (partition by cost_source, cost_file_id, cost_line) as greatest
    from own_first
    where is_own or not has_own
),
reached as (
    select cost_source, cost_file_id, cost_line, source, file_id, line, line_id, order_id, row_key, ordered_at, is_sale,
        product_id, category, channel, weight
    from one_source
    where least = greatest
    union all
    select e.source, e.file_id, e.line, t.source, t.file_id, t.line, t.line_id, t.order_id, t.row_key, t.ordered_at, t.is_sale,
        t.product_id, t.category, t.channel, t.weight
    from curated.cost_entries as e
    join curated.cost_targets as t on t.customer_id = e.customer_id
    where e.level = 'customer' and t.order_date >= e.period_start and t.order_date < e.period_until
    union all
    select e.source, e.file_id, e.line, t.source, t.file_id, t.line, t.line_id, t.order_id, t.row_key, t.ordered_at, t.is_sale,
        t.product_id, t.category, t.channel, t.weight
    from curated.cost_entries as e
    join curated.cost_targets as t on t.order_date >= e.period_start and t.order_date < e.period_until
    where e.level = 'period'
),
scoped as (
    select r.*, e.cost_kind, e.level, e.amount,
        bool_or(r.is_sale) over (partition by r.cost_source, r.cost_file_id, r.cost_line) as has_sale
    from reached as r
    join curated.cost_entries as e
        on e.source = r.cost_source and e.file_id = r.cost_file_id and e.line = r.cost_line
    where (e.product_id is null or e.product_id = r.product_id)
        and (e.category is null or e.category = r.category)
        and (e.channel is null or e.channel = r.channel)
),
-- Sales bear costs; only where there are none, what was taken back does. Money counts in whole units of its last place.
weighed as (
    select *,
        cast(cast(weight as decimal(28,4)) * cast(10000 as decimal(5,0)) as hugeint) as parts,
        abs(cast(cast(amount as decimal(28,4)) * cast(10000 as decimal(5,0)) as hugeint)) as units
    from scoped
    where is_sale or not has_sale
),
summed as (
    select *,
        sum(parts) over (partition by cost_source, cost_file_id, cost_line) as all_parts,
        count(*) over (partition by cost_source, cost_file_id, cost_line) as lines
    from weighed
),
shared as (
    select *,
        case when all_parts = 0 then units // lines else (units * parts) // all_parts::hugeint end as whole,
        case when all_parts = 0 then 0 else (units * parts) % all_parts::hugeint end as remainder
    from summed
),
placed as (
    select *,
        units - sum(whole) over (partition by cost_source, cost_file_id, cost_line) as left_over,
        row_number() over (
            partition by cost_source, cost_file_id, cost_line
            order by remainder desc, source, order_id nulls first, line_id nulls first, row_key nulls first, ordered_at,
                product_id nulls first, weight, file_id, line
        ) as place
    from shared
)
select
    cost_source, cost_file_id, cost_line, cost_kind, level, source, file_id, line,
    (cast(sign(amount) * (whole + case when place <= left_over then 1 else 0 end) as decimal(32,0))
        * cast(0.0001 as decimal(4,4)))::decimal(18,4) as amount
from placed
