/* ---
table: models.clv
grain: customer_id
says: "What each customer is expected to be worth within the horizon, with an interval of what may really come; customers without a sale are listed, unscored."
filled_by: models/scoring.py
reads: [customers.history, customers.purchase_history, models.fits, models.history_scores]
order_by: customer_id
checks:
  "an interval begins no higher than it ends": "orders_low is null or orders_low <= orders_high"
  "an interval of value begins no higher than it ends": "clv_low is null or clv_low <= clv_high"
columns:
  customer_id: {type: text, references: customers.history.customer_id, says: stable customer key}
  p_alive: {type: double, nullable: true, check: "between 0 and 1", says: probability that the customer is still active}
  expected_orders: {type: double, nullable: true, unit: count, check: ">= 0", says: expected purchase days within the horizon}
  orders_low: {type: double, nullable: true, unit: count, says: fewest purchase days in the interval}
  orders_high: {type: double, nullable: true, unit: count, says: most purchase days in the interval}
  expected_order_value: {type: "decimal(18,4)", nullable: true, unit: currency, says: "expected margin or revenue, as set, of one purchase day"}
  expected_clv: {type: "decimal(18,4)", nullable: true, unit: currency, says: "expected margin or revenue, as set, within the horizon, discounted to as_of"}
  clv_low: {type: "decimal(18,4)", nullable: true, unit: currency, says: lower end of the interval of what really comes}
  clv_high: {type: "decimal(18,4)", nullable: true, unit: currency, says: upper end of it}
  interval: {type: double, nullable: true, says: share of realised values that the intervals are to hold}
  horizon_days: {type: integer, nullable: true, unit: day, says: "how far ahead; null is without end, or unscored"}
  discount_rate_annual: {type: double, nullable: true, says: "money a year from now counts as itself divided by 1 + this"}
  model: {type: text, says: "what predicted: purchase model and spend model, or the rule that stands in, or none"}
  model_says: {type: text, says: "why this model, or why there is none"}
  currency: {type: text, says: currency of the amounts}
--- */
