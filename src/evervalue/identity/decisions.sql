/* ---
table: identity.decisions
grain: decision_id, record
says: "What people decided by hand, applied in every run and before what identifiers say."
filled_by: identity
reads: [identity.records, mapped.cost_entries, mapped.order_lines, mapped.customers, run.source_settings]
columns:
  decision_id: {type: bigint, says: "number of the decision; later ones win"}
  kind: {type: text, check: "in ('merge', 'split')", says: "merge: these records are one customer; split: these records are one, and nobody else is"}
  record: {type: text, says: "record that it names, namespace:key"}
  why: {type: text, nullable: true, says: "reason, as given"}
  decided_at: {type: timestamp, says: "when, UTC"}
  undone_at: {type: timestamp, nullable: true, says: "when it was taken back; null where it holds"}
--- */
