/* ---
table: insight.hidden_gems
grain: customer_id
says: "Mid-Value customers among the top profit performers: what holds each back, what to do, and the smallest step to High-Value with its worth and its price."
order_by: profit_rank
constants:
  bins: select bins from run.settings
  high_value_at: select high_value_at from run.settings
columns:
  profit_rank: {type: bigint, says: place by monetary value among all scored customers}
  customer_id: {type: text, references: customers.lrfm.customer_id, says: stable customer key}
  customer: {type: text, sensitivity: personal, says: name as shown}
  monetary: {type: "decimal(18,4)", unit: currency, says: "margin or revenue, as set"}
  customer_value: {type: text, says: value tier}
  length_days: {type: integer, unit: day, says: days from the first to the last order}
  recency_days: {type: integer, unit: day, says: days from the last order to as_of}
  frequency: {type: bigint, unit: count, says: distinct orders}
  l_score: {type: integer, says: score of length}
  r_score: {type: integer, says: score of recency}
  f_score: {type: integer, says: score of frequency}
  m_score: {type: integer, says: score of monetary value}
  lrfm_score: {type: integer, says: sum of the four scores}
  points_to_high: {type: integer, check: ">= 1", says: points that lack to High-Value}
  low_scores: {type: text, says: "the scores of length, recency and frequency that are not the highest"}
  reason: {type: text, says: what those low scores mean for this customer}
  action: {type: text, says: short name of the recommended action}
  action_title: {type: text, says: the action in a few words}
  action_says: {type: text, says: the action in a sentence}
  mean_monetary: {type: "decimal(18,4)", unit: currency, says: monetary value an order}
  orders_to_high: {type: integer, nullable: true, unit: count, check: ">= 1", says: "fewest further orders that make the customer High-Value; null where the most that is tried does not reach it"}
  score_after: {type: integer, nullable: true, says: LRFM score after them}
  step_says: {type: text, says: the smallest step in a sentence}
  step_worth: {type: "decimal(18,4)", nullable: true, unit: currency, says: the further orders at the mean monetary value}
  expected_clv: {type: "decimal(18,4)", nullable: true, unit: currency, says: "what the customer is expected to be worth within the horizon as things are; null where value was not predicted"}
  clv_gain: {type: "decimal(18,4)", nullable: true, unit: currency, says: "how much more the customer would be expected to be worth within the horizon after the step, its own orders not counted; null where value was not predicted"}
  step_value: {type: "decimal(18,4)", nullable: true, unit: currency, says: "the step priced: its own orders (step_worth) and what is expected to follow from them (clv_gain)"}
  step_value_says: {type: text, nullable: true, says: "what that price hangs on: it is the value if the customer orders now, which would show them to be active; null where value was not predicted"}
--- */
with gems as (
    select l.*, p.profit_rank, money_divide(l.monetary, l.frequency)::decimal(18,4) as mean_monetary
    from customers.lrfm as l
    join insight.profit_ranks as p on p.customer_id = l.customer_id
    where p.is_gem
),
fitting as (
    select g.customer_id, min(r.priority) as priority
    from gems as g
    join run.action_rules as r
        on g.l_score between r.min_l and r.max_l
        and g.r_score between r.min_r and r.max_r
        and g.f_score between r.min_f and r.max_f
    group by g.customer_id
),
first_step as (
    select customer_id, min(orders_added) as orders_added from insight.what_if where is_high_value group by customer_id
),
worded as (
    select
        g.customer_id,
        case when g.l_score < $bins then
            'Length ' || g.length_days || ' days: shorter than at least ' || (100 * ($bins - g.l_score)) // $bins
            || ' % of customers, no long relationship yet' end as l_says,
        case when g.r_score < $bins then
            'Recency ' || g.recency_days || case when g.recency_days = 1 then ' day' else ' days' end
            || ': quieter than at least ' || (100 * ($bins - g.r_score)) // $bins
            || ' % of customers, a risk of leaving' end as r_says,
        case when g.f_score < $bins then
            'Frequency ' || g.frequency || case when g.frequency = 1 then ' order' else ' orders' end
            || ': fewer than at least ' || (100 * ($bins - g.f_score)) // $bins
            || ' % of customers, low engagement' end as f_says
    from gems as g
)
select
    g.profit_rank, g.customer_id, g.customer, g.monetary, g.customer_value,
    g.length_days, g.recency_days, g.frequency, g.l_score, g.r_score, g.f_score, g.m_score, g.lrfm_score,
    $high_value_at - g.lrfm_score as points_to_high,
    concat_ws(' ',
        case when g.l_score < $bins then 'L' || g.l_score end,
        case when g.r_score < $bins then 'R' || g.r_score end,
        case when g.f_score < $bins then 'F' || g.f_score end
    ) as low_scores,
    concat_ws('. ', w.l_says, w.r_says, w.f_says) || '.' as reason,
    r.action, r.title as action_title, r.says as action_says,
    g.mean_monetary,
    s.orders_added as orders_to_high,
    t.lrfm_score as score_after,
    case
        when s.orders_added is null then 'Not reachable with ' || x.what_if_max_orders || ' more orders.'
        else s.orders_added || case when s.orders_added = 1 then ' more order lifts' else ' more orders lift' end
            || ' the score from ' || g.lrfm_score || ' to ' || t.lrfm_score || ': '
            || concat_ws(', ',
                case when t.l_score <> g.l_score then 'L ' || g.l_score || ' to ' || t.l_score end,
                case when t.r_score <> g.r_score then 'R ' || g.r_score || ' to ' || t.r_score end,
                case when t.f_score <> g.f_score then 'F ' || g.f_score || ' to ' || t.f_score end,
                case when t.m_score <> g.m_score then 'M ' || g.m_score || ' to ' || t.m_score end)
            || '.'
    end as step_says,
    cast(g.mean_monetary * s.orders_added as decimal(18,4)) as step_worth,
    v.expected_clv,
    p.clv_gain,
    cast(g.mean_monetary * s.orders_added + p.clv_gain as decimal(18,4)) as step_value,
    case when p.clv_gain is not null then
        'That is the value if the customer orders now' || case
            when v.p_alive is null then ''
            else ', which would show that they are active; the chance of that is '
                || case
                    when v.p_alive < 0.005 then 'below 1%'
                    when v.p_alive >= 0.995 then 'above 99%'
                    else round(100 * v.p_alive)::integer || '%'
                end || ' today'
        end || '.'
    end as step_value_says
from gems as g
join worded as w on w.customer_id = g.customer_id
join fitting as f on f.customer_id = g.customer_id
join run.action_rules as r on r.priority = f.priority
cross join run.settings as x
left join first_step as s on s.customer_id = g.customer_id
left join insight.what_if as t on t.customer_id = g.customer_id and t.orders_added = s.orders_added
left join models.clv as v on v.customer_id = g.customer_id
left join models.step_values as p on p.customer_id = g.customer_id and p.orders_added = s.orders_added
