set variable evervalue_bins = (select bins from run.settings);

set variable evervalue_high_value_at = (select high_value_at from run.settings);

set variable evervalue_mid_value_at = (select mid_value_at from run.settings);

set variable evervalue_l_values = (select list(value::integer order by j) from customers.lrfm_bounds where dimension = 'L');

set variable evervalue_r_values = (select list(value::integer order by j) from customers.lrfm_bounds where dimension = 'R');

set variable evervalue_f_values = (select list(value::bigint order by j) from customers.lrfm_bounds where dimension = 'F');

set variable evervalue_m_values = (select list(value::decimal(18,4) order by j) from customers.lrfm_bounds where dimension = 'M');

set variable evervalue_l_rows = (select list(struct_pack(value := b.value::integer, name := b.tie_name, key := b.tie_key) order by b.j) from customers.lrfm_bounds as b cross join run.settings as s where b.dimension = 'L' and s.ties = 'first');

set variable evervalue_r_rows = (select list(struct_pack(value := b.value::integer, name := b.tie_name, key := b.tie_key) order by b.j) from customers.lrfm_bounds as b cross join run.settings as s where b.dimension = 'R' and s.ties = 'first');

set variable evervalue_f_rows = (select list(struct_pack(value := b.value::bigint, name := b.tie_name, key := b.tie_key) order by b.j) from customers.lrfm_bounds as b cross join run.settings as s where b.dimension = 'F' and s.ties = 'first');

set variable evervalue_m_rows = (select list(struct_pack(value := b.value::decimal(18,4), name := b.tie_name, key := b.tie_key) order by b.j) from customers.lrfm_bounds as b cross join run.settings as s where b.dimension = 'M' and s.ties = 'first');

with above as (
    -- Boundaries below the customer's value, and of those at the same value the ones that stand earlier by name and key.
    select
        *,
        len(list_filter(getvariable('evervalue_l_values'), lambda v: v < length_days))
            + case when list_contains(getvariable('evervalue_l_values'), length_days) then coalesce(len(list_filter(getvariable('evervalue_l_rows'), lambda b: b.value = length_days
                and (b.name < customer or (b.name = customer and b.key < customer_id)))), 0) else 0 end as l_above,
        len(list_filter(getvariable('evervalue_r_values'), lambda v: v < recency_days))
            + case when list_contains(getvariable('evervalue_r_values'), recency_days) then coalesce(len(list_filter(getvariable('evervalue_r_rows'), lambda b: b.value = recency_days
                and (b.name < customer or (b.name = customer and b.key < customer_id)))), 0) else 0 end as r_above,
        len(list_filter(getvariable('evervalue_f_values'), lambda v: v < frequency))
            + case when list_contains(getvariable('evervalue_f_values'), frequency) then coalesce(len(list_filter(getvariable('evervalue_f_rows'), lambda b: b.value = frequency
                and (b.name < customer or (b.name = customer and b.key < customer_id)))), 0) else 0 end as f_above,
        len(list_filter(getvariable('evervalue_m_values'), lambda v: v < monetary))
            + case when list_contains(getvariable('evervalue_m_values'), monetary) then coalesce(len(list_filter(getvariable('evervalue_m_rows'), lambda b: b.value = monetary
                and (b.name < customer or (b.name = customer and b.key < customer_id)))), 0) else 0 end as m_above
    from customers.history
),
scored as (
    select
        customer_id, customer, first_order_date, last_order_date, length_days, recency_days, frequency, monetary,
        case when frequency > 0 then 1 + coalesce(l_above, 0) end::integer as l_score,
        case when frequency > 0 then getvariable('evervalue_bins') - coalesce(r_above, 0) end::integer as r_score,
        case when frequency > 0 then 1 + coalesce(f_above, 0) end::integer as f_score,
        case when frequency > 0 then 1 + coalesce(m_above, 0) end::integer as m_score
    from above
)
select
    *,
    l_score + r_score + f_score + m_score as lrfm_score,
    case
        when frequency = 0 then null
        when l_score + r_score + f_score + m_score >= getvariable('evervalue_high_value_at') then 'High-Value'
        when l_score + r_score + f_score + m_score >= getvariable('evervalue_mid_value_at') then 'Mid-Value'
        else 'Low-Value'
    end as customer_value
from scored;
