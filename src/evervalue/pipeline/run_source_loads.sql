/* ---
table: run.source_loads
grain: source, read_at
says: "What each load brought of each source, for its history."
order_by: source, read_at
columns:
  source: {type: text, says: name of the source}
  read_at: {type: timestamp, says: "instant of the load, UTC"}
  run_id: {type: text, says: run that read}
  rows_came: {type: bigint, unit: count, says: rows that were new or changed}
  rows_came_refused: {type: bigint, unit: count, says: "of those, in quarantine"}
  rows_read: {type: bigint, unit: count, says: rows the source held}
  behind_seconds: {type: double, nullable: true, unit: second, says: "of a source that is followed: how far behind it was"}
  failed: {type: text, nullable: true, says: why it could not be read}
--- */
select source, read_at, run_id, rows_came, rows_came_refused, rows_read, behind_seconds, failed
from raw.volumes
join run.source_settings using (source)
qualify row_number() over (partition by source, read_at order by run_id desc) = 1
