/* ---
table: customers.purchase_history
grain: customer_id
says: "What value models are fitted to: purchase days of each customer with a sale before the cutoff. Sales of one day are one purchase; returns are none, and what they take back is told apart."
order_by: customer_id
constants:
  as_of: select as_of from customers.cutoff
columns:
  customer_id: {type: text, references: curated.customers.customer_id, says: stable customer key}
  customer: {type: text, sensitivity: personal, says: name as shown}
  first_order_date: {type: date, says: business day of the first sale}
  last_order_date: {type: date, says: business day of the last sale}
  repeat_orders: {type: bigint, unit: count, check: ">= 0", says: days with a sale after the first one}
  length_days: {type: integer, unit: day, check: ">= 0", says: "days from the first to the last sale (what purchase models call recency)"}
  age_days: {type: integer, unit: day, check: ">= 1", says: "days from the first sale to as_of; the last day inside the window is one less"}
  monetary: {type: "decimal(18,4)", unit: currency, says: "margin or revenue, as set, of all sales"}
  repeat_monetary: {type: "decimal(18,4)", unit: currency, says: "margin or revenue, as set, of the sales after the first day"}
  mean_repeat_monetary: {type: "decimal(18,4)", nullable: true, unit: currency, says: "the same a purchase day; null without a repeat"}
  mean_monetary: {type: "decimal(18,4)", unit: currency, says: "margin or revenue, as set, a purchase day, the first one counted too"}
  least_monetary: {type: "decimal(18,4)", unit: currency, says: "margin or revenue, as set, of the purchase day that brought least; below zero where a day's sales lost money"}
  monetary_squared_sum: {type: "decimal(38,8)", unit: "currency squared", check: ">= 0", says: "sum over purchase days of the square of each day's money: with the mean, how much days vary"}
  log_interval_sum: {type: "decimal(38,9)", unit: "log days", check: ">= 0", says: "sum over repeats of the natural logarithm of the days since the purchase day before: how regular the days come"}
  reversed_monetary: {type: "decimal(18,4)", unit: currency, says: "margin or revenue, as set, of returns, cancellations and the like before the cutoff; below zero where they took money back"}
  kept_share: {type: double, check: "between 0 and 1", says: "share of the money of sales that returns left; 1 where sales brought nothing or less"}
--- */
select
    s.customer_id,
    c.customer,
    s.first_order_date,
    s.last_order_date,
    s.repeat_orders,
    date_diff('day', s.first_order_date, s.last_order_date)::integer as length_days,
    date_diff('day', s.first_order_date, $as_of)::integer as age_days,
    s.monetary,
    s.repeat_monetary,
    s.mean_repeat_monetary,
    s.mean_monetary,
    s.least_monetary,
    s.monetary_squared_sum,
    s.log_interval_sum,
    s.reversed_monetary,
    case
        when s.monetary > 0 then least(1e0, greatest(0e0, (s.monetary + s.reversed_monetary)::double / s.monetary::double))
        else 1e0
    end as kept_share
from customers.purchase_totals as s
join curated.customers as c on c.customer_id = s.customer_id
