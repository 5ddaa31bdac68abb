/* ---
table: curated.cost_totals
grain: source, cost_kind
says: "What costs came to, and how much of them lines bear."
checks:
  "what is allocated and what is not add up to the costs": "amount = allocated + unallocated"
  "the parts of every entry add up to the entry": "entries_off = 0"
columns:
  source: {type: text, says: name of the source}
  cost_kind: {type: text, says: what the costs are for}
  entry_count: {type: bigint, unit: count, says: entries}
  amount: {type: "decimal(38,4)", unit: currency, says: their sum in the reporting currency}
  allocated: {type: "decimal(38,4)", unit: currency, says: sum of the parts that lines bear}
  unallocated: {type: "decimal(38,4)", unit: currency, says: sum of the entries that no line bears}
  unallocated_count: {type: bigint, unit: count, says: entries that no line bears}
  entries_off: {type: bigint, unit: count, says: entries whose parts do not add up to it; must be none}
--- */
with borne as (
    select cost_source, cost_file_id, cost_line, sum(amount) as amount
    from curated.cost_allocations
    group by cost_source, cost_file_id, cost_line
)
select
    e.source,
    e.cost_kind,
    count(*) as entry_count,
    sum(e.amount)::decimal(38,4) as amount,
    coalesce(sum(b.amount), 0)::decimal(38,4) as allocated,
    coalesce(sum(u.amount), 0)::decimal(38,4) as unallocated,
    count(u.line) as unallocated_count,
    count(*) filter (where coalesce(b.amount, 0) + coalesce(u.amount, 0) <> e.amount) as entries_off
from curated.cost_entries as e
left join borne as b on b.cost_source = e.source and b.cost_file_id = e.file_id and b.cost_line = e.line
left join curated.unallocated_costs as u on u.source = e.source and u.file_id = e.file_id and u.line = e.line
group by e.source, e.cost_kind
