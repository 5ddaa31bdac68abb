/* ---
table: models.fits
grain: role
says: "The models that predict value in this run, one row each: what tells when customers buy and leave, and what tells what they spend. Where nothing could be fitted the row says why and which rule stands in."
filled_by: pipeline/value.py
reads: [customers.purchase_history, models.backtest]
columns:
  role: {type: text, check: "in ('orders', 'spend')", says: "what the model tells: when customers buy, or what they spend a purchase day"}
  model: {type: text, says: "the model as people call it, or the rule that stands in for one"}
  model_key: {type: text, says: the same as settings and options call it}
  is_fitted: {type: boolean, says: "whether a model was fitted; false where a rule stands in"}
  model_says: {type: text, says: "why this one, in a sentence"}
  parameters: {type: text, nullable: true, says: "parameters by name, as JSON, with time in days and money in the reporting currency"}
  time_unit: {type: text, check: "= 'D'", says: "unit of time that the parameters are in: days"}
  log_likelihood: {type: double, nullable: true, says: log of the likelihood at its maximum}
  customers: {type: bigint, unit: count, check: ">= 0", says: customers that the model was fitted to}
  distinct_histories: {type: bigint, unit: count, check: ">= 0", says: "different histories among them: what fitting costs"}
  posterior_method: {type: text, nullable: true, check: "in ('laplace+psis', 'sampler', 'laplace')", says: "how the draws that predictions are averaged over were made: weighted by the exact posterior, by a sampler where weights failed, or normal where so many customers tell the parameters; null where predictions stand at the estimate"}
  posterior_says: {type: text, nullable: true, says: the same in a sentence}
  k_hat: {type: double, nullable: true, says: "diagnostic of the weights: below 0.7 they can be trusted, above it a sampler took over; null where no weights were needed"}
  findings: {type: text, nullable: true, says: "what the data cannot tell, in plain words, one a line"}
  data_sha256: {type: text, says: checksum of the histories and the settings that the fit follows from}
--- */
