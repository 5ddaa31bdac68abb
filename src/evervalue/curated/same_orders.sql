/* ---
table: curated.same_orders
grain: source, order_id
says: "Orders that two systems hold alike, in number, customer, day, amount and currency: the same sale perhaps, told twice. Empty where one system has orders."
columns:
  source: {type: text, says: name of the source}
  order_id: {type: text, says: order number as the source writes it}
  system: {type: text, says: system of the source}
  customer_id: {type: text, says: stable customer key}
  order_date: {type: date, says: business day of the order}
  amount: {type: "decimal(38,4)", unit: currency, says: "sum of its sales lines and of what was taken off them, in their own currency"}
  currency: {type: text, says: currency of the lines}
  line_count: {type: bigint, unit: count, says: sales lines of the order}
  first_system: {type: text, says: "the system of these that comes first by name, which keeps the order where it counts once"}
  is_kept: {type: boolean, says: "whether the rule keeps its lines: under same_orders = once in the first system alone; where some of these are refused, the next system's are stored in their place"}
--- */
with several as (
    select s.source, s.system, s.customer_keys
    from run.source_settings as s
    cross join (
        select count(distinct system) as systems from run.source_settings where provides = 'order_lines'
    ) as n
    where n.systems > 1 and s.provides = 'order_lines'
),
orders as (
    select
        l.source, l.order_id, s.system,
        coalesce(r.customer_id, l.customer_id) as customer_id,
        min(l.order_date) as order_date,
        sum(l.amount) as amount,
        l.currency,
        count(*) as line_count
    from several as s
    join mapped.order_lines as l on l.source = s.source
    left join identity.renamed as r on r.namespace = s.customer_keys and r.customer_key = l.customer_id
    where l.order_id is not null and l.kind = 'sale'
    group by l.source, l.order_id, s.system, coalesce(r.customer_id, l.customer_id), l.currency
),
-- What was taken off the order as a whole belongs to it; one system writes it apart, another within the lines.
taken_off as (
    select
        s.system, l.order_id, coalesce(r.customer_id, l.customer_id) as customer_id, l.currency, sum(l.amount) as amount
    from several as s
    join mapped.order_lines as l on l.source = s.source
    left join identity.renamed as r on r.namespace = s.customer_keys and r.customer_key = l.customer_id
    where l.order_id is not null and l.kind = 'adjustment' and l.reverses_order_id is null
    group by s.system, l.order_id, coalesce(r.customer_id, l.customer_id), l.currency
),
netted as (
    select o.* exclude (amount), o.amount + coalesce(t.amount, 0) as amount
    from orders as o
    left join taken_off as t
        on t.system = o.system and t.order_id = o.order_id and t.customer_id = o.customer_id and t.currency = o.currency
),
compared as (
    select *, min(system) over alike as first_system, max(system) over alike as last_system,
        count(*) over (partition by source, order_id) as parts
    from netted
    window alike as (partition by order_id, customer_id, order_date, amount, currency)
)
select
    c.source, c.order_id, c.system, c.customer_id, c.order_date, c.amount::decimal(38,4) as amount, c.currency, c.line_count,
    c.first_system,
    not (t.same_orders = 'once' and c.system <> c.first_system) as is_kept
from compared as c
cross join run.settings as t
where c.first_system <> c.last_system and c.parts = 1
