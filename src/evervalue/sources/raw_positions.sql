/* ---
table: raw.positions
grain: source, feed
says: "How far each stream of changes was applied, and each table of it. Written in the transaction that holds the rows."
filled_by: sources
columns:
  source: {type: text, says: "name of the source in the settings"}
  feed: {type: text, says: "feed of the source; empty for the stream itself"}
  kind: {type: text, check: "in ('postgres', 'binlog', 'files')", says: "where the changes come from"}
  server: {type: text, nullable: true, says: "identity of the server, as it tells it itself"}
  timeline: {type: bigint, nullable: true, says: "PostgreSQL's timeline"}
  slot: {type: text, nullable: true, says: "replication slot; for a binlog the last file"}
  lsn: {type: ubigint, says: "position of the last transaction applied; for a feed the position its rows were read as of"}
  ordinal: {type: bigint, says: "last change applied within that transaction"}
  next_lsn: {type: ubigint, says: "where the stream is taken up; for a feed the position from which its rows agree with the source"}
  gtid: {type: text, nullable: true, says: "set of global transaction ids applied, where the server has them"}
  committed_at: {type: timestamp, nullable: true, says: "when the source committed the last transaction applied, UTC"}
  current_to: {type: timestamp, nullable: true, says: "all that the source had committed by then is applied, by its own clock, UTC; of the stream"}
  shape: {type: text, nullable: true, says: "columns of a feed as the stream last described them, JSON"}
  run_id: {type: text, says: "run or batch that wrote this"}
--- */
