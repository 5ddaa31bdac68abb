/* ---
table: insight.top_customers
grain: profit_rank
says: "The hundred most profitable customers of all tiers."
order_by: profit_rank
columns:
  profit_rank: {type: bigint, says: place by monetary value}
  customer_id: {type: text, references: customers.lrfm.customer_id, says: stable customer key}
  customer: {type: text, sensitivity: personal, says: name as shown}
  monetary: {type: "decimal(18,4)", unit: currency, says: "margin or revenue, as set"}
  customer_value: {type: text, says: value tier}
  is_gem: {type: boolean, says: whether the customer is a hidden gem}
  l_score: {type: integer, says: score of length}
  r_score: {type: integer, says: score of recency}
  f_score: {type: integer, says: score of frequency}
  m_score: {type: integer, says: score of monetary value}
  lrfm_score: {type: integer, says: sum of the four scores}
  length_days: {type: integer, unit: day, says: days from the first to the last order}
  recency_days: {type: integer, unit: day, says: days from the last order to as_of}
  frequency: {type: bigint, unit: count, says: distinct orders}
--- */
select
    p.profit_rank, l.customer_id, l.customer, l.monetary, l.customer_value, p.is_gem,
    l.l_score, l.r_score, l.f_score, l.m_score, l.lrfm_score, l.length_days, l.recency_days, l.frequency
from insight.profit_ranks as p
join customers.lrfm as l on l.customer_id = p.customer_id
where p.profit_rank <= 100
