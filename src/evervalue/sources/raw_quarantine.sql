/* ---
table: raw.quarantine
grain: source, file_id, line
says: "Rows that were refused, each with its reason."
filled_by: sources
columns:
  source: {type: text, says: "name of the source in the settings"}
  file_id: {type: text, says: "names the file's content: the first sixteen digits of its sha256"}
  path: {type: text, says: "where the file lay"}
  line: {type: bigint, check: ">= 1", says: "data row in the file, the first after the header is 1"}
  column_name: {type: text, nullable: true, says: "column of the cell at fault"}
  cell: {type: text, nullable: true, sensitivity: personal, says: "the cell, cut after 200 characters"}
  reason: {type: text, says: "short code of the reason"}
  says: {type: text, says: "the reason in words"}
  row_json: {type: text, sensitivity: personal, says: "the row: column and cell, or the fields where the row has another width"}
  run_id: {type: text, says: "run that refused it"}
--- */
