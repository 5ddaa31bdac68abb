/* ---
table: run.sources
grain: source
says: "Every source in one row: where it is, when it was read, how new it is, where its rows went, and its state."
columns:
  source: {type: text, says: name of the source}
  system: {type: text, says: system that it is part of}
  kind: {type: text, says: "what sort of system: files, postgres, mysql, sql or changes"}
  place: {type: text, says: path or table}
  provides: {type: text, says: what one row of it is}
  state: {type: text, check: "in ('ok', 'learning', 'watch', 'alarm')", says: the worst state of its checks}
  state_says: {type: text, says: what the state is about}
  read_at: {type: timestamp, says: "when it was read last, UTC"}
  last_news_at: {type: timestamp, nullable: true, says: "when it brought something new last, UTC"}
  newest_at: {type: timestamp, nullable: true, says: "newest instant in its rows, UTC"}
  behind_seconds: {type: double, nullable: true, unit: second, says: "of a source that is followed: how far what was applied lay behind"}
  stale_after_seconds: {type: double, nullable: true, unit: second, says: "longest time without news that is no alarm"}
  rows_came: {type: bigint, unit: count, says: rows that were new or changed in the last load}
  rows_read: {type: bigint, unit: count, says: rows it holds}
  rows_stored: {type: bigint, unit: count, says: rows that are in the curated tables}
  rows_duplicate: {type: bigint, unit: count, says: rows that repeat another}
  rows_quarantined: {type: bigint, unit: count, says: rows refused with a reason}
  rows_set_aside: {type: bigint, unit: count, says: rows that the rules of the settings leave out}
  amount_unexplained: {type: "decimal(38,4)", unit: currency, says: money that is not accounted for}
--- */
with worst as (
    select
        source,
        -- Whether it could be read and what was refused is known from the first load on; what is usual is not.
        max(case
            when state = 'alarm' then 3
            when state = 'watch' then 2
            when state = 'learning' and check_name in ('freshness', 'volume') then 1
            else 0
        end) as rank,
        string_agg(says, '; ' order by case state when 'alarm' then 0 else 1 end, check_name, field)
            filter (where state in ('alarm', 'watch')) as says
    from run.source_checks
    group by source
),
fresh as (
    select source, expected_high from run.source_checks where check_name = 'freshness'
),
latest as (
    select v.* from raw.volumes as v join run.source_settings using (source)
    qualify row_number() over (partition by v.source order by v.read_at desc, v.run_id desc) = 1
),
news as (
    select source, max(read_at) as last_news_at from raw.volumes where rows_came > 0 group by source
)
select
    l.source,
    l.system,
    l.kind,
    l.place,
    r.provides,
    case w.rank when 3 then 'alarm' when 2 then 'watch' when 1 then 'learning' else 'ok' end as state,
    coalesce(w.says, case w.rank when 1 then 'too little history to say what is usual' else 'as usual' end) as state_says,
    l.read_at,
    n.last_news_at,
    l.newest_at,
    l.behind_seconds,
    f.expected_high as stale_after_seconds,
    l.rows_came,
    r.rows_read,
    r.rows_stored,
    r.rows_duplicate,
    r.rows_quarantined,
    r.rows_set_aside,
    r.amount_unexplained
from latest as l
join curated.reconciliation as r using (source)
join worst as w using (source)
left join fresh as f using (source)
left join news as n using (source)
