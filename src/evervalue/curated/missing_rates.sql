/* ---
table: curated.missing_rates
grain: order_date, from_currency, to_currency
says: "Days and currency pairs that lines, costs, statements and contracts need and no rate covers; must be empty."
checks:
  "a dated rate covers the day (a rate holds until the next one, for 7 days at most); add it to a source that provides rates": "line_count = 0"
columns:
  order_date: {type: date, says: day on which the rate is needed}
  from_currency: {type: text, says: currency that is to be converted}
  to_currency: {type: text, says: reporting currency}
  line_count: {type: bigint, says: rows that need it}
--- */
with needed as (
    select l.order_date, l.currency
    from mapped.order_lines as l
    where not exists (
        select 1 from curated.refused_lines as f
        where f.source = l.source and f.file_id = l.file_id and f.line = l.line
    )
    union all
    select n.day, n.currency
    from (
        select source, file_id, line, period_end as day, currency from mapped.income
        union all
        select source, file_id, line, started_on, currency from mapped.subscriptions
        union all
        select source, file_id, line, coalesce(cost_date, period_end, period_start), currency from mapped.cost_entries
    ) as n
    where not exists (
        select 1 from curated.refused_rows as f
        where f.source = n.source and f.file_id = n.file_id and f.line = n.line
    )
)
select l.order_date, l.currency as from_currency, s.currency as to_currency, count(*) as line_count
from needed as l
cross join run.settings as s
left join curated.rates as r
    on r.from_currency = l.currency and l.order_date >= r.rate_date and l.order_date < r.valid_until
where l.currency <> s.currency and r.rate is null
group by l.order_date, l.currency, s.currency
