/* ---
table: models.step_values
grain: customer_id
says: "What the smallest step of each hidden gem to High-Value is expected to be followed by. The further orders lie on the day before as_of, so they are one purchase day to the models, and none where that day is one already; they are at the customer's own mean, so nothing is learnt of spend."
filled_by: models/scoring.py
reads: [insight.what_if, customers.cutoff, customers.purchase_history, models.fits, models.clv]
order_by: customer_id
columns:
  customer_id: {type: text, references: models.clv.customer_id, says: stable customer key}
  orders_added: {type: integer, unit: count, check: ">= 1", says: fewest further orders that make the customer High-Value}
  purchase_days_added: {type: integer, unit: count, check: "in (0, 1)", says: "purchase days that they add: they lie on one day"}
  expected_clv: {type: "decimal(18,4)", nullable: true, unit: currency, says: expected value within the horizon without them}
  clv_after: {type: "decimal(18,4)", nullable: true, unit: currency, says: "expected value within the horizon with them, themselves not counted"}
  clv_gain: {type: "decimal(18,4)", nullable: true, unit: currency, says: "the difference: what is expected to follow from them"}
--- */
