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
with purchase_days as (
    select customer_id, order_date, sum(monetary)::decimal(18,4) as monetary
    from curated.orders
    where kind = 'sale' and order_date < $as_of
    group by customer_id, order_date
),
spaced as (
    select
        customer_id, order_date, monetary,
        date_diff('day', lag(order_date) over (partition by customer_id order by order_date), order_date) as interval_days
    from purchase_days
),
summed as (
    -- Logarithms are rounded before they are added: sums of doubles would hang on the order of rows. With 19 digits on
    -- one side a square has the room it needs on every engine.
    select
        customer_id,
        min(order_date) as first_order_date,
        max(order_date) as last_order_date,
        count(*) - 1 as repeat_orders,
        sum(monetary)::decimal(18,4) as monetary,
        arg_min(monetary, order_date)::decimal(18,4) as first_monetary,
        min(monetary) as least_monetary,
        sum(monetary::decimal(19,4) * monetary)::decimal(38,8) as monetary_squared_sum,
        coalesce(sum(round(ln(interval_days), 9)::decimal(18,9)), 0)::decimal(38,9) as log_interval_sum
    from spaced
    group by customer_id
),
reversed as (
    select customer_id, sum(monetary)::decimal(18,4) as monetary
    from curated.orders
    where kind <> 'sale' and order_date < $as_of
    group by customer_id
)
select
    s.customer_id,
    c.customer,
    s.first_order_date,
    s.last_order_date,
    s.repeat_orders,
    date_diff('day', s.first_order_date, s.last_order_date)::integer as length_days,
    date_diff('day', s.first_order_date, $as_of)::integer as age_days,
    s.monetary,
    (s.monetary - s.first_monetary)::decimal(18,4) as repeat_monetary,
    money_divide(s.monetary - s.first_monetary, s.repeat_orders)::decimal(18,4) as mean_repeat_monetary,
    money_divide(s.monetary, s.repeat_orders + 1)::decimal(18,4) as mean_monetary,
    s.least_monetary,
    s.monetary_squared_sum,
    s.log_interval_sum,
    coalesce(r.monetary, 0)::decimal(18,4) as reversed_monetary,
    case
        when s.monetary > 0 then least(1e0, greatest(0e0, (s.monetary + coalesce(r.monetary, 0))::double / s.monetary::double))
        else 1e0
    end as kept_share
from summed as s
left join reversed as r on r.customer_id = s.customer_id
join curated.customers as c on c.customer_id = s.customer_id
