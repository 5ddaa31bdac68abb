/* ---
table: raw.touched
grain: table_name, source, customer_key
says: "What came, went or changed in mapped tables since the last run was published; a run builds anew what hangs on it."
filled_by: sources
columns:
  table_name: {type: text, says: "mapped table"}
  source: {type: text, says: "name of the source in the settings"}
  customer_key: {type: text, nullable: true, says: "customer key of the source; null where any row may have changed"}
--- */
