/* ---
table: identity.identifiers
grain: namespace, customer_key, type, value
says: "Every identifier of every record, brought into one form, and whether it links."
filled_by: identity
reads: [identity.decisions, identity.records, mapped.identifiers, run.source_settings]
columns:
  namespace: {type: text, says: "namespace of the record"}
  customer_key: {type: text, says: "customer key of the record"}
  type: {type: text, check: "in ('email', 'phone', 'tax_number', 'customer_number', 'external_id')", says: "what the identifier is"}
  value: {type: text, sensitivity: personal, says: "as it came"}
  normal: {type: text, nullable: true, sensitivity: personal, says: "in the form that is compared"}
  shown: {type: text, nullable: true, says: "masked: what may be shown"}
  value_hash: {type: text, nullable: true, sensitivity: personal, says: "checksum of sort and form, equal where the identifier is"}
  record_count: {type: bigint, nullable: true, unit: count, says: "records of one namespace that carry it, in the namespace with most"}
  verdict: {type: text, check: "in ('links', 'placeholder', 'not_an_address', 'not_a_number', 'no_country', 'shared', 'cluster_too_large')", says: "links, or why it does not"}
--- */
