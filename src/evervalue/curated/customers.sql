/* ---
table: curated.customers
grain: customer_id
says: "Every customer that any source names, with the name last seen: in the last row of a list of customers, else on the newest line."
order_by: customer_id
columns:
  customer_id: {type: text, says: stable customer key}
  customer: {type: text, sensitivity: personal, says: name as shown}
  first_seen: {type: date, nullable: true, says: business day of the first line}
  last_seen: {type: date, nullable: true, says: business day of the last line}
--- */
with by_key as (
    select
        source,
        customer_id,
        max_by(customer_name, row(order_date, customer_name)) filter (where customer_name is not null) as customer_name,
        max(order_date) filter (where customer_name is not null) as named_on,
        min(order_date) as first_seen,
        max(order_date) as last_seen
    from mapped.order_lines
    group by source, customer_id
    union all
    select source, customer_id, max_by(customer_name, row(period_end, customer_name)) filter (where customer_name is not null),
        max(period_end) filter (where customer_name is not null), min(period_end), max(period_end)
    from mapped.income
    group by source, customer_id
),
listed_rows as (
    select m.source, m.customer_id, m.customer_name, f.path, m.line
    from mapped.customers as m
    left join (select file_id, min(path) as path from raw.files where status = 'loaded' group by file_id) as f
        on f.file_id = m.file_id
),
seen as (
    select
        coalesce(n.customer_id, k.customer_id) as customer_id,
        max_by(k.customer_name, row(k.named_on, k.customer_name)) filter (where k.customer_name is not null) as customer_name,
        min(k.first_seen) as first_seen,
        max(k.last_seen) as last_seen
    from by_key as k
    join run.source_settings as s on s.source = k.source
    left join identity.renamed as n on n.namespace = s.customer_keys and n.customer_key = k.customer_id
    group by coalesce(n.customer_id, k.customer_id)
),
listed as (
    select
        coalesce(n.customer_id, m.customer_id) as customer_id,
        max_by(m.customer_name, row(m.source, m.path, m.line)) filter (where m.customer_name is not null) as customer_name
    from listed_rows as m
    join run.source_settings as s on s.source = m.source
    left join identity.renamed as n on n.namespace = s.customer_keys and n.customer_key = m.customer_id
    group by coalesce(n.customer_id, m.customer_id)
),
others as (
    select coalesce(n.customer_id, m.customer_id) as customer_id, max(m.customer_name) as customer_name
    from (
        select source, customer_id, customer_name from mapped.subscriptions
        union all
        select source, customer_id, customer_name from mapped.balances
    ) as m
    join run.source_settings as s on s.source = m.source
    left join identity.renamed as n on n.namespace = s.customer_keys and n.customer_key = m.customer_id
    group by coalesce(n.customer_id, m.customer_id)
)
select
    k.customer_id,
    coalesce(l.customer_name, s.customer_name, o.customer_name, k.customer_id) as customer,
    s.first_seen,
    s.last_seen
from (select distinct customer_id from curated.customer_keys) as k
left join seen as s on s.customer_id = k.customer_id
left join listed as l on l.customer_id = k.customer_id
left join others as o on o.customer_id = k.customer_id
