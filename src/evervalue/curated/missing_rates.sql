/* ---
table: curated.missing_rates
grain: order_date, from_currency, to_currency
says: "Days and currency pairs that lines need and no rate covers; must be empty."
checks:
  "a dated rate covers the day; add it to a source that provides rates": "line_count = 0"
columns:
  order_date: {type: date, says: day on which the rate is needed}
  from_currency: {type: text, says: currency of the line}
  to_currency: {type: text, says: reporting currency}
  line_count: {type: bigint, says: lines that need it}
--- */
select l.order_date, l.currency as from_currency, s.currency as to_currency, count(*) as line_count
from mapped.order_lines as l
cross join run.settings as s
left join curated.rates as r
    on r.from_currency = l.currency and l.order_date >= r.rate_date and l.order_date < r.valid_until
where l.currency <> s.currency and r.rate is null
    and not exists (
        select 1 from curated.refused_lines as f
        where f.source = l.source and f.file_id = l.file_id and f.line = l.line
    )
group by l.order_date, l.currency, s.currency
