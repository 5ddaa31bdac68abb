/* ---
table: raw.volumes
grain: run_id, source
says: "What each load brought of each source: the history that the next one is held against."
filled_by: sources
columns:
  run_id: {type: text, says: "run that read"}
  source: {type: text, says: "name of the source in the settings"}
  system: {type: text, says: "system that the source is part of"}
  kind: {type: text, says: "what sort of system it is"}
  place: {type: text, says: "path or table that was read"}
  read_at: {type: timestamp, says: "instant of the load, UTC"}
  rows_came: {type: bigint, unit: count, check: ">= 0", says: "rows that were new or changed since the load before, read and mapped or refused"}
  rows_came_refused: {type: bigint, unit: count, check: ">= 0", says: "of those, in quarantine"}
  rows_read: {type: bigint, unit: count, says: "rows the source holds"}
  newest_at: {type: timestamp, nullable: true, says: "newest instant in its rows, UTC; null where they have none"}
  behind_seconds: {type: double, nullable: true, unit: second, says: "of a source that is followed: how far what was applied lay behind the source"}
  failed: {type: text, nullable: true, says: "why it could not be read, where the run went on without"}
--- */
