/* ---
table: customers.purchase_totals
grain: customer_id
says: "What customers.purchase_history is made of and what does not change while a customer buys nothing: sums over purchase days before the cutoff."
delta:
  curated.orders: "customer_id in (select customer_id from delta_customers)"
constants:
  as_of: select as_of from customers.cutoff
columns:
  customer_id: {type: text, says: stable customer key}
  first_order_date: {type: date, says: business day of the first sale}
  last_order_date: {type: date, says: business day of the last sale}
  repeat_orders: {type: bigint, unit: count, check: ">= 0", says: days with a sale after the first one}
  monetary: {type: "decimal(18,4)", unit: currency, says: "margin or revenue, as set, of all sales"}
  repeat_monetary: {type: "decimal(18,4)", unit: currency, says: "margin or revenue, as set, of the sales after the first day"}
  mean_repeat_monetary: {type: "decimal(18,4)", nullable: true, unit: currency, says: "the same a purchase day; null without a repeat"}
  mean_monetary: {type: "decimal(18,4)", unit: currency, says: "margin or revenue, as set, a purchase day, the first one counted too"}
  least_monetary: {type: "decimal(18,4)", unit: currency, says: "margin or revenue, as set, of the purchase day that brought least"}
  monetary_squared_sum: {type: "decimal(38,8)", unit: "currency squared", check: ">= 0", says: "sum over purchase days of the square of each day's money"}
  log_interval_sum: {type: "decimal(38,9)", unit: "log days", check: ">= 0", says: "sum over repeats of the natural logarithm of the days since the purchase day before"}
  reversed_monetary: {type: "decimal(18,4)", unit: currency, says: "margin or revenue, as set, of returns, cancellations and the like before the cutoff"}
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
    s.first_order_date,
    s.last_order_date,
    s.repeat_orders,
    s.monetary,
    (s.monetary - s.first_monetary)::decimal(18,4) as repeat_monetary,
    money_divide(s.monetary - s.first_monetary, s.repeat_orders)::decimal(18,4) as mean_repeat_monetary,
    money_divide(s.monetary, s.repeat_orders + 1)::decimal(18,4) as mean_monetary,
    s.least_monetary,
    s.monetary_squared_sum,
    s.log_interval_sum,
    coalesce(r.monetary, 0)::decimal(18,4) as reversed_monetary
from summed as s
left join reversed as r on r.customer_id = s.customer_id
