/* ---
table: mapped.customer_attributes
grain: source, customer_id, attribute, value
says: "Every value of every attribute that a source gives a customer."
filled_by: sources
columns:
  source: {type: text, says: "name of the source in the settings"}
  customer_id: {type: text, says: "customer key of the source"}
  attribute: {type: text, says: "name of the attribute, as set"}
  value: {type: text, sensitivity: personal, says: "value as it came"}
  first_seen: {type: date, nullable: true, says: "first business day with the value; null where the source has no dates"}
  last_seen: {type: date, nullable: true, says: "last business day with the value"}
  line_count: {type: bigint, unit: count, says: "rows that say so"}
--- */
