/* ---
table: insight.concentration
grain: top_n, customer_value
says: "Who the most profitable customers are: the top 10, 20, 50 and 100 by tier, whatever filter a page shows."
columns:
  top_n: {type: integer, says: how many of the most profitable customers are looked at}
  customer_value: {type: text, says: value tier}
  customers: {type: bigint, unit: count, says: customers of the tier among them}
  share_of_top: {type: double, says: their share of those looked at}
  monetary: {type: "decimal(18,4)", unit: currency, says: their monetary value}
  monetary_share: {type: double, nullable: true, says: "their share of all monetary value; null where that is not positive"}
--- */
with total as (
    select count(*) as customers, sum(monetary) as monetary from customers.lrfm where lrfm_score is not null
),
tops as (
    select n.top_n, v.customer_value
    from (values (10), (20), (50), (100)) as n(top_n)
    cross join (values ('High-Value'), ('Mid-Value'), ('Low-Value')) as v(customer_value)
)
select
    t.top_n,
    t.customer_value,
    count(c.customer_id) as customers,
    count(c.customer_id)::double / least(t.top_n, any_value(a.customers)) as share_of_top,
    coalesce(sum(c.monetary), 0)::decimal(18,4) as monetary,
    case when any_value(a.monetary) > 0 then coalesce(sum(c.monetary), 0)::double / any_value(a.monetary)::double end as monetary_share
from tops as t
cross join total as a
left join insight.top_customers as c on c.customer_value = t.customer_value and c.profit_rank <= t.top_n
where a.customers > 0
group by t.top_n, t.customer_value
