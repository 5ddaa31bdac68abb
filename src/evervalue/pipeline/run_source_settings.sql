/* ---
table: run.source_settings
grain: source
says: How each source is treated in this run.
filled_by: pipeline
columns:
  source: {type: text, says: name of the source in the settings}
  provides: {type: text, says: what one row of it is}
  system: {type: text, says: "name of the system that the source is part of"}
  customer_keys: {type: text, says: "namespace of its customer keys; sources of one namespace mean the same customer by the same key"}
  keys_given: {type: boolean, says: "whether the settings say the namespace; else it is the system's name"}
  stale_after_seconds: {type: double, nullable: true, unit: second, says: "longest time without news that is no alarm, where the settings say it"}
  duplicates: {type: text, check: "in ('keep', 'drop')", says: "what happens to identical lines that have no line id"}
  without_rate: {type: text, check: "in ('stop', 'quarantine')", says: "what happens to order lines in a currency for which no rate covers their day"}
--- */
