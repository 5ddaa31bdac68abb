/* ---
table: models.backtest
grain: target, origin, customers, model, measure
says: "How well models would have forecast on days in the past, one row a model and measure, beside rules without a model, which are always here. Empty where there is too little history to test on."
filled_by: pipeline/backtest.py
# All that models hang on: where nothing of it changed, no table of this schema is filled again.
reads: [curated.orders, curated.customers, customers.cutoff, customers.purchase_history, run.settings]
order_by: target, origin, customers, model, measure
columns:
  target: {type: text, check: "in ('orders', 'value')", says: "what was forecast: purchase days, or money"}
  origin: {type: date, nullable: true, says: "first day that was forecast; null is all origins together"}
  customers: {type: text, check: "in ('known', 'late')", says: "who bought before the first origin, or later: the late are young and few, and stand apart"}
  model: {type: text, says: model or rule as options call it}
  model_name: {type: text, says: the same as people call it}
  naive: {type: boolean, says: whether it is a rule without a model}
  measure: {type: text, says: "what is measured: docs/methods/backtest.md defines each"}
  value: {type: double, nullable: true, says: "the measure; null where it cannot be told"}
  n: {type: bigint, unit: count, says: "customers, counted once an origin"}
  best_naive: {type: text, nullable: true, says: the best rule without a model by this measure}
  difference: {type: double, nullable: true, says: the measure less that of the best rule}
  difference_low: {type: double, nullable: true, says: "lower end of a 90 % bootstrap interval over customers"}
  difference_high: {type: double, nullable: true, says: upper end of it}
  verdict: {type: text, nullable: true, check: "in ('better', 'worse', 'level')", says: "whether the interval leaves zero out, and on which side"}
--- */
