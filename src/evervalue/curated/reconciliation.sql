/* ---
table: curated.reconciliation
grain: source
says: "Every row and every unit of money a source brought, and where it went."
checks:
  "rows read are stored, duplicate or quarantined": "rows_read = rows_stored + rows_duplicate + rows_quarantined"
  "amounts read are stored, duplicate or quarantined": "amount_unexplained = 0"
  "margins read are stored, duplicate or quarantined": "margin_unexplained = 0"
columns:
  source: {type: text, says: name of the source}
  provides: {type: text, says: what one row of it is}
  rows_read: {type: bigint, says: rows in its files}
  rows_stored: {type: bigint, says: rows that are in the curated tables}
  rows_duplicate: {type: bigint, says: rows that repeat another}
  rows_quarantined: {type: bigint, says: rows refused with a reason}
  amount_read: {type: "decimal(38,4)", unit: currency, says: "sum of the amounts in its files, in their own currencies"}
  amount_stored: {type: "decimal(38,4)", unit: currency, says: sum of the stored amounts}
  amount_duplicate: {type: "decimal(38,4)", unit: currency, says: sum of the duplicates' amounts}
  amount_quarantined: {type: "decimal(38,4)", unit: currency, says: sum of the quarantined amounts}
  amount_unexplained: {type: "decimal(38,4)", unit: currency, says: what is left; must be nothing}
  margin_read: {type: "decimal(38,4)", unit: currency, says: sum of the margins in its files}
  margin_stored: {type: "decimal(38,4)", unit: currency, says: sum of the stored margins}
  margin_unexplained: {type: "decimal(38,4)", unit: currency, says: what is left; must be nothing}
--- */
with totals as (
    select
        source, provides,
        sum(rows_read)::bigint as rows_read, sum(rows_mapped)::bigint as rows_mapped,
        sum(rows_quarantined)::bigint as rows_quarantined,
        sum(amount_read) as amount_read, sum(amount_quarantined) as amount_quarantined,
        sum(margin_read) as margin_read, sum(margin_quarantined) as margin_quarantined
    from mapped.source_totals
    group by source, provides
),
stored as (
    select l.source, count(*) as n, sum(l.source_amount) as amount
    from curated.order_lines as l
    group by l.source
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
),
joined as (
    select
        t.source, t.provides, t.rows_read,
        case when t.provides = 'order_lines' then coalesce(s.n, 0) else t.rows_mapped end as rows_stored,
        coalesce(r.duplicates, 0) as rows_duplicate,
        (t.rows_quarantined + coalesce(r.quarantined, 0))::bigint as rows_quarantined,
        coalesce(t.amount_read, 0)::decimal(38,4) as amount_read,
        coalesce(s.amount, 0)::decimal(38,4) as amount_stored,
        coalesce(r.amount_duplicate, 0)::decimal(38,4) as amount_duplicate,
        (coalesce(t.amount_quarantined, 0) + coalesce(r.amount_quarantined, 0))::decimal(38,4) as amount_quarantined,
        coalesce(t.margin_read, 0)::decimal(38,4) as margin_read,
        coalesce(m.margin, 0)::decimal(38,4) as margin_stored,
        (coalesce(t.margin_quarantined, 0) + coalesce(r.margin, 0))::decimal(38,4) as margin_refused
    from totals as t
    left join stored as s using (source)
    left join stored_margins as m using (source)
    left join refused as r using (source)
)
select
    source, provides, rows_read, rows_stored, rows_duplicate, rows_quarantined,
    amount_read, amount_stored, amount_duplicate, amount_quarantined,
    (amount_read - amount_stored - amount_duplicate - amount_quarantined)::decimal(38,4) as amount_unexplained,
    margin_read, margin_stored,
    (margin_read - margin_stored - margin_refused)::decimal(38,4) as margin_unexplained
from joined
