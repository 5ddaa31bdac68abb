/* ---
table: run.source_settings
grain: source
says: How each source is treated in this run.
filled_by: pipeline
columns:
  source: {type: text, says: name of the source in the settings}
  provides: {type: text, says: what one row of it is}
  duplicates: {type: text, check: "in ('keep', 'drop')", says: "what happens to identical lines that have no line id"}
--- */
