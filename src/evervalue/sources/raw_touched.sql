/* ---
table: raw.touched
grain: source, customer_key
says: "Customers of whom order lines or statements came, went or changed since the last run was published; a run builds theirs anew."
filled_by: sources
columns:
  source: {type: text, says: "name of the source in the settings"}
  customer_key: {type: text, nullable: true, says: "customer key of the source; null for all of them"}
--- */
