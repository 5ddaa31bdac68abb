/* ---
table: curated.cost_entries
grain: source, file_id, line
says: "Costs for a line, an order, a customer or a period, in the reporting currency. How each is shared out is in curated.cost_allocations."
order_by: source, cost_kind, period_start, file_id, line
columns:
  source: {type: text, says: name of the source}
  file_id: {type: text, says: file the entry came from}
  line: {type: bigint, says: data row in the file}
  system: {type: text, says: system of the source}
  entry_id: {type: text, nullable: true, says: number of the entry as the source writes it}
  cost_kind: {type: text, says: "what the cost is for; cost where the source does not say"}
  level: {type: text, check: "in ('line', 'order', 'customer', 'period')", says: "what bears it: the finest thing that it names"}
  line_id: {type: text, nullable: true, says: order line that it names}
  order_id: {type: text, nullable: true, says: order that it names}
  customer_key: {type: text, nullable: true, says: customer key that it names}
  customer_id: {type: text, nullable: true, says: "customer that it names; null where nobody is known by that key"}
  product_id: {type: text, nullable: true, says: only lines of this product bear it}
  category: {type: text, nullable: true, says: only lines of this product category bear it}
  channel: {type: text, nullable: true, says: only lines of this channel bear it}
  period_start: {type: date, nullable: true, says: first day of the lines that bear it; null at line and order level}
  period_until: {type: date, nullable: true, says: first day after them}
  amount: {type: "decimal(18,4)", unit: currency, says: "cost in the reporting currency"}
  currency: {type: text, says: reporting currency}
  source_amount: {type: "decimal(18,4)", says: cost in its own currency}
  source_currency: {type: text, says: currency it came in}
--- */
with kept as (
    select
        e.*, s.system, s.customer_keys, t.currency as reporting_currency,
        case when e.line_id is not null then 'line' when e.order_id is not null then 'order'
            when e.customer_id is not null then 'customer' else 'period' end as level,
        coalesce(e.cost_date, e.period_end, e.period_start) as rate_day
    from mapped.cost_entries as e
    join run.source_settings as s on s.source = e.source
    cross join run.settings as t
    where not exists (
        select 1 from curated.refused_rows as r
        where r.source = e.source and r.file_id = e.file_id and r.line = e.line
    )
)
select
    k.source, k.file_id, k.line, k.system, k.entry_id,
    coalesce(k.cost_kind, 'cost') as cost_kind,
    k.level, k.line_id, k.order_id,
    k.customer_id as customer_key,
    c.customer_id,
    k.product_id, k.category, k.channel,
    case when k.level in ('customer', 'period')
        then coalesce(k.period_start, date_trunc('month', coalesce(k.cost_date, k.period_end)))::date end as period_start,
    case when k.level in ('customer', 'period')
        then coalesce(k.period_end + 1, date_trunc('month', coalesce(k.period_start, k.cost_date)) + interval 1 month)::date
        end as period_until,
    case when k.currency = k.reporting_currency then k.amount
        else cast(cast(k.amount as decimal(18,4)) * cast(r.rate as decimal(20,10)) as decimal(18,4)) end as amount,
    k.reporting_currency as currency,
    k.amount as source_amount,
    k.currency as source_currency
from kept as k
left join curated.customer_keys as c on c.namespace = k.customer_keys and c.customer_key = k.customer_id
left join curated.rates as r
    on r.from_currency = k.currency and k.rate_day >= r.rate_date and k.rate_day < r.valid_until
