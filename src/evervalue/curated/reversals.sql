/* ---
table: curated.reversals
grain: source, file_id, line
says: "Each return, cancellation, refund and credit note, with the sale it takes back where one is found."
delta:
  curated.order_lines: "customer_id in (select customer_id from delta_customers)"
  curated.orders: "customer_id in (select customer_id from delta_customers)"
columns:
  source: {type: text, says: name of the source}
  file_id: {type: text, says: file the line came from}
  line: {type: bigint, says: data row in the file}
  customer_id: {type: text, says: stable customer key}
  kind: {type: text, says: what the line is}
  amount: {type: "decimal(18,4)", unit: currency, says: net revenue of the line}
  reverses_order_key: {type: text, nullable: true, says: order that is taken back}
  basis: {type: text, check: "in ('given', 'matched', 'none')", says: "given by the source (also by carrying the sale's number), matched to the customer's last earlier sale of the product, or not found"}
--- */
with reversing as (
    select source, file_id, line, customer_id, product_id, ordered_at, kind, amount,
        coalesce(reverses_order_id, order_id) as reverses_order_id
    from curated.order_lines
    where kind <> 'sale'
),
given as (
    select r.source, r.file_id, r.line, min(o.order_key) as order_key
    from reversing as r
    join curated.orders as o
        on o.order_id = r.reverses_order_id and o.customer_id = r.customer_id and o.kind = 'sale'
    group by r.source, r.file_id, r.line
),
matched as (
    select r.source, r.file_id, r.line, max_by(s.order_key, row(s.ordered_at, s.order_key)) as order_key
    from reversing as r
    join curated.order_lines as s
        on s.customer_id = r.customer_id and s.product_id = r.product_id and s.kind = 'sale'
        and s.ordered_at <= r.ordered_at
    group by r.source, r.file_id, r.line
)
select
    r.source, r.file_id, r.line, r.customer_id, r.kind, r.amount,
    coalesce(g.order_key, m.order_key) as reverses_order_key,
    case when g.order_key is not null then 'given' when m.order_key is not null then 'matched' else 'none' end as basis
from reversing as r
left join given as g using (source, file_id, line)
left join matched as m using (source, file_id, line)
