/* ---
table: mapped.customer_attributes
grain: source, customer_id, attribute, value, stretch
says: "Every value of every attribute that a source gives a customer, by stretches of time with one value."
filled_by: sources
columns:
  source: {type: text, says: "name of the source in the settings"}
  customer_id: {type: text, says: "customer key of the source"}
  attribute: {type: text, says: "name of the attribute, as set"}
  value: {type: text, sensitivity: personal, says: "value as it came"}
  stretch: {type: bigint, says: "place of the stretch in time, from 1; 0 for a value that another one outweighed on each of its days"}
  first_seen: {type: date, nullable: true, says: "first business day of the stretch; null where the source has no dates"}
  last_seen: {type: date, nullable: true, says: "last business day of the stretch"}
  line_count: {type: bigint, unit: count, says: "rows that say so"}
  known_from: {type: timestamp, nullable: true, says: "load that first read it, UTC, where the source has no dates"}
  known_until: {type: timestamp, nullable: true, says: "load that did not find it any more; null while it is there"}
--- */
