/* ---
table: raw.ranges
grain: source, file_id
says: "Every range of a table of a database that was read, with what tells whether it has changed since."
filled_by: sources
columns:
  source: {type: text, says: "name of the feed"}
  file_id: {type: text, says: "the part that its rows belong to, as in raw.files"}
  place: {type: integer, check: ">= 0", says: "place among the ranges of the table, in the order of the key"}
  key_columns: {type: text, says: "columns by which the table is parted, a JSON list; empty where it is by blocks or not at all"}
  above: {type: text, nullable: true, says: "key that all its rows are above, a JSON list; null for the first. A range ends where the next begins"}
  rows: {type: bigint, unit: count, check: ">= 0", says: "rows it held"}
  content: {type: text, says: "fingerprint of its rows, told by the database or made of what was read"}
  schema_hash: {type: text, says: "names the columns with their types: where it changes, every range is read again"}
  next_line: {type: bigint, check: ">= 1", says: "number of the next row that comes; numbers are never given twice"}
  run_id: {type: text, says: "run that read it last"}
--- */
