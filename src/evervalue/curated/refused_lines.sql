/* ---
table: curated.refused_lines
grain: source, file_id, line
says: Lines that were read but are not stored, with the reason.
delta:
  mapped.order_lines: "(source, file_id, line) in (select (source, file_id, line) from delta_suspects)"
columns:
  source: {type: text, says: name of the source}
  file_id: {type: text, says: file the line came from}
  line: {type: bigint, says: data row in the file}
  verdict: {type: text, check: "in ('duplicate', 'quarantined')", says: what became of the line}
  reason: {type: text, says: short code of the reason}
  says: {type: text, says: the reason in words}
--- */
with keyed as (
    select l.*, s.duplicates, coalesce(n.customer_id, l.customer_id) as resolved_id
    from mapped.order_lines as l
    join run.source_settings as s using (source)
    left join identity.renamed as n on n.namespace = s.customer_keys and n.customer_key = l.customer_id
),
repeated_ids as (
    select source, line_id from keyed where line_id is not null group by source, line_id having count(*) > 1
),
by_line_id as (
    select
        k.source, k.file_id, k.line, k.line_id,
        row_number() over same as place,
        dense_rank() over content as version
    from keyed as k
    join repeated_ids using (source, line_id)
    window
        same as (partition by k.source, k.line_id order by k.file_id, k.line),
        content as (
            partition by k.source, k.line_id
            order by k.order_id, k.ordered_at, k.customer_id, k.product_id, k.quantity, k.amount, k.margin, k.cost,
                k.discount, k.currency, k.kind
        )
),
conflicting_ids as (
    select source, line_id from by_line_id group by source, line_id having max(version) > 1
),
by_content as (
    select
        source, file_id, line,
        row_number() over (
            partition by source, order_id, ordered_at, customer_id, product_id, product_name, quantity, unit_price,
                amount, margin, cost, discount, currency, kind, channel, region, country
            order by file_id, line
        ) as place
    from keyed
    where duplicates = 'drop' and line_id is null
),
shared_orders as (
    select source, order_id, count(distinct resolved_id) as customers
    from keyed
    where order_id is not null
    group by source, order_id
    having min(resolved_id) <> max(resolved_id)
),
verdicts as (
    select b.source, b.file_id, b.line, 1 as severity, 'quarantined' as verdict, 'conflicting_line' as reason,
        'line id ' || b.line_id || ' stands for lines that differ' as says
    from by_line_id as b
    join conflicting_ids using (source, line_id)
    union all
    select source, file_id, line, 3, 'duplicate', 'same_line_id', 'line id ' || line_id || ' was read before, with the same content'
    from by_line_id
    where place > 1
    union all
    select source, file_id, line, 3, 'duplicate', 'same_content', 'an identical line was read before'
    from by_content
    where place > 1
    union all
    select l.source, l.file_id, l.line, 2, 'quarantined', 'order_of_several_customers',
        'order ' || l.order_id || ' belongs to ' || o.customers || ' customers'
    from mapped.order_lines as l
    join shared_orders as o using (source, order_id)
    union all
    select l.source, l.file_id, l.line, 5, 'quarantined', 'no_rate',
        'no rate covers ' || l.currency || ' on ' || l.order_date || '; add it to a source that provides rates, and the next run takes the line'
    from mapped.order_lines as l
    join run.source_settings as s on s.source = l.source and s.without_rate = 'quarantine'
    cross join run.settings as t
    left join curated.rates as r
        on r.from_currency = l.currency and l.order_date >= r.rate_date and l.order_date < r.valid_until
    where l.currency <> t.currency and r.rate is null
),
-- Of an order that counts once, the first copy is kept of which no line is refused.
copies as (
    select o.*, r.order_id is null as is_whole
    from curated.same_orders as o
    left join (
        select distinct l.source, l.order_id
        from verdicts as v
        join mapped.order_lines as l on l.source = v.source and l.file_id = v.file_id and l.line = v.line
    ) as r on r.source = o.source and r.order_id = o.order_id
),
kept_once as (
    select source, order_id, system,
        min(case when is_whole then system end) over (partition by order_id, customer_id, order_date, amount, currency) as keeper,
        min(case when is_kept then 1 else 0 end) over (partition by order_id, customer_id, order_date, amount, currency) = 0 as is_once
    from copies
),
-- What takes back an order that counts once: what an order's systems took back of it, day by day, the same amount once.
taken_back as (
    select o.order_id, o.system, o.keeper, l.order_date, l.currency, sum(l.amount) as amount
    from kept_once as o
    join run.source_settings as s on s.system = o.system
    join mapped.order_lines as l on l.source = s.source and coalesce(l.reverses_order_id, l.order_id) = o.order_id
    where o.is_once and l.kind <> 'sale' and (l.kind <> 'adjustment' or l.reverses_order_id is not null)
    group by o.order_id, o.system, o.keeper, l.order_date, l.currency
),
numbered_back as (
    select *, row_number() over (partition by order_id, system, keeper, currency, amount order by order_date) as nth
    from taken_back
),
twice_back as (
    select b.order_id, b.system, b.keeper, b.order_date, b.currency
    from numbered_back as b
    join numbered_back as k on k.order_id = b.order_id and k.keeper = b.keeper and k.system = b.keeper
        and k.currency = b.currency and k.amount = b.amount and k.nth = b.nth
    where b.system <> b.keeper
),
all_verdicts as (
    select source, file_id, line, severity, verdict, reason, says from verdicts
    union all
    select l.source, l.file_id, l.line, 4, 'duplicate', 'same_reversal',
        'system ' || b.keeper || ' takes back the same of order ' || b.order_id || ' too'
    from twice_back as b
    join run.source_settings as s on s.system = b.system
    join mapped.order_lines as l on l.source = s.source and coalesce(l.reverses_order_id, l.order_id) = b.order_id
        and l.order_date = b.order_date and l.currency = b.currency
    where l.kind <> 'sale' and (l.kind <> 'adjustment' or l.reverses_order_id is not null)
    union all
    select l.source, l.file_id, l.line, 4, 'duplicate', 'same_order',
        'order ' || l.order_id || ' is held by system ' || o.keeper || ' too, alike'
    from mapped.order_lines as l
    join run.source_settings as s using (source)
    join kept_once as o on o.system = s.system and o.order_id = l.order_id
    where o.is_once and o.system <> o.keeper
        and ((l.kind = 'sale' and l.source = o.source) or (l.kind = 'adjustment' and l.reverses_order_id is null))
)
select source, file_id, line, arg_min(verdict, severity) as verdict, arg_min(reason, severity) as reason, arg_min(says, severity) as says
from all_verdicts
group by source, file_id, line
