/* ---
table: curated.orders
grain: order_key
says: "One row an order, with the sums of its lines; lines that take something back are a row of their own, of their own day, also where they carry the number of the sale."
order_by: customer_id, order_date, order_key
index: customer_id
delta:
  curated.order_lines: "customer_id in (select customer_id from delta_customers)"
columns:
  order_key: {type: text, says: "key of the order, unique over all sources"}
  order_id: {type: text, nullable: true, says: order number as the source writes it}
  customer_id: {type: text, says: stable customer key}
  ordered_at: {type: timestamp, says: "instant of the first line, UTC"}
  order_date: {type: date, says: business day of the first line}
  kind: {type: text, says: "what its lines are: sale, return, cancellation ..."}
  line_count: {type: bigint, unit: count, says: lines of the order}
  revenue: {type: "decimal(18,4)", unit: currency, says: net revenue}
  margin: {type: "decimal(18,4)", nullable: true, unit: currency, says: "margin, null where no line has one"}
  monetary: {type: "decimal(18,4)", unit: currency, says: "what the order adds to monetary value"}
  currency: {type: text, says: reporting currency}
  channel: {type: text, nullable: true, says: channel of the sale}
  region: {type: text, nullable: true, says: region of the sale}
  country: {type: text, nullable: true, says: country of the sale}
--- */
select
    order_key,
    min(order_id) as order_id,
    min(customer_id) as customer_id,
    min(ordered_at) as ordered_at,
    min(order_date) as order_date,
    min(kind) as kind,
    count(*) as line_count,
    sum(amount)::decimal(18,4) as revenue,
    sum(margin)::decimal(18,4) as margin,
    sum(monetary)::decimal(18,4) as monetary,
    min(currency) as currency,
    min(channel) as channel,
    min(region) as region,
    min(country) as country
from curated.order_lines
group by order_key
