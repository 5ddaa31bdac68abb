/* ---
table: run.columns
grain: table_name, column_name
says: Every column of every table of the run.
filled_by: pipeline
columns:
  table_name: {type: text, says: "schema.table"}
  column_name: {type: text, says: name of the column}
  position: {type: integer, says: place of the column in its table}
  type: {type: text, says: type of the column}
  unit: {type: text, nullable: true, says: unit of its values}
  says: {type: text, says: what the column is}
  sensitivity: {type: text, nullable: true, says: "personal where masking must know"}
--- */
