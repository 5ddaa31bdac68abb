/* ---
table: identity.records
grain: namespace, customer_key
says: "Every key that a system gives a customer, one row a key; systems that share their customer numbers share a namespace."
columns:
  namespace: {type: text, says: "whose key it is: customer_keys of the system, else the name of the system"}
  customer_key: {type: text, says: "customer key of the source"}
  record: {type: text, says: "both in one, namespace:key, as decisions name it"}
--- */
with named as (
    select distinct source, customer_id from mapped.order_lines
    union all
    select distinct source, customer_id from mapped.customers
    union all
    select distinct source, customer_id from mapped.income
    union all
    select distinct source, customer_id from mapped.subscriptions
    union all
    select distinct source, customer_id from mapped.balances
    union all
    select distinct source, customer_id from mapped.identifiers
)
select distinct
    s.customer_keys as namespace,
    n.customer_id as customer_key,
    s.customer_keys || ':' || n.customer_id as record
from named as n
join run.source_settings as s on s.source = n.source
