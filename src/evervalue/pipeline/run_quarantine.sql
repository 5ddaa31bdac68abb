/* ---
table: run.quarantine
grain: source, reason
says: "How many rows were refused and why, before and after mapping, by source; the rows themselves stay in the warehouse."
columns:
  source: {type: text, says: name of the source}
  reason: {type: text, says: short code of the reason}
  row_count: {type: bigint, unit: count, says: rows refused for it}
--- */
with refused as (
    select source, reason from raw.quarantine
    union all
    select source, reason from curated.refused_lines where verdict = 'quarantined'
    union all
    select source, reason from curated.refused_rows where verdict = 'quarantined'
)
select source, reason, count(*) as row_count
from refused
group by source, reason
