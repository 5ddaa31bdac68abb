/* ---
table: run.event_sources
grain: source
says: "Sources whose events the collector takes, and up to where in its log they are in the tables of this run; what came since is looked at live."
filled_by: pipeline
columns:
  source: {type: text, says: name of the source in the settings}
  customer_keys: {type: text, says: "namespace of its customer keys"}
  last_seq: {type: bigint, check: ">= 0", says: "place in the log of the last event that was read; 0 before the first"}
  takes_orders: {type: boolean, says: "whether orders and people of it count; else it tells of visits alone (trust = browser)"}
--- */
