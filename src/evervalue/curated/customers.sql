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
with seen as (
    select
        customer_id,
        max_by(customer_name, row(order_date, customer_name)) filter (where customer_name is not null) as customer_name,
        min(order_date) as first_seen,
        max(order_date) as last_seen
    from mapped.order_lines
    group by customer_id
),
listed as (
    select
        m.customer_id,
        max_by(m.customer_name, row(m.source, f.path, m.line)) filter (where m.customer_name is not null) as customer_name
    from mapped.customers as m
    join raw.files as f on f.source = m.source and f.file_id = m.file_id and f.status = 'loaded'
    group by m.customer_id
)
select
    coalesce(l.customer_id, s.customer_id) as customer_id,
    coalesce(l.customer_name, s.customer_name, l.customer_id, s.customer_id) as customer,
    s.first_seen,
    s.last_seen
from seen as s
full join listed as l on l.customer_id = s.customer_id
