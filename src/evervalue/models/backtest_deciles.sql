/* ---
table: models.backtest_deciles
grain: target, model, decile
says: "The backtest by tenth of the customers, the lowest forecasts first: what was forecast, what came, and how often it lay inside the interval. All origins together, late customers left out."
filled_by: pipeline/backtest.py
reads: [models.backtest]
columns:
  target: {type: text, check: "in ('orders', 'value')", says: "what was forecast: purchase days, or money"}
  model: {type: text, says: model or rule as options call it}
  decile: {type: integer, check: "between 1 and 10", says: "tenth of the customers, 1 with the lowest forecasts"}
  customers: {type: bigint, unit: count, says: "customers in it, counted once an origin"}
  predicted: {type: double, nullable: true, says: mean forecast}
  actual: {type: double, nullable: true, says: mean of what came}
  coverage: {type: double, nullable: true, says: share that lay inside the interval}
  interval_mass: {type: double, nullable: true, says: share that the forecasts themselves expected inside}
  mean_width: {type: double, nullable: true, says: mean width of the interval}
--- */
