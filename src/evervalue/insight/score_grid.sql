/* ---
table: insight.score_grid
grain: x_dimension, y_dimension, x_score, y_score
says: "Customers and money in every pair of scores; empty cells are there as zeros."
columns:
  x_dimension: {type: text, says: dimension across}
  y_dimension: {type: text, says: dimension up}
  x_score: {type: integer, says: score across}
  y_score: {type: integer, says: score up}
  customers: {type: bigint, unit: count, says: customers in the cell}
  monetary: {type: "decimal(18,4)", unit: currency, says: their monetary value}
--- */
with combinations as (
    select l_score, r_score, f_score, m_score, count(*) as customers, sum(monetary) as monetary
    from customers.lrfm
    where lrfm_score is not null
    group by l_score, r_score, f_score, m_score
),
pairs as (
    select 'R' as x_dimension, 'F' as y_dimension, r_score as x_score, f_score as y_score, customers, monetary from combinations
    union all
    select 'L', 'F', l_score, f_score, customers, monetary from combinations
    union all
    select 'L', 'R', l_score, r_score, customers, monetary from combinations
    union all
    select 'L', 'M', l_score, m_score, customers, monetary from combinations
    union all
    select 'R', 'M', r_score, m_score, customers, monetary from combinations
    union all
    select 'F', 'M', f_score, m_score, customers, monetary from combinations
),
cells as (
    select d.x_dimension, d.y_dimension, x.score::integer as x_score, y.score::integer as y_score
    from (values ('R', 'F'), ('L', 'F'), ('L', 'R'), ('L', 'M'), ('R', 'M'), ('F', 'M')) as d(x_dimension, y_dimension)
    cross join range(1, 11) as x(score)
    cross join range(1, 11) as y(score)
    cross join run.settings as s
    where x.score <= s.bins and y.score <= s.bins
)
select
    c.x_dimension, c.y_dimension, c.x_score, c.y_score,
    coalesce(sum(p.customers), 0)::bigint as customers,
    coalesce(sum(p.monetary), 0)::decimal(18,4) as monetary
from cells as c
left join pairs as p
    on p.x_dimension = c.x_dimension and p.y_dimension = c.y_dimension
    and p.x_score = c.x_score and p.y_score = c.y_score
group by c.x_dimension, c.y_dimension, c.x_score, c.y_score
