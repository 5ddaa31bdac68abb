/* ---
table: actions.queue
grain: customer_id
says: "Customers to act on, one row a customer: why, what is recommended, what is at stake, and how urgent that is beside the others. What people decided is kept apart."
order_by: queue_position
constants:
  bins: select bins from run.settings
  high_value_at: select high_value_at from run.settings
  risk_below: select p_alive_below from actions.reasons where reason = 'at_risk'
  silent_from: select p_alive_from from actions.reasons where reason = 'silent'
  silent_below: select p_alive_below from actions.reasons where reason = 'silent'
columns:
  queue_position: {type: bigint, check: ">= 1", says: "place in the queue: the most at stake first; where value is not predicted, the most earned"}
  customer_id: {type: text, references: customers.lrfm.customer_id, says: stable customer key}
  customer: {type: text, sensitivity: personal, says: name as shown}
  reason: {type: text, references: actions.reasons.reason, says: short name of the reason}
  reason_title: {type: text, says: the reason in a few words}
  why: {type: text, says: what makes the rule fit this customer}
  action: {type: text, says: short name of the recommended action}
  action_title: {type: text, says: the action in a few words}
  action_says: {type: text, says: the action in a sentence}
  step_says: {type: text, nullable: true, says: "for hidden gems: the smallest step to High-Value in a sentence"}
  step_value: {type: "decimal(18,4)", nullable: true, unit: currency, says: "for hidden gems: that step priced; null where value was not predicted or the step is out of reach"}
  customer_value: {type: text, says: value tier}
  region: {type: text, nullable: true, says: region of most of the customer's orders}
  monetary: {type: "decimal(18,4)", unit: currency, says: "margin or revenue to date, as set"}
  recency_days: {type: integer, unit: day, says: days from the last order to as_of}
  last_order_date: {type: date, says: business day of the last sale}
  p_alive: {type: double, nullable: true, says: "probability that the customer is still active; null where value was not predicted"}
  expected_clv: {type: "decimal(18,4)", nullable: true, unit: currency, says: "what is at stake: expected value within the horizon, which goes if the customer does"}
  clv_low: {type: "decimal(18,4)", nullable: true, unit: currency, says: lower end of the interval of what really comes}
  clv_high: {type: "decimal(18,4)", nullable: true, unit: currency, says: upper end of it}
  stake_share: {type: double, nullable: true, says: "share of all that is at stake in the queue; null where nothing is"}
  priority: {type: integer, check: "between 1 and 3", says: "1: those who together hold the first half of all that is at stake; 2: up to nine tenths; 3: the rest"}
  priority_says: {type: text, says: why this priority}
--- */
with reasoned as (
    select
        c.customer_id, c.customer, c.customer_value, c.region, c.monetary, c.recency_days, c.last_order_date,
        c.r_score, c.m_score, c.p_alive, c.expected_clv, c.clv_low, c.clv_high,
        case
            when c.customer_value = 'High-Value'
                and (coalesce(c.p_alive < $risk_below, false) or (c.r_score < $bins and c.lrfm_score = $high_value_at))
                then 'at_risk'
            when c.is_gem then 'gem'
            when c.m_score = $bins
                and case
                    when c.p_alive is null then c.r_score = 1
                    else c.p_alive >= $silent_from and c.p_alive < $silent_below
                end
                then 'silent'
        end as reason,
        greatest(coalesce(c.expected_clv, case when t.predicted = 0 then c.monetary end, 0), 0)::decimal(18,4) as stake
    from insight.customer_list as c
    cross join (select count(expected_clv) as predicted from insight.customer_list) as t
    where c.lrfm_score is not null
),
queued as (
    select
        *,
        row_number() over (order by stake desc, monetary desc, customer, customer_id) as queue_position,
        sum(stake) over () as all_stake
    from reasoned
    where reason is not null
),
placed as (
    select
        *,
        coalesce(
            sum(stake) over (order by queue_position rows between unbounded preceding and 1 preceding), 0
        ) as stake_before
    from queued
),
rated as (
    select
        *,
        case when 2 * stake_before < all_stake then 1 when 10 * stake_before < 9 * all_stake then 2 else 3 end as priority
    from placed
),
counted as (
    select *, count(*) over (partition by priority) as alike from rated
),
shown as (
    select
        *,
        case
            when p_alive is null then ''
            when p_alive < 0.01 then 'below 1 %'
            when p_alive > 0.99 then 'above 99 %'
            else round(100 * p_alive)::integer || ' %'
        end as chance,
        recency_days || case when recency_days = 1 then ' day' else ' days' end as quiet
    from counted
)
select
    s.queue_position, s.customer_id, s.customer, s.reason, r.title as reason_title,
    case s.reason
        when 'gem' then g.reason
        when 'at_risk' then 'High-Value, and '
            || case
                when coalesce(s.p_alive < $risk_below, false)
                    then 'the chance that they are still active is ' || s.chance || ' after ' || s.quiet || ' without an order'
                else 'quieter than at least ' || (100 * ($bins - s.r_score)) // $bins || ' % of customers (' || s.quiet
                    || ' without an order); one point less makes them Mid-Value'
            end || '.'
        else 'Among the best earners to date, and '
            || case
                when s.p_alive is null then 'among the quietest customers'
                else 'the chance that they are still active has fallen to ' || s.chance
            end || ' after ' || s.quiet || ' without an order.'
    end as why,
    coalesce(g.action, r.action) as action,
    coalesce(g.action_title, r.action_title) as action_title,
    coalesce(g.action_says, r.action_says) as action_says,
    g.step_says, g.step_value,
    s.customer_value, s.region, s.monetary, s.recency_days, s.last_order_date,
    s.p_alive, s.expected_clv, s.clv_low, s.clv_high,
    case when s.all_stake > 0 then s.stake::double / s.all_stake::double end as stake_share,
    s.priority,
    case
        when s.alike = 1 then 'Holds alone '
        else 'One of ' || s.alike || ' who together hold '
    end || case s.priority
        when 1 then 'the first half'
        when 2 then 'the next four tenths'
        else 'the last tenth'
    end || ' of all that is at stake.' as priority_says
from shown as s
join actions.reasons as r on r.reason = s.reason
left join insight.hidden_gems as g on g.customer_id = s.customer_id -- by key alone: a gem is Mid-Value, so that is its reason
