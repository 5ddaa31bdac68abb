/* ---
table: models.total
grain: []
says: "What all customers together are expected to bring within the horizon, with intervals: customers' luck evens out, what is not known of the parameters does not."
filled_by: models/scoring.py
reads: [models.clv, models.history_scores]
columns:
  customers: {type: bigint, unit: count, check: ">= 0", says: customers with a prediction}
  expected_alive: {type: double, nullable: true, unit: count, says: expected number of them who are still active}
  expected_orders: {type: double, nullable: true, unit: count, says: expected purchase days of all}
  orders_low: {type: double, nullable: true, unit: count, says: lower end of the interval}
  orders_high: {type: double, nullable: true, unit: count, says: upper end of it}
  expected_clv: {type: "decimal(18,4)", nullable: true, unit: currency, says: expected value of all}
  clv_low: {type: "decimal(18,4)", nullable: true, unit: currency, says: lower end of the interval}
  clv_high: {type: "decimal(18,4)", nullable: true, unit: currency, says: upper end of it}
  total_says: {type: text, says: "how the intervals came about, or why there are none"}
--- */
