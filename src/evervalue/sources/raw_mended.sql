/* ---
table: raw.mended
grain: source, file_id, line
says: "Rows that were mended by hand: what they were, and what stands in the raw table in their place."
filled_by: sources
columns:
  source: {type: text, says: "name of the source in the settings"}
  file_id: {type: text, says: "file the row came from"}
  line: {type: bigint, check: ">= 1", says: "data row in the file"}
  reason: {type: text, says: "why it was refused when it was mended"}
  original_json: {type: text, sensitivity: personal, says: "the row as it came"}
  mended_json: {type: text, sensitivity: personal, says: "the row as it was mended: column and cell"}
  path: {type: text, says: "file that the mended row was read from"}
  run_id: {type: text, says: "run that took it"}
--- */
