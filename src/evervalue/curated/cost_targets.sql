/* ---
table: curated.cost_targets
grain: source, file_id, line
says: "The stored lines that costs can be shared out to, with their weights; empty where no source provides cost entries."
order_by: order_date, source, file_id, line
columns:
  source: {type: text, says: name of the source}
  file_id: {type: text, says: file the line came from}
  line: {type: bigint, says: data row in the file}
  system: {type: text, says: system of the source}
  line_id: {type: text, nullable: true, says: line number as the source writes it}
  order_id: {type: text, nullable: true, says: order number as the source writes it}
  row_key: {type: text, nullable: true, says: key of the row in its source}
  customer_id: {type: text, says: stable customer key}
  ordered_at: {type: timestamp, says: "instant of the order, UTC"}
  order_date: {type: date, says: business day of the order}
  is_sale: {type: boolean, says: whether the line is a sale}
  product_id: {type: text, nullable: true, says: product key}
  category: {type: text, nullable: true, says: product category}
  channel: {type: text, nullable: true, says: channel of the sale}
  weight: {type: "decimal(18,4)", unit: currency, check: ">= 0", says: "size of the line's amount in the reporting currency"}
--- */
with wanted as (
    select s.source, s.system, s.customer_keys
    from run.source_settings as s
    cross join (select count(*) as entries from mapped.cost_entries) as e
    where e.entries > 0 and s.provides in ('order_lines', 'income')
),
lines as (
    select w.system, w.customer_keys, l.source, l.file_id, l.line, l.line_id, l.order_id, l.row_key, l.customer_id, l.ordered_at,
        l.order_date, l.kind = 'sale' as is_sale, l.product_id, l.category, l.channel, l.amount, l.currency
    from wanted as w
    join mapped.order_lines as l on l.source = w.source
    where not exists (
        select 1 from curated.refused_lines as f
        where f.source = l.source and f.file_id = l.file_id and f.line = l.line
    )
    union all
    select w.system, w.customer_keys, i.source, i.file_id, i.line, i.income_id,
        coalesce(i.account_id, i.customer_id) || ' ' || i.period_end, null, i.customer_id, i.period_end::timestamp, i.period_end,
        coalesce(i.interest_income, 0) + coalesce(i.fees, 0) >= 0, i.product_id, null, i.channel,
        (coalesce(i.interest_income, 0) + coalesce(i.fees, 0))::decimal(18,4), i.currency
    from wanted as w
    join mapped.income as i on i.source = w.source
    where not exists (
        select 1 from curated.refused_rows as f
        where f.source = i.source and f.file_id = i.file_id and f.line = i.line
    )
)
select
    l.source, l.file_id, l.line, l.system, l.line_id, l.order_id, l.row_key,
    coalesce(n.customer_id, l.customer_id) as customer_id,
    l.ordered_at, l.order_date, l.is_sale, l.product_id, l.category, l.channel,
    abs(case when l.currency = t.currency then l.amount
        else coalesce(cast(cast(l.amount as decimal(18,4)) * cast(r.rate as decimal(20,10)) as decimal(18,4)), 0) end)::decimal(18,4)
        as weight
from lines as l
cross join run.settings as t
left join identity.renamed as n on n.namespace = l.customer_keys and n.customer_key = l.customer_id
left join curated.rates as r
    on r.from_currency = l.currency and l.order_date >= r.rate_date and l.order_date < r.valid_until
