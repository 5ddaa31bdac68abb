/* ---
table: insight.profit_ranks
grain: customer_id
says: "Scored customers by monetary value, the most first, and whether each is a hidden gem: Mid-Value, and among the top profit performers as the settings define them."
order_by: profit_rank
columns:
  customer_id: {type: text, references: customers.lrfm.customer_id, says: stable customer key}
  profit_rank: {type: bigint, check: ">= 1", says: "place by monetary value; equal values by name, then key"}
  is_top_performer: {type: boolean, says: whether the customer is a top profit performer under the gem rule}
  is_gem: {type: boolean, says: whether the customer is a hidden gem}
--- */
with ranked as (
    select
        customer_id, customer_value, m_score,
        row_number() over (order by monetary desc, customer, customer_id) as profit_rank,
        count(*) over () as customers
    from customers.lrfm
    where lrfm_score is not null
),
judged as (
    select
        r.customer_id, r.profit_rank, r.customer_value,
        case s.gem_rule
            when 'm_score' then r.m_score >= s.gem_min_m_score
            when 'top_n' then r.profit_rank <= s.gem_top_n
            else r.profit_rank <= ceil(s.gem_top_share * r.customers)
        end as is_top_performer
    from ranked as r
    cross join run.settings as s
)
select customer_id, profit_rank, is_top_performer, is_top_performer and customer_value = 'Mid-Value' as is_gem
from judged
