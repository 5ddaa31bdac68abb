/* ---
table: curated.refused_rows
grain: source, file_id, line
says: "Rows of costs, income, contracts and balances that were read but are not stored, with the reason; order lines are in curated.refused_lines."
columns:
  source: {type: text, says: name of the source}
  file_id: {type: text, says: file the row came from}
  line: {type: bigint, says: data row in the file}
  verdict: {type: text, check: "in ('duplicate', 'quarantined')", says: what became of the row}
  reason: {type: text, says: short code of the reason}
  says: {type: text, says: the reason in words}
--- */
with rows_read as (
    select
        e.source, e.file_id, e.line,
        'entry id ' || e.entry_id as name,
        concat_ws('|', e.cost_kind, e.amount::text, e.currency, coalesce(e.cost_date::text, '~'),
            coalesce(e.period_start::text, '~'), coalesce(e.period_end::text, '~'), coalesce(e.line_id, '~'),
            coalesce(e.order_id, '~'), coalesce(e.customer_id, '~'), coalesce(e.product_id, '~'), coalesce(e.category, '~'),
            coalesce(e.channel, '~')) as content,
        case
            when e.line_id is null and e.order_id is null and coalesce(e.cost_date, e.period_start) is null then 'missing_period'
            when e.period_end < e.period_start then 'ends_before_it_begins'
            when e.currency <> t.currency and coalesce(e.cost_date, e.period_end, e.period_start) is null then 'no_day_for_rate'
        end as fault
    from mapped.cost_entries as e
    cross join run.settings as t
    union all
    select
        source, file_id, line,
        'income id ' || income_id,
        concat_ws('|', customer_id, coalesce(account_id, '~'), coalesce(product_id, '~'), coalesce(period_start::text, '~'),
            period_end::text, coalesce(interest_income::text, '~'), coalesce(interest_expense::text, '~'),
            coalesce(fees::text, '~'), currency, coalesce(channel, '~'), coalesce(region, '~'), coalesce(country, '~')),
        case when period_end < period_start then 'ends_before_it_begins' end
    from mapped.income
    union all
    select
        source, file_id, line,
        'contract ' || subscription_id || ' from ' || started_on || coalesce(' of ' || product_id, ''),
        concat_ws('|', customer_id, coalesce(ended_on::text, '~'), amount::text, coalesce(quantity::text, '~'), currency,
            coalesce(period, '~'), coalesce(status, '~')),
        case
            when ended_on < started_on then 'ends_before_it_begins'
            when ended_on is null
                and lower(status) in ('canceled', 'cancelled', 'ended', 'expired', 'churned', 'terminated', 'closed', 'inactive')
                then 'ended_without_day'
        end
    from mapped.subscriptions
    union all
    select
        source, file_id, line,
        'balance of ' || account_id || ' on ' || balance_date || ' in ' || currency,
        concat_ws('|', customer_id, coalesce(product_id, '~'), balance::text),
        null
    from mapped.balances
),
named as (
    select
        r.source, r.file_id, r.line, r.content, r.fault,
        r.name as said,
        case when r.name is not null then r.name when s.duplicates = 'drop' then 'row ' || r.content end as name
    from rows_read as r
    join run.source_settings as s on s.source = r.source
),
judged as (
    select *,
        case when name is not null then row_number() over (partition by source, name, content order by file_id, line) end as place,
        case when name is not null then min(content) over (partition by source, name) end as least,
        case when name is not null then max(content) over (partition by source, name) end as greatest
    from named
)
select
    source, file_id, line,
    case when fault is not null or least <> greatest then 'quarantined' else 'duplicate' end as verdict,
    case when fault is not null then fault when least <> greatest then 'conflicting_row'
        when said is not null then 'same_id' else 'same_content' end as reason,
    case
        when fault = 'missing_period' then 'the cost names no line and no order, and has neither a day nor a period'
        when fault = 'ends_before_it_begins' then 'its last day lies before its first'
        when fault = 'no_day_for_rate' then 'the cost is in another currency and has no day of which a rate could be taken'
        when fault = 'ended_without_day' then 'its status says that it is over, and no day says since when'
        when least <> greatest then said || ' stands for rows that differ'
        when said is not null then said || ' was read before, with the same content'
        else 'an identical row was read before'
    end as says
from judged
where fault is not null or least <> greatest or place > 1
