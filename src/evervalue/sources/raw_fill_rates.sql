/* ---
table: raw.fill_rates
grain: run_id, source, column_name
says: "How many cells were filled in the rows that each load brought, of every field that is mapped."
filled_by: sources
columns:
  run_id: {type: text, says: "run that read"}
  source: {type: text, says: "name of the source in the settings"}
  column_name: {type: text, says: "field of the mapped table"}
  rows_came: {type: bigint, unit: count, says: "rows that came and were mapped"}
  rows_filled: {type: bigint, unit: count, says: "of those, rows in which the field has a value"}
--- */
