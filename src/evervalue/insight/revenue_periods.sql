/* ---
table: insight.revenue_periods
grain: []
says: "The two periods of the same length whose revenue is compared: the last twelve months and the twelve before, of a shorter history the last six, three or one."
columns:
  as_of: {type: date, says: "cutoff of the run, the first day after both"}
  first_day: {type: date, nullable: true, says: first business day with a line before the cutoff}
  compared_months: {type: integer, nullable: true, unit: month, check: "in (1, 3, 6, 12)", says: "length of each period; null where the history is too short for two months. Only twelve even out the seasons"}
  now_from: {type: date, nullable: true, says: first day of the later period}
  before_from: {type: date, nullable: true, says: first day of the earlier one}
--- */
with known as (
    select c.as_of, min(o.order_date) as first_day
    from customers.cutoff as c
    left join curated.orders as o on o.order_date < c.as_of
    group by c.as_of
),
measured as (
    select
        *,
        case
            when first_day <= as_of - interval 24 month then 12
            when first_day <= as_of - interval 12 month then 6
            when first_day <= as_of - interval 6 month then 3
            when first_day <= as_of - interval 2 month then 1
        end::integer as compared_months
    from known
)
select
    as_of,
    first_day,
    compared_months,
    case compared_months
        when 12 then as_of - interval 12 month
        when 6 then as_of - interval 6 month
        when 3 then as_of - interval 3 month
        when 1 then as_of - interval 1 month
    end::date as now_from,
    case compared_months
        when 12 then as_of - interval 24 month
        when 6 then as_of - interval 12 month
        when 3 then as_of - interval 6 month
        when 1 then as_of - interval 2 month
    end::date as before_from
from measured
