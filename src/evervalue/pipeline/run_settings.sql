/* ---
table: run.settings
grain: []
says: The settings of this run that tables are computed with, one row.
filled_by: pipeline
columns:
  run_id: {type: text, says: "name of the run, in the order of time"}
  project_name: {type: text, says: name of the project as its pages show it}
  as_of: {type: date, nullable: true, says: "cutoff that was asked for; null takes the day after the newest order"}
  currency: {type: text, says: reporting currency of every amount}
  time_zone: {type: text, says: zone of the business day}
  monetary_basis: {type: text, check: "in ('margin', 'revenue')", says: what monetary value sums up}
  allow_missing_cost: {type: boolean, says: "whether a line without margin and cost counts with its whole amount"}
  bins: {type: integer, check: "between 2 and 10", says: number of score bins a dimension}
  ties: {type: text, check: "in ('first', 'share')", says: "rule for equal values: by name order, or the same score"}
  high_value_at: {type: integer, says: lowest LRFM score of a High-Value customer}
  mid_value_at: {type: integer, says: lowest LRFM score of a Mid-Value customer}
  gem_rule: {type: text, check: "in ('m_score', 'top_n', 'top_share')", says: what a top profit performer is}
  gem_min_m_score: {type: integer, says: "lowest M score of a hidden gem, under the rule m_score"}
  gem_top_n: {type: integer, says: "how many of the most profitable customers count, under the rule top_n"}
  gem_top_share: {type: "decimal(5,4)", says: "which share of the scored customers counts, under the rule top_share"}
  what_if_max_orders: {type: integer, check: ">= 1", says: most further orders that the what-if tries}
  value_horizon_days: {type: integer, nullable: true, unit: day, check: ">= 1", says: "how far ahead value is predicted; null is without end"}
  value_interval: {type: double, check: "between 0 and 1", says: share of realised values that an interval is to hold}
  value_discount_rate_annual: {type: double, check: ">= 0", says: "money a year from now counts as itself divided by 1 + this"}
  value_model: {type: text, says: "purchase model that was asked for; auto lets a backtest choose"}
  value_spend: {type: text, says: spend model that was asked for}
  value_recalibrate: {type: boolean, says: whether predictions are corrected by what came of those made one horizon ago}
  same_orders: {type: text, check: "in ('keep', 'once')", says: "what happens to an order that two systems hold alike: both are kept, or it counts once"}
  session_minutes: {type: integer, check: ">= 1", says: "a longer pause between two events of a visitor begins a new session"}
--- */
