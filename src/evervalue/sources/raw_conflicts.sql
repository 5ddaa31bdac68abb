/* ---
table: raw.conflicts
grain: source, file_id, line
says: "Rows that could be read but contradict other rows, as the last run found them, each with its reason."
filled_by: pipeline
columns:
  source: {type: text, says: "name of the source in the settings"}
  file_id: {type: text, says: "names the file's content: the first sixteen digits of its sha256"}
  path: {type: text, says: "where the file lay"}
  line: {type: bigint, check: ">= 1", says: "data row in the file, the first after the header is 1"}
  reason: {type: text, says: "short code of the reason"}
  says: {type: text, says: "the reason in words"}
  row_json: {type: text, sensitivity: personal, says: "the row: column and cell"}
  run_id: {type: text, says: "run that refused it"}
--- */
