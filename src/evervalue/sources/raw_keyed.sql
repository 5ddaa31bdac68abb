/* ---
table: raw.keyed
grain: feed
says: "Every raw table whose rows have a key and to which changes are applied, and how far."
filled_by: sources
columns:
  feed: {type: text, says: "name of the feed; its rows are in raw.\"feed\", what they were before in raw.\"feed~past\""}
  file_id: {type: text, says: "the one part that all its rows belong to"}
  key_columns: {type: text, says: "columns that name a row, a JSON list"}
  last_line: {type: bigint, check: ">= 0", says: "highest number a row was given; numbers are never given twice"}
  live_rows: {type: bigint, unit: count, check: ">= 0", says: "rows that are live, by adding what came and subtracting what went"}
  incomplete: {type: bigint, unit: count, check: ">= 0", says: "changes set aside because they leave out values that are not known here"}
  truncated_lsn: {type: ubigint, nullable: true, says: "position of the last truncate: nothing older is live"}
  truncated_ordinal: {type: bigint, nullable: true, says: "position of the last truncate within its transaction"}
--- */
