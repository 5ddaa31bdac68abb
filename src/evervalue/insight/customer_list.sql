/* ---
table: insight.customer_list
grain: customer_id
says: "Everything the customer table shows, one row a customer, the most valuable first."
order_by: list_position
index: customer_id
columns:
  list_position: {type: bigint, says: "place by monetary value, unscored customers last"}
  customer_id: {type: text, references: customers.lrfm.customer_id, says: stable customer key}
  customer: {type: text, sensitivity: personal, says: name as shown}
  customer_value: {type: text, nullable: true, says: value tier}
  l_score: {type: integer, nullable: true, says: score of length}
  r_score: {type: integer, nullable: true, says: score of recency}
  f_score: {type: integer, nullable: true, says: score of frequency}
  m_score: {type: integer, nullable: true, says: score of monetary value}
  lrfm_score: {type: integer, nullable: true, says: sum of the four scores}
  length_days: {type: integer, nullable: true, unit: day, says: days from the first to the last order}
  recency_days: {type: integer, nullable: true, unit: day, says: days from the last order to as_of}
  frequency: {type: bigint, unit: count, says: distinct orders}
  monetary: {type: "decimal(18,4)", unit: currency, says: "margin or revenue, as set"}
  revenue: {type: "decimal(18,4)", unit: currency, says: net revenue}
  margin: {type: "decimal(18,4)", nullable: true, unit: currency, says: margin}
  profit_rank: {type: bigint, nullable: true, says: place by monetary value among the scored}
  is_gem: {type: boolean, says: whether the customer is a hidden gem}
  p_alive: {type: double, nullable: true, says: "probability that the customer is still active; null where value was not predicted"}
  expected_orders: {type: double, nullable: true, unit: count, says: expected purchase days within the horizon}
  orders_low: {type: double, nullable: true, unit: count, says: fewest purchase days in the interval}
  orders_high: {type: double, nullable: true, unit: count, says: most purchase days in the interval}
  expected_order_value: {type: "decimal(18,4)", nullable: true, unit: currency, says: what one purchase day is expected to bring}
  expected_clv: {type: "decimal(18,4)", nullable: true, unit: currency, says: "expected value within the horizon, discounted to as_of"}
  clv_low: {type: "decimal(18,4)", nullable: true, unit: currency, says: lower end of the interval of what really comes}
  clv_high: {type: "decimal(18,4)", nullable: true, unit: currency, says: upper end of it}
  region: {type: text, nullable: true, says: region of most of the customer's orders}
  first_order_date: {type: date, nullable: true, says: business day of the first sale}
  last_order_date: {type: date, nullable: true, says: business day of the last sale}
  attributes: {type: text, nullable: true, sensitivity: personal, says: "latest attributes, 'name: value' parted by semicolons"}
--- */
with regions as (
    select customer_id, region, count(*) as orders
    from curated.orders
    where region is not null
    group by customer_id, region
),
home_region as (
    select customer_id, region
    from regions
    qualify row_number() over (partition by customer_id order by orders desc, region) = 1
),
latest as (
    select customer_id, string_agg(attribute || ': ' || value, '; ' order by attribute) as attributes
    from curated.customer_attributes
    where is_latest
    group by customer_id
)
select
    row_number() over (order by p.profit_rank nulls last, l.customer, l.customer_id) as list_position,
    l.customer_id, l.customer, l.customer_value,
    l.l_score, l.r_score, l.f_score, l.m_score, l.lrfm_score,
    l.length_days, l.recency_days, l.frequency, l.monetary, h.revenue, h.margin,
    p.profit_rank, coalesce(p.is_gem, false) as is_gem,
    v.p_alive, v.expected_orders, v.orders_low, v.orders_high, v.expected_order_value,
    v.expected_clv, v.clv_low, v.clv_high,
    g.region, l.first_order_date, l.last_order_date, a.attributes
from customers.lrfm as l
join customers.history as h on h.customer_id = l.customer_id
left join insight.profit_ranks as p on p.customer_id = l.customer_id
left join models.clv as v on v.customer_id = l.customer_id
left join home_region as g on g.customer_id = l.customer_id
left join latest as a on a.customer_id = l.customer_id
