/* ---
table: models.history_scores
grain: repeat_orders, length_days, age_days
says: "Every distinct history scored once: purchase models know no more of a customer than these three numbers, so customers are joined to this table."
filled_by: models/scoring.py
reads: [customers.purchase_history, models.fits]
columns:
  repeat_orders: {type: bigint, unit: count, check: ">= 0", says: days with a sale after the first one}
  length_days: {type: integer, unit: day, check: ">= 0", says: days from the first to the last sale}
  age_days: {type: integer, unit: day, check: ">= 1", says: days from the first sale to as_of}
  customers: {type: bigint, unit: count, check: ">= 1", says: customers with this history}
  p_alive: {type: double, nullable: true, check: "between 0 and 1", says: "probability that they are still active; null where a rule without dropout stands in"}
  expected_orders: {type: double, nullable: true, unit: count, check: ">= 0", says: expected purchase days within the horizon}
  discounted_orders: {type: double, nullable: true, unit: count, check: ">= 0", says: "the same, each counted at its worth as of today"}
  p_any_order: {type: double, nullable: true, check: "between 0 and 1", says: probability of at least one purchase day within the horizon}
  orders_low: {type: double, nullable: true, unit: count, check: ">= 0", says: fewest purchase days in the interval}
  orders_high: {type: double, nullable: true, unit: count, check: ">= 0", says: most purchase days in the interval}
  orders_mass: {type: double, nullable: true, check: "between 0 and 1.0000001", says: "probability that the interval really holds; counts can hold more than was asked"}
--- */
