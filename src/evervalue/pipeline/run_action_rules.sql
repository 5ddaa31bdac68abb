/* ---
table: run.action_rules
grain: priority
says: The rules that choose a gem's action; the first that fits is taken.
filled_by: pipeline
columns:
  priority: {type: integer, says: place in the order of trial}
  action: {type: text, says: short name of the action}
  title: {type: text, says: the action in a few words}
  says: {type: text, says: the action in a sentence}
  min_l: {type: integer, says: lowest L score that fits}
  max_l: {type: integer, says: highest L score that fits}
  min_r: {type: integer, says: lowest R score that fits}
  max_r: {type: integer, says: highest R score that fits}
  min_f: {type: integer, says: lowest F score that fits}
  max_f: {type: integer, says: highest F score that fits}
--- */
