/* ---
table: run.tables
grain: table_name
says: Every table of the run, what it is and how it was computed.
filled_by: pipeline
columns:
  table_name: {type: text, says: "schema.table"}
  says: {type: text, says: what the table is}
  grain: {type: text, says: "columns that name a row; empty for a table of one row"}
  sql: {type: text, says: "SELECT that built it; empty where code fills it"}
  rows: {type: bigint, unit: count, says: rows that landed}
  seconds: {type: double, unit: second, says: time that building and checking took}
  position: {type: integer, says: place in the order of the run}
--- */
