/* ---
table: raw.files
grain: source, path, sha256
says: "Every file that was read, or found to be a copy of one that was."
filled_by: sources
columns:
  source: {type: text, says: "name of the source in the settings"}
  file_id: {type: text, says: "names the file's content: the first sixteen digits of its sha256"}
  path: {type: text, says: "where it lay, relative to the project where it lay inside"}
  sha256: {type: text, says: "hash of its bytes"}
  bytes: {type: bigint, says: "size as it lay there, packed where it was packed"}
  format: {type: text, says: "csv, jsonl, parquet or xlsx, and how it was packed"}
  encoding: {type: text, nullable: true, says: "encoding of a text file, as set or found out"}
  delimiter: {type: text, nullable: true, says: "character between fields, as set or found out"}
  reader: {type: text, says: "hash of the settings it was read with"}
  rows_read: {type: bigint, unit: count, says: "rows it holds; 0 for a copy, which is not read"}
  run_id: {type: text, says: "run that read it"}
  etag: {type: text, nullable: true, says: "what an object store calls this state of the object"}
  modified_at: {type: timestamp, nullable: true, says: "when the object was last written, as its store says; UTC"}
  status: {type: text, check: "in ('loaded', 'same_content', 'replaced', 'replayed', 'left', 'left_out')", says: "loaded: its rows are in the raw table; same_content: a copy of a loaded file, not counted again; replaced: newer content under this path took its place; left_out: the setting path does not mean it any more; left: its source is not in the settings any more, its rows are in the raw table and count nowhere; replayed: mended rows of quarantine"}
--- */
