/* ---
table: mapped.identifiers
grain: source, file_id, line, type
says: "Identifiers of customers: rows of sources that provide them, and those that stand beside customers in other rows."
filled_by: sources
columns:
  source: {type: text, says: "name of the source in the settings"}
  file_id: {type: text, says: "names the file's content: the first sixteen digits of its sha256"}
  line: {type: bigint, check: ">= 1", says: "data row in the file, the first after the header is 1"}
  customer_id: {type: text, says: "customer key of the source"}
  type: {type: text, check: "in ('email', 'phone', 'tax_number', 'customer_number', 'external_id')", says: "what the identifier is"}
  value: {type: text, sensitivity: personal, says: "the identifier as it came"}
  namespace: {type: text, nullable: true, says: "whose number it is; null is the system's own"}
--- */
