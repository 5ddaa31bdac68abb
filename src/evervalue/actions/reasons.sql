/* ---
table: actions.reasons
grain: reason
says: "Why a customer can be in the queue of actions: the rule in words, its bounds, and what is recommended. The first that fits is taken."
order_by: place
columns:
  place: {type: integer, says: place in the order of trial}
  reason: {type: text, says: short name of the reason}
  title: {type: text, says: the reason in a few words}
  rule_says: {type: text, says: "the rule in a sentence, with the bounds of this run"}
  p_alive_from: {type: double, nullable: true, check: "between 0 and 1", says: "lowest probability of being active that fits; null where the rule does not ask"}
  p_alive_below: {type: double, nullable: true, check: "between 0 and 1", says: "the probability of being active is below this; null where the rule does not ask"}
  action: {type: text, nullable: true, says: "short name of the recommended action; null where it hangs on the customer's scores (run.action_rules)"}
  action_title: {type: text, nullable: true, says: the action in a few words}
  action_says: {type: text, nullable: true, says: the action in a sentence}
--- */
select
    1 as place,
    'at_risk' as reason,
    'High-Value at risk' as title,
    'High-Value customers whose chance of still being active is below 50 %, or who have slipped in recency (R below '
        || bins || ') and would be Mid-Value with one point less.' as rule_says,
    null::double as p_alive_from,
    0.5::double as p_alive_below,
    'keep' as action,
    'Keep: a personal call' as action_title,
    'The account manager calls before the customer has gone: what changed, what is missing, when is the next order.' as action_says
from run.settings
union all
select
    2, 'gem', 'Hidden gem',
    'Mid-Value customers among the top earners, as the settings of hidden gems define them; the action hangs on which scores are low.',
    null, null, null, null, null
union all
select
    3, 'silent', 'Earned much, fell silent',
    'Other customers with the best score of money (M ' || bins || ') whose chance of still being active has fallen below 50 %'
        || ' and is not yet below 10 %; where value is not predicted, those with the lowest recency score (R 1).',
    0.1, 0.5, 'win_back', 'Win back: ask and offer',
    'Ask what changed and give a reason to come back, before the chance is gone.'
from run.settings
