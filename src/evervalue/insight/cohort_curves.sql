/* ---
table: insight.cohort_curves
grain: cohort_by, cohort, age_months
says: "What a customer of each cohort brought month by month of age, and of all cohorts together; only ages that all of the cohort's customers have lived to their end, so that curves compare at equal age."
order_by: cohort_by, cohort, age_months
columns:
  cohort_by: {type: text, check: "in ('month', 'quarter', 'year', 'all')", says: how long a cohort is; all is one row of every cohort}
  cohort: {type: date, says: "first day of the cohort; of all, the first day of the oldest"}
  age_months: {type: integer, unit: month, check: ">= 0", says: months since the month of the first sale}
  customers: {type: bigint, unit: count, says: "customers who have lived this age; under all, they become fewer with age"}
  retention: {type: double, check: "between 0 and 1", says: share of them with a sale in this month of age}
  mean_revenue: {type: "decimal(18,4)", unit: currency, says: "net revenue a customer up to the end of this age; under all, the sum of the means of each month"}
  mean_margin: {type: "decimal(18,4)", nullable: true, unit: currency, says: "margin a customer up to the end of this age, in the same way"}
--- */
with monthly as (
    select * from insight.cohorts where cohort_by = 'month'
),
grouped as (
    select 'month' as cohort_by, cohort as grouped, * exclude (cohort_by) from monthly
    union all
    select 'quarter', date_trunc('quarter', cohort)::date, * exclude (cohort_by) from monthly
    union all
    select 'year', date_trunc('year', cohort)::date, * exclude (cohort_by) from monthly
    union all
    select 'all', (select min(cohort) from monthly), * exclude (cohort_by) from monthly
),
whole as (
    select cohort_by, grouped, sum(customers) as customers from grouped where age = 0 group by cohort_by, grouped
),
reached as (
    select
        cohort_by, grouped, age,
        sum(customers) as customers,
        sum(active_customers) as active_customers,
        sum(cumulative_revenue) as revenue,
        sum(cumulative_margin) as margin,
        money_divide(sum(revenue), sum(customers)) as added_revenue,
        money_divide(sum(margin), sum(customers)) as added_margin
    from grouped
    where is_complete
    group by cohort_by, grouped, age
)
select
    r.cohort_by,
    r.grouped as cohort,
    r.age as age_months,
    r.customers::bigint as customers,
    r.active_customers::double / r.customers as retention,
    (case when r.cohort_by = 'all' then sum(r.added_revenue) over (partition by r.cohort_by, r.grouped order by r.age)
        else money_divide(r.revenue, r.customers) end)::decimal(18,4) as mean_revenue,
    (case when r.cohort_by = 'all' then sum(r.added_margin) over (partition by r.cohort_by, r.grouped order by r.age)
        else money_divide(r.margin, r.customers) end)::decimal(18,4) as mean_margin
from reached as r
join whole as w on w.cohort_by = r.cohort_by and w.grouped = r.grouped
where r.cohort_by = 'all' or r.customers = w.customers
