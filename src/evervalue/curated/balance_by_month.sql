/* ---
table: curated.balance_by_month
grain: source, account_id, currency, month
says: "Average and last balance of each account in each month. A balance stands until the next one; days before the first are not averaged over."
order_by: source, account_id, currency, month
columns:
  source: {type: text, says: name of the source}
  account_id: {type: text, says: account number as the source writes it}
  currency: {type: text, says: currency of the balance}
  month: {type: date, says: first day of the month}
  customer_id: {type: text, says: "stable customer key, of the last balance in the month"}
  known_days: {type: bigint, unit: day, check: ">= 1", says: days of the month on which a balance stood}
  average_balance: {type: "decimal(18,4)", unit: currency, says: "mean over those days, half away from zero at the fourth decimal"}
  last_balance: {type: "decimal(18,4)", unit: currency, says: balance at the end of the last of those days}
--- */
with months as (
    select source, account_id, currency, customer_id, balance, balance_date, until,
        unnest(generate_series(date_trunc('month', balance_date), until - 1, interval 1 month))::date as month
    from curated.balances
),
stretches as (
    select *,
        date_diff('day', greatest(balance_date, month), least(until, (month + interval 1 month)::date)) as days
    from months
)
select
    source, account_id, currency, month,
    max_by(customer_id, balance_date) as customer_id,
    sum(days)::bigint as known_days,
    money_divide(sum(balance * days), sum(days))::decimal(18,4) as average_balance,
    max_by(balance, balance_date) as last_balance
from stretches
where days > 0
group by source, account_id, currency, month
