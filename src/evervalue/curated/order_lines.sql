/* ---
table: curated.order_lines
grain: source, file_id, line
says: "Every stored line of every order, return and credit note, and every statement of interest and fees, in the reporting currency."
order_by: customer_id, order_date, order_key, source, file_id, line
checks:
  "every line has a margin or a cost; map one, add a source of costs, or set allow_missing_cost under [lrfm]": "monetary is not null"
  "a cost is in the reporting currency": "cost is null or cost_currency = currency"
delta:
  mapped.order_lines: "(source, customer_id) in (select (source, customer_key) from delta_keys)"
  mapped.income: "(source, customer_id) in (select (source, customer_key) from delta_keys)"
columns:
  source: {type: text, says: name of the source}
  file_id: {type: text, says: file the line came from}
  line: {type: bigint, says: data row in the file}
  order_key: {type: text, says: "key of the order, unique over all sources; a return's names its kind and day too"}
  order_id: {type: text, nullable: true, says: order number as the source writes it}
  line_id: {type: text, nullable: true, says: line number as the source writes it}
  customer_id: {type: text, says: stable customer key}
  ordered_at: {type: timestamp, says: "instant of the order, UTC"}
  order_date: {type: date, says: business day of the order in the project's time zone}
  kind: {type: text, check: "in ('sale', 'return', 'cancellation', 'refund', 'credit_note', 'adjustment')", says: what the line is}
  reverses_order_id: {type: text, nullable: true, says: "order that the line takes back, as the source gives it"}
  product_id: {type: text, nullable: true, says: product key}
  product_name: {type: text, nullable: true, says: product as shown}
  category: {type: text, nullable: true, says: product category}
  quantity: {type: "decimal(18,4)", nullable: true, unit: count, says: units of the product}
  unit_price: {type: "decimal(28,10)", nullable: true, unit: currency, says: price of one unit in the line's own currency}
  amount: {type: "decimal(18,4)", unit: currency, says: net revenue of the line}
  discount: {type: "decimal(18,4)", nullable: true, says: discount as the source writes it}
  cost: {type: "decimal(18,4)", nullable: true, unit: currency, says: "all that the line is known to cost: its own cost and what was allocated to it"}
  cost_currency: {type: text, nullable: true, says: currency of the cost}
  allocated_cost: {type: "decimal(18,4)", nullable: true, unit: currency, says: "its parts of cost entries; null where it has none"}
  margin: {type: "decimal(18,4)", nullable: true, unit: currency, says: "margin as given less what was allocated, else amount less cost; null where no cost of its own, of its line or of its order is known"}
  monetary: {type: "decimal(18,4)", nullable: true, unit: currency, says: "what the line adds to monetary value: margin or revenue, as set"}
  currency: {type: text, says: reporting currency}
  source_amount: {type: "decimal(18,4)", says: amount in the line's own currency}
  source_currency: {type: text, says: currency of the line as it came}
  channel: {type: text, nullable: true, says: channel of the sale}
  region: {type: text, nullable: true, says: region of the sale}
  country: {type: text, nullable: true, says: country of the sale}
--- */
with brought as (
    select source, file_id, line, order_id, line_id, row_key, ordered_at, order_date, customer_id, product_id, product_name, category,
        quantity, unit_price, amount, discount, cost, margin, currency, kind, reverses_order_id, channel, region, country,
        false as is_shared
    from mapped.order_lines as l
    where not exists (
        select 1 from curated.refused_lines as r
        where r.source = l.source and r.file_id = l.file_id and r.line = l.line
    )
    union all
    -- A statement is an order of the day it ends: interest and fees come in, interest paid is its cost.
    select source, file_id, line, coalesce(account_id, customer_id) || ' ' || period_end, income_id, null,
        period_end::timestamp, period_end, customer_id, product_id, null, null, null, null,
        (coalesce(interest_income, 0) + coalesce(fees, 0))::decimal(18,4), null,
        coalesce(interest_expense, 0)::decimal(18,4), null, currency,
        case when coalesce(interest_income, 0) + coalesce(fees, 0) < 0 then 'adjustment' else 'sale' end, null, channel, region,
        country, account_id is not null
    from mapped.income as i
    where not exists (
        select 1 from curated.refused_rows as r
        where r.source = i.source and r.file_id = i.file_id and r.line = i.line
    )
),
kept as (
    select l.*, s.currency as reporting_currency, s.monetary_basis, s.allow_missing_cost,
        coalesce(n.customer_id, l.customer_id) as resolved_id
    from brought as l
    cross join run.settings as s
    join run.source_settings as o on o.source = l.source
    left join identity.renamed as n on n.namespace = o.customer_keys and n.customer_key = l.customer_id
),
allocated as (
    select source, file_id, line, sum(amount) as amount,
        sum(amount) filter (where level in ('line', 'order')) as direct
    from curated.cost_allocations
    group by source, file_id, line
),
converted as (
    select
        k.*,
        case when k.currency = k.reporting_currency then k.amount
            else cast(cast(k.amount as decimal(18,4)) * cast(r.rate as decimal(20,10)) as decimal(18,4)) end as net,
        case when k.currency = k.reporting_currency then k.margin
            else cast(cast(k.margin as decimal(18,4)) * cast(r.rate as decimal(20,10)) as decimal(18,4)) end as given_margin,
        coalesce(
            case when k.currency = k.reporting_currency then k.cost
                else cast(cast(k.cost as decimal(18,4)) * cast(r.rate as decimal(20,10)) as decimal(18,4)) end,
            cast(cast(k.quantity as decimal(18,4)) * cast(c.unit_cost as decimal(20,10)) as decimal(18,4))
        ) as line_cost,
        case when k.cost is not null then k.reporting_currency else c.currency end as line_cost_currency,
        a.amount as allocated,
        a.direct
    from kept as k
    left join curated.rates as r
        on r.from_currency = k.currency and k.order_date >= r.rate_date and k.order_date < r.valid_until
    left join curated.costs as c
        on c.product_id = k.product_id and k.order_date >= c.valid_from
        and (c.valid_until is null or k.order_date < c.valid_until)
    left join allocated as a on a.source = k.source and a.file_id = k.file_id and a.line = k.line
),
margins as (
    select *,
        coalesce(given_margin, case when line_cost is not null or direct is not null then net - coalesce(line_cost, 0) end)
            - coalesce(allocated, 0) as net_margin
    from converted
)
select
    source,
    file_id,
    line,
    -- A return may carry its sale's number; it is an order of its own, of its own day. An account may have several customers.
    case when order_id is not null then source || '/' || order_id || case when is_shared then ' ' || resolved_id else '' end when row_key is not null then source || '#' || row_key
        else source || '#' || file_id || ':' || line end
        || case when kind = 'sale' then '' else '~' || kind || '~' || order_date end as order_key,
    order_id,
    line_id,
    resolved_id as customer_id,
    ordered_at,
    order_date,
    kind,
    reverses_order_id,
    product_id,
    product_name,
    category,
    quantity,
    unit_price,
    net as amount,
    discount,
    case when line_cost is not null or allocated is not null
        then coalesce(line_cost, 0) + coalesce(allocated, 0) end::decimal(18,4) as cost,
    case when line_cost is not null then line_cost_currency when allocated is not null then reporting_currency end
        as cost_currency,
    allocated::decimal(18,4) as allocated_cost,
    net_margin::decimal(18,4) as margin,
    case monetary_basis
        when 'revenue' then net
        else coalesce(net_margin, case when allow_missing_cost then net - coalesce(allocated, 0) end)
    end::decimal(18,4) as monetary,
    reporting_currency as currency,
    amount as source_amount,
    currency as source_currency,
    channel,
    region,
    country
from margins
