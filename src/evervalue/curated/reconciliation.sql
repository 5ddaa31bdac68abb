/* ---
table: curated.reconciliation
grain: source
says: "Every row and every unit of money a source brought, and where it went."
checks:
  "rows read are stored, duplicate, quarantined or set aside": "rows_read = rows_stored + rows_duplicate + rows_quarantined + rows_set_aside"
  "amounts read are stored, duplicate, quarantined or set aside": "amount_unexplained = 0"
  "margins read are stored, duplicate, quarantined or set aside": "margin_unexplained = 0"
columns:
  source: {type: text, says: name of the source}
  provides: {type: text, says: what one row of it is}
  rows_read: {type: bigint, says: rows in its files}
  rows_stored: {type: bigint, says: rows that are in the curated tables}
  rows_duplicate: {type: bigint, says: rows that repeat another}
  rows_quarantined: {type: bigint, says: rows refused with a reason}
  rows_set_aside: {type: bigint, says: rows that the rules of the settings leave out}
  amount_read: {type: "decimal(38,4)", unit: currency, says: "sum of the amounts in its files, in their own currencies"}
  amount_stored: {type: "decimal(38,4)", unit: currency, says: sum of the stored amounts}
  amount_duplicate: {type: "decimal(38,4)", unit: currency, says: sum of the duplicates' amounts}
  amount_quarantined: {type: "decimal(38,4)", unit: currency, says: sum of the quarantined amounts}
  amount_set_aside: {type: "decimal(38,4)", unit: currency, says: sum of the amounts set aside}
  amount_unexplained: {type: "decimal(38,4)", unit: currency, says: what is left; must be nothing}
  margin_read: {type: "decimal(38,4)", unit: currency, says: sum of the margins in its files}
  margin_stored: {type: "decimal(38,4)", unit: currency, says: sum of the stored margins}
  margin_unexplained: {type: "decimal(38,4)", unit: currency, says: what is left; must be nothing}
--- */
with totals as (
    select
        source, provides,
        sum(rows_read)::bigint as rows_read, sum(rows_mapped)::bigint as rows_mapped,
        sum(rows_quarantined)::bigint as rows_quarantined, sum(rows_set_aside)::bigint as rows_set_aside,
        sum(amount_read) as amount_read, sum(amount_quarantined) as amount_quarantined, sum(amount_set_aside) as amount_set_aside,
        sum(margin_read) as margin_read, sum(margin_quarantined) as margin_quarantined, sum(margin_set_aside) as margin_set_aside
    from mapped.source_totals
    group by source, provides
),
-- What is stored is counted from the curated tables themselves, in the currencies it came in.
stored as (
    select source, count(*) as n, sum(source_amount) as amount from curated.order_lines group by source
    union all
    select source, count(*), sum(source_amount) from curated.cost_entries group by source
    union all
    select source, count(*), sum(source_amount) from curated.subscriptions group by source
    union all
    select source, count(*), sum(balance) from curated.balances group by source
),
stored_margins as (
    select m.source, sum(m.margin) as margin
    from mapped.order_lines as m
    semi join curated.order_lines as l on l.source = m.source and l.file_id = m.file_id and l.line = m.line
    group by m.source
),
refused as (
    select
        m.source,
        count(*) filter (where r.verdict = 'duplicate') as duplicates,
        count(*) filter (where r.verdict = 'quarantined') as quarantined,
        sum(m.amount) filter (where r.verdict = 'duplicate') as amount_duplicate,
        sum(m.amount) filter (where r.verdict = 'quarantined') as amount_quarantined,
        sum(m.margin) as margin
    from mapped.order_lines as m
    join curated.refused_lines as r on r.source = m.source and r.file_id = m.file_id and r.line = m.line
    group by m.source
    union all
    select
        m.source,
        count(*) filter (where r.verdict = 'duplicate'),
        count(*) filter (where r.verdict = 'quarantined'),
        sum(m.amount) filter (where r.verdict = 'duplicate'),
        sum(m.amount) filter (where r.verdict = 'quarantined'),
        null
    from (
        select source, file_id, line, amount from mapped.cost_entries
        union all
        select source, file_id, line, amount from mapped.subscriptions
        union all
        select source, file_id, line, balance from mapped.balances
        union all
        select source, file_id, line, coalesce(interest_income, 0) + coalesce(fees, 0) from mapped.income
    ) as m
    join curated.refused_rows as r on r.source = m.source and r.file_id = m.file_id and r.line = m.line
    group by m.source
),
joined as (
    select
        t.source, t.provides, t.rows_read,
        -- Customers, costs of products, rates and identifiers are stored as they were mapped.
        case when t.provides in ('order_lines', 'cost_entries', 'subscriptions', 'balances', 'income') then coalesce(s.n, 0)
            else t.rows_mapped end as rows_stored,
        coalesce(r.duplicates, 0) as rows_duplicate,
        (t.rows_quarantined + coalesce(r.quarantined, 0))::bigint as rows_quarantined,
        coalesce(t.rows_set_aside, 0)::bigint as rows_set_aside,
        coalesce(t.amount_read, 0)::decimal(38,4) as amount_read,
        coalesce(s.amount, 0)::decimal(38,4) as amount_stored,
        coalesce(r.amount_duplicate, 0)::decimal(38,4) as amount_duplicate,
        (coalesce(t.amount_quarantined, 0) + coalesce(r.amount_quarantined, 0))::decimal(38,4) as amount_quarantined,
        coalesce(t.amount_set_aside, 0)::decimal(38,4) as amount_set_aside,
        coalesce(t.margin_read, 0)::decimal(38,4) as margin_read,
        coalesce(m.margin, 0)::decimal(38,4) as margin_stored,
        (coalesce(t.margin_quarantined, 0) + coalesce(r.margin, 0) + coalesce(t.margin_set_aside, 0))::decimal(38,4)
            as margin_elsewhere
    from totals as t
    left join stored as s using (source)
    left join stored_margins as m using (source)
    left join refused as r using (source)
)
select
    source, provides, rows_read, rows_stored, rows_duplicate, rows_quarantined, rows_set_aside,
    amount_read, amount_stored, amount_duplicate, amount_quarantined, amount_set_aside,
    (amount_read - amount_stored - amount_duplicate - amount_quarantined - amount_set_aside)::decimal(38,4) as amount_unexplained,
    margin_read, margin_stored,
    (margin_read - margin_stored - margin_elsewhere)::decimal(38,4) as margin_unexplained
from joined
