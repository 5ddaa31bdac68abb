/* ---
table: raw.mappings
grain: source
says: "How each source was mapped last."
filled_by: sources
columns:
  source: {type: text, says: "name of the source in the settings"}
  settings_hash: {type: text, says: "hash of the settings it was mapped with"}
  report: {type: text, says: "JSON: how doubts were settled, and warnings"}
  run_id: {type: text, says: "run that mapped it"}
  plan_hash: {type: text, nullable: true, says: "hash of the SQL it was mapped by; while it stays, only rows that changed are mapped"}
  feed: {type: text, nullable: true, says: "table of which one row is one row of the source"}
--- */
