/* ---
table: curated.subscriptions
grain: source, file_id, line
says: "Contracts with what they bring a month, in the reporting currency at the rate of their first day; a contract whose terms changed has a row for each."
order_by: customer_id, subscription_id, started_on, source, file_id, line
columns:
  source: {type: text, says: name of the source}
  file_id: {type: text, says: file the row came from}
  line: {type: bigint, says: data row in the file}
  subscription_id: {type: text, says: contract number as the source writes it}
  customer_id: {type: text, says: stable customer key}
  product_id: {type: text, nullable: true, says: product key}
  started_on: {type: date, says: first day}
  ended_on: {type: date, nullable: true, says: first day on which it does not run any more}
  amount: {type: "decimal(18,4)", unit: currency, says: price of a billing period}
  period: {type: text, check: "in ('month', 'quarter', 'year')", says: billing period}
  quantity: {type: "decimal(18,4)", nullable: true, unit: count, says: seats or units}
  status: {type: text, nullable: true, says: status as the source writes it}
  is_counted: {type: boolean, says: "whether it brings money: trials, drafts and contracts that never began do not"}
  mrr: {type: "decimal(18,4)", unit: currency, says: "what it brings a month: the price of a quarter by three, of a year by twelve; nothing where it does not count"}
  currency: {type: text, says: reporting currency}
  source_amount: {type: "decimal(18,4)", says: price in its own currency}
  source_currency: {type: text, says: currency it came in}
--- */
with converted as (
    select
        m.*, s.customer_keys, t.currency as reporting_currency,
        case when m.currency = t.currency then m.amount
            else cast(cast(m.amount as decimal(18,4)) * cast(r.rate as decimal(20,10)) as decimal(18,4)) end as price,
        coalesce(m.period, 'month') as billed,
        coalesce(lower(m.status), '') not in ('trial', 'trialing', 'in_trial', 'draft', 'pending', 'incomplete',
            'incomplete_expired', 'void', 'future') as is_counted
    from mapped.subscriptions as m
    join run.source_settings as s on s.source = m.source
    cross join run.settings as t
    left join curated.rates as r
        on r.from_currency = m.currency and m.started_on >= r.rate_date and m.started_on < r.valid_until
    where not exists (
        select 1 from curated.refused_rows as f
        where f.source = m.source and f.file_id = m.file_id and f.line = m.line
    )
)
select
    c.source, c.file_id, c.line, c.subscription_id,
    coalesce(n.customer_id, c.customer_id) as customer_id,
    c.product_id, c.started_on, c.ended_on,
    c.price as amount,
    c.billed as period,
    c.quantity, c.status, c.is_counted,
    case when c.is_counted
        then money_divide(c.price, case c.billed when 'month' then 1 when 'quarter' then 3 else 12 end) else 0
        end::decimal(18,4) as mrr,
    c.reporting_currency as currency,
    c.amount as source_amount,
    c.currency as source_currency
from converted as c
left join identity.renamed as n on n.namespace = c.customer_keys and n.customer_key = c.customer_id
