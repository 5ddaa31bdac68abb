/* ---
table: identity.refused_identifiers
grain: type, shown, value_hash, verdict
says: "Identifiers that link nobody, with the reason and how many records carry them: a shared mailbox, a placeholder, a number without its country."
columns:
  type: {type: text, says: "what the identifier is"}
  shown: {type: text, nullable: true, says: "masked: what may be shown"}
  value_hash: {type: text, nullable: true, sensitivity: personal, says: "names the identifier in identity.identifiers; null where it has no form to compare"}
  verdict: {type: text, says: "why it does not link"}
  records: {type: bigint, unit: count, says: "records that carry it, over all namespaces"}
--- */
select type, shown, value_hash, verdict, count(distinct namespace || ':' || customer_key) as records
from identity.identifiers
where verdict <> 'links'
group by type, shown, value_hash, verdict
