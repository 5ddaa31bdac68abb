/* ---
table: raw.columns
grain: source, file_id, column_name
says: "The columns of every loaded file."
filled_by: sources
columns:
  source: {type: text, says: "name of the source in the settings"}
  file_id: {type: text, says: "names the file's content: the first sixteen digits of its sha256"}
  position: {type: integer, says: "place in the file, from 0"}
  column_name: {type: text, says: "name as found"}
  stored_type: {type: text, says: "text where the file holds text, number where its cells are typed numbers, else the engine's type"}
  key_position: {type: integer, nullable: true, says: "place in the key that names a row, from 0; null for other columns, and where rows have none"}
--- */
