/* ---
table: raw.change_objects
grain: feed, path
says: "Every object of changes in a bucket as it was when it was looked at last: what has not changed is not fetched again."
filled_by: sources
columns:
  feed: {type: text, says: "name of the feed that it changes"}
  path: {type: text, says: "where it lies"}
  etag: {type: text, says: "what the store calls this state of it"}
  bytes: {type: bigint, says: "size"}
  modified_at: {type: timestamp, says: "when it was last written, UTC"}
  sha256: {type: text, says: "hash of its bytes, as in raw.change_files"}
  format: {type: text, says: "csv, jsonl, parquet ...; with how it is packed, as csv.gzip"}
  run_id: {type: text, says: "run that fetched it last"}
--- */
