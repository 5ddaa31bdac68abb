/* ---
table: curated.balances
grain: source, account_id, currency, balance_date
says: "Balances of accounts at the end of days, in their own currencies, and the day until which each stood."
order_by: customer_id, account_id, balance_date
columns:
  source: {type: text, says: name of the source}
  account_id: {type: text, says: account number as the source writes it}
  customer_id: {type: text, says: stable customer key}
  product_id: {type: text, nullable: true, says: what the account is}
  balance_date: {type: date, says: day at whose end the balance was so}
  until: {type: date, says: "day of the next balance; for the last one the day after the newest balance of the source"}
  balance: {type: "decimal(18,4)", unit: currency, says: "balance, negative where the customer owes"}
  currency: {type: text, says: currency of the balance}
--- */
with kept as (
    select b.*, s.customer_keys, max(b.balance_date) over (partition by b.source) as newest
    from mapped.balances as b
    join run.source_settings as s on s.source = b.source
    where not exists (
        select 1 from curated.refused_rows as f
        where f.source = b.source and f.file_id = b.file_id and f.line = b.line
    )
)
select
    k.source, k.account_id,
    coalesce(n.customer_id, k.customer_id) as customer_id,
    k.product_id, k.balance_date,
    coalesce(
        lead(k.balance_date) over (partition by k.source, k.account_id, k.currency order by k.balance_date), k.newest + 1
    ) as until,
    k.balance, k.currency
from kept as k
left join identity.renamed as n on n.namespace = k.customer_keys and n.customer_key = k.customer_id
