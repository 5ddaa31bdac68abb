/* ---
table: insight.cohorts
grain: cohort_by, cohort, age
says: "What each cohort did at each age. A cohort is the customers whose first sale was in one month, quarter or year; age counts in the same unit from each customer's own month of the first sale, which is the first month of age 0. The newest 240 cohorts of each unit."
order_by: cohort_by, cohort, age
constants:
  as_of: select as_of from customers.cutoff
  has_margin: select count(margin) > 0 from customers.history
columns:
  cohort_by: {type: text, check: "in ('month', 'quarter', 'year')", says: "how long a cohort, and a step of age, is"}
  cohort: {type: date, says: first day of the cohort}
  age: {type: integer, check: ">= 0", says: "months, quarters or years since the month of the first sale"}
  customers: {type: bigint, unit: count, check: ">= 1", says: customers of the cohort}
  active_customers: {type: bigint, unit: count, says: those with a sale at this age}
  retention: {type: double, check: "between 0 and 1", says: their share of the cohort}
  orders: {type: bigint, unit: count, says: sales at this age}
  revenue: {type: "decimal(18,4)", unit: currency, says: "net revenue at this age, returns taken off; what came before the first sale counts at age 0"}
  margin: {type: "decimal(18,4)", nullable: true, unit: currency, says: "margin at this age; null where no line of the run has one"}
  cumulative_revenue: {type: "decimal(18,4)", unit: currency, says: net revenue up to the end of this age}
  cumulative_margin: {type: "decimal(18,4)", nullable: true, unit: currency, says: margin up to the end of this age}
  mean_revenue: {type: "decimal(18,4)", unit: currency, says: "net revenue up to the end of this age, a customer of the cohort"}
  mean_margin: {type: "decimal(18,4)", nullable: true, unit: currency, says: "margin up to the end of this age, a customer of the cohort"}
  is_complete: {type: boolean, says: "whether every customer of the cohort has lived this age to its end before the cutoff; what is not complete cannot be compared"}
--- */
with units as (
    select * from (values ('month', 1), ('quarter', 3), ('year', 12)) as v(cohort_by, months)
),
-- Months as whole numbers: their difference is the same on every engine.
starts as (
    select customer_id, 12 * year(first_order_date) + month(first_order_date) - 1 as first_number
    from customers.history
    where first_order_date is not null
),
sizes as (
    select u.cohort_by, u.months, s.first_number // u.months as cohort_number, count(*) as customers
    from starts as s
    cross join units as u
    where s.first_number // u.months > (12 * year($as_of - 1) + month($as_of - 1) - 1) // u.months - 240
    group by u.cohort_by, u.months, s.first_number // u.months
),
monthly as (
    select
        o.customer_id, s.first_number,
        greatest(12 * year(o.order_date) + month(o.order_date) - 1 - s.first_number, 0) as age_months,
        count(*) filter (where o.kind = 'sale') as orders,
        sum(o.revenue) as revenue,
        sum(o.margin) as margin
    from curated.orders as o
    join starts as s on s.customer_id = o.customer_id
    where o.order_date < $as_of
    group by 1, 2, 3
),
-- Who is active is counted once a customer; sums are taken from the months.
quarterly as (
    select customer_id, first_number // 3 as cohort_number, age_months // 3 as age
    from monthly
    where orders > 0
    group by 1, 2, 3
),
yearly as (
    select customer_id, cohort_number // 4 as cohort_number, age // 4 as age from quarterly group by 1, 2, 3
),
of_months as (
    select
        first_number, age_months, count(*) filter (where orders > 0) as active_customers,
        sum(orders) as orders, sum(revenue) as revenue, sum(margin) as margin
    from monthly
    group by first_number, age_months
),
active as (
    select 'month' as cohort_by, first_number as cohort_number, age_months as age, active_customers from of_months
    union all
    select 'quarter', cohort_number, age, count(*) from quarterly group by cohort_number, age
    union all
    select 'year', cohort_number, age, count(*) from yearly group by cohort_number, age
),
done as (
    select
        u.cohort_by, m.first_number // u.months as cohort_number, m.age_months // u.months as age,
        sum(m.orders) as orders, sum(m.revenue) as revenue, sum(m.margin) as margin
    from of_months as m
    cross join units as u
    group by 1, 2, 3
),
-- A cell for every age that somebody of the cohort can have reached on the day before the cutoff.
cells as (
    select s.*, a.age::integer as age
    from sizes as s
    cross join range(0, 241) as a(age)
    where (s.cohort_number + a.age) * s.months <= 12 * year($as_of - 1) + month($as_of - 1) - 1
),
summed as (
    select
        c.*,
        coalesce(n.active_customers, 0) as active_customers,
        coalesce(d.orders, 0) as orders,
        coalesce(d.revenue, 0) as revenue,
        case when $has_margin then coalesce(d.margin, 0) end as margin,
        sum(coalesce(d.revenue, 0)) over (partition by c.cohort_by, c.cohort_number order by c.age) as cumulative_revenue,
        case when $has_margin then sum(coalesce(d.margin, 0)) over (partition by c.cohort_by, c.cohort_number order by c.age) end as cumulative_margin
    from cells as c
    left join done as d on d.cohort_by = c.cohort_by and d.cohort_number = c.cohort_number and d.age = c.age
    left join active as n on n.cohort_by = c.cohort_by and n.cohort_number = c.cohort_number and n.age = c.age
)
select
    cohort_by,
    make_date((cohort_number * months // 12)::integer, (cohort_number * months % 12 + 1)::integer, 1) as cohort,
    age,
    customers,
    active_customers,
    active_customers::double / customers as retention,
    orders::bigint as orders,
    revenue::decimal(18,4) as revenue,
    margin::decimal(18,4) as margin,
    cumulative_revenue::decimal(18,4) as cumulative_revenue,
    cumulative_margin::decimal(18,4) as cumulative_margin,
    money_divide(cumulative_revenue, customers)::decimal(18,4) as mean_revenue,
    money_divide(cumulative_margin, customers)::decimal(18,4) as mean_margin,
    -- The youngest customers began in the last month of the cohort.
    (cohort_number + 1) * months - 1 + (age + 1) * months <= 12 * year($as_of) + month($as_of) - 1 as is_complete
from summed
