/* ---
table: run.source_checks
grain: source, check_name, field
says: "What every source brought, held against what it used to bring: freshness, volume, refused rows and empty cells, each with its state in words."
columns:
  source: {type: text, says: name of the source}
  check_name: {type: text, check: "in ('reading', 'freshness', 'volume', 'refused', 'empty_cells')", says: what was looked at}
  field: {type: text, says: "field whose cells were looked at; empty for the other checks"}
  state: {type: text, check: "in ('ok', 'learning', 'watch', 'alarm')", says: "learning: there is too little history to judge by"}
  value: {type: double, nullable: true, says: what was found}
  expected_low: {type: double, nullable: true, says: least that would be usual}
  expected_high: {type: double, nullable: true, says: most that would be usual}
  says: {type: text, says: the finding in words}
--- */
with ranked as (
    select
        v.*, s.stale_after_seconds,
        row_number() over (partition by v.source order by v.read_at desc, v.run_id desc) as back
    from raw.volumes as v
    join run.source_settings as s using (source)
),
latest as (
    select * from ranked where back = 1
),
news as (
    select
        source, read_at, rows_came, rows_came_refused, back,
        epoch(read_at) - epoch(lag(read_at) over (partition by source order by read_at)) as gap_seconds
    from ranked
    where rows_came > 0
),
usual as (
    select
        source,
        count(*) filter (where back > 1) as loads,
        max(read_at) as last_news_at,
        quantile_cont(gap_seconds, 0.95) as usual_gap_seconds,
        -- The first load brings everything there is, so it says nothing of what is usual.
        median(rows_came) filter (where back > 1 and gap_seconds is not null) as usual_rows,
        count(*) filter (where back > 1 and gap_seconds is not null) as later_loads,
        sum(rows_came_refused) filter (where back > 1) as refused_before,
        sum(rows_came) filter (where back > 1) as came_before
    from news
    group by source
),
judged as (
    select
        l.*, u.loads, u.last_news_at, u.usual_rows, u.later_loads,
        coalesce(l.stale_after_seconds, case when u.loads >= 5 then greatest(1.5 * u.usual_gap_seconds, 3600) end) as limit_seconds,
        epoch(l.read_at) - epoch(u.last_news_at) as quiet_seconds,
        u.refused_before / nullif(u.came_before, 0) as refused_share,
        l.rows_came_refused / nullif(l.rows_came, 0) as refused_now
    from latest as l
    left join usual as u using (source)
),
fills as (
    select
        f.source, f.column_name, r.back, f.rows_came,
        (f.rows_came - f.rows_filled) as empty
    from raw.fill_rates as f
    join ranked as r on r.source = f.source and r.run_id = f.run_id
),
filled as (
    select
        source, column_name,
        sum(rows_came) filter (where back = 1) as rows_now,
        sum(empty) filter (where back = 1) as empty_now,
        sum(rows_came) filter (where back > 1) as rows_before,
        sum(empty) filter (where back > 1) as empty_before,
        count(*) filter (where back > 1) as loads
    from fills
    group by source, column_name
),
shares as (
    select
        *,
        empty_now / rows_now as share_now,
        empty_before / rows_before as share_before,
        -- Five points, or five standard errors of the rows that came, whichever is more.
        greatest(0.05, 5 * sqrt((empty_before + 1) / (rows_before + 2) * (1 - (empty_before + 1) / (rows_before + 2)) / rows_now)) as room
    from filled
    where rows_now > 0
),
found as (
    select source, 'reading' as check_name, '' as field,
        case when failed is null then 'ok' else 'alarm' end as state,
        null::double as value, null::double as expected_low, null::double as expected_high,
        coalesce('could not be read, so what was read before is shown: ' || failed, 'was read') as says
    from judged
    union all
    select source, 'freshness', '',
        case
            when limit_seconds is null or quiet_seconds is null then 'learning'
            when quiet_seconds > limit_seconds then 'alarm'
            else 'ok'
        end,
        quiet_seconds, 0, limit_seconds,
        case
            when quiet_seconds is null then 'has brought nothing yet'
            when limit_seconds is null then 'nothing is known yet of how often it brings news; set stale_after to be told'
            when quiet_seconds > limit_seconds then
                'no news for ' || round(quiet_seconds / 3600, 1) || ' hours; ' || round(limit_seconds / 3600, 1) || ' would be usual at most'
            else 'news within ' || round(limit_seconds / 3600, 1) || ' hours'
        end
    from judged
    union all
    select source, 'volume', '',
        case
            when rows_came = 0 then 'ok'
            when coalesce(later_loads, 0) < 5 then 'learning'
            when rows_came between usual_rows / 4 and usual_rows * 4 then 'ok'
            when rows_came between usual_rows / 20 and usual_rows * 20 then 'watch'
            else 'alarm'
        end,
        rows_came, case when later_loads >= 5 then usual_rows / 4 end, case when later_loads >= 5 then usual_rows * 4 end,
        case
            when rows_came = 0 then 'brought nothing new'
            when coalesce(later_loads, 0) < 5 then 'brought ' || format('{:,}', rows_came) || case when rows_came = 1 then ' row' else ' rows' end || '; too few loads to say whether that is usual'
            else 'brought ' || format('{:,}', rows_came) || case when rows_came = 1 then ' row' else ' rows' end || ', where ' || format('{:,}', usual_rows::bigint) || ' are usual'
        end
    from judged
    union all
    select source, 'refused', '',
        case
            when rows_came = 0 or rows_came_refused = 0 then 'ok'
            when coalesce(loads, 0) < 3 then case when refused_now > 0.1 then 'watch' else 'ok' end
            when refused_now > greatest(4 * refused_share, refused_share + 0.05) then 'alarm'
            when refused_now > greatest(2 * refused_share, refused_share + 0.01) then 'watch'
            else 'ok'
        end,
        refused_now, 0, case when loads >= 3 then greatest(2 * refused_share, refused_share + 0.01) end,
        case
            when rows_came = 0 then 'brought nothing that could be refused'
            when rows_came_refused = 0 then 'no row was refused'
            else format('{:,}', rows_came_refused) || ' of ' || format('{:,}', rows_came) || ' rows that came were refused ('
                || round(100 * refused_now, 1) || ' %' || coalesce(', where ' || round(100 * refused_share, 1) || ' % are usual', '') || ')'
        end
    from judged
    union all
    select source, 'empty_cells', column_name,
        case
            when loads < 3 then 'learning'
            when abs(share_now - share_before) > 4 * room then 'alarm'
            when abs(share_now - share_before) > room then 'watch'
            else 'ok'
        end,
        share_now,
        case when loads >= 3 then greatest(0, share_before - room) end,
        case when loads >= 3 then least(1, share_before + room) end,
        column_name || ' is empty in ' || round(100 * share_now, 1) || ' % of the rows that came'
            || coalesce(', where ' || round(100 * share_before, 1) || ' % are usual', '')
    from shares
)
select source, check_name, field, state, value::double as value, expected_low::double as expected_low,
    expected_high::double as expected_high, says
from found
