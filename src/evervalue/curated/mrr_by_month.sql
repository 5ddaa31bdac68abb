/* ---
table: curated.mrr_by_month
grain: month, customer_id
says: "Monthly recurring revenue of each customer at the end of each month, and how it moved since the month before. Months end within the window: their last day lies before the cutoff."
order_by: customer_id, month
checks:
  "a movement is the change": "change = mrr - mrr_before"
columns:
  month: {type: date, says: first day of the month}
  customer_id: {type: text, says: stable customer key}
  mrr_before: {type: "decimal(18,4)", unit: currency, says: at the end of the month before}
  mrr: {type: "decimal(18,4)", unit: currency, says: at the end of the month}
  change: {type: "decimal(18,4)", unit: currency, says: the one less the other}
  movement: {type: text, check: "in ('new', 'expansion', 'contraction', 'churn', 'reactivation', 'unchanged')", says: "new: the first ever; reactivation: back from nothing; churn: to nothing; expansion and contraction: more or less"}
--- */
with bounds as (
    select
        min(u.started_on) as first_day,
        coalesce(
            any_value(t.as_of),
            greatest(max(u.started_on), (select max(order_date) from curated.order_lines)) + 1
        ) as until
    from curated.subscriptions as u
    cross join run.settings as t
    where u.is_counted
),
months as (
    select m.month::date as month, (m.month + interval 1 month)::date as next_month
    from (
        select unnest(generate_series(date_trunc('month', first_day), until, interval 1 month)) as month
        from bounds
        where first_day is not null
    ) as m
),
ends as (
    select x.month, x.next_month from months as x cross join bounds as b where x.next_month <= b.until
),
held as (
    select e.month, u.customer_id, sum(u.mrr) as mrr
    from ends as e
    join curated.subscriptions as u
        on u.is_counted and u.started_on < e.next_month and (u.ended_on is null or u.ended_on >= e.next_month)
    group by e.month, u.customer_id
    having sum(u.mrr) <> 0
),
-- The month after each month that has something, so that going to nothing is a row.
wanted as (
    select month, customer_id from held
    union
    select e.month, h.customer_id from held as h join ends as e on e.month = (h.month + interval 1 month)::date
),
beside as (
    select
        w.month, w.customer_id,
        coalesce(b.mrr, 0)::decimal(18,4) as mrr_before,
        coalesce(n.mrr, 0)::decimal(18,4) as mrr
    from wanted as w
    left join held as n on n.month = w.month and n.customer_id = w.customer_id
    left join held as b on b.month = (w.month - interval 1 month)::date and b.customer_id = w.customer_id
)
select
    month, customer_id, mrr_before, mrr,
    (mrr - mrr_before)::decimal(18,4) as change,
    case
        when mrr_before = 0 and mrr <> 0
            then case when row_number() over (partition by customer_id order by month) = 1 then 'new' else 'reactivation' end
        when mrr = 0 then 'churn'
        when mrr > mrr_before then 'expansion'
        when mrr < mrr_before then 'contraction'
        else 'unchanged'
    end as movement
from beside
