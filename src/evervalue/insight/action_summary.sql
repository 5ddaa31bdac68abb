/* ---
table: insight.action_summary
grain: action
says: "The recommended actions: for how many gems, and how much value is at stake."
columns:
  action: {type: text, says: short name of the action}
  action_title: {type: text, says: the action in a few words}
  action_says: {type: text, says: the action in a sentence}
  customers: {type: bigint, unit: count, says: gems it is recommended for}
  monetary: {type: "decimal(18,4)", unit: currency, says: their monetary value}
  step_worth: {type: "decimal(18,4)", unit: currency, says: what their smallest steps to High-Value are worth together}
  expected_clv: {type: "decimal(18,4)", nullable: true, unit: currency, says: what they are expected to be worth within the horizon as things are}
  step_value: {type: "decimal(18,4)", nullable: true, unit: currency, says: "their smallest steps priced, with what is expected to follow from them; null where value was not predicted"}
  mean_l_score: {type: double, says: mean score of length}
  mean_r_score: {type: double, says: mean score of recency}
  mean_f_score: {type: double, says: mean score of frequency}
--- */
select
    action, action_title, action_says,
    count(*) as customers,
    sum(monetary)::decimal(18,4) as monetary,
    coalesce(sum(step_worth), 0)::decimal(18,4) as step_worth,
    sum(expected_clv)::decimal(18,4) as expected_clv,
    sum(step_value)::decimal(18,4) as step_value,
    avg(l_score) as mean_l_score,
    avg(r_score) as mean_r_score,
    avg(f_score) as mean_f_score
from insight.hidden_gems
group by action, action_title, action_says
