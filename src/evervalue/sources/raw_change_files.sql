/* ---
table: raw.change_files
grain: feed, sha256
says: "Every file of changes that was applied."
filled_by: sources
columns:
  feed: {type: text, says: "name of the feed that it changed"}
  path: {type: text, says: "where it lay"}
  sha256: {type: text, says: "hash of its bytes; a copy is not read again"}
  bytes: {type: bigint, says: "size"}
  changes: {type: bigint, unit: count, says: "changes it holds"}
  from_lsn: {type: ubigint, nullable: true, says: "oldest position in it"}
  to_lsn: {type: ubigint, nullable: true, says: "newest position in it"}
  newest_at: {type: timestamp, nullable: true, says: "when the newest of its changes was committed, UTC; null where it does not say"}
  run_id: {type: text, says: "run that applied it"}
--- */
