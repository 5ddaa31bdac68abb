/* ---
table: mapped.customers
grain: source, file_id, line
says: "Rows of sources that provide customers."
filled_by: sources
columns:
  source: {type: text, says: "name of the source in the settings"}
  file_id: {type: text, says: "names the file's content: the first sixteen digits of its sha256"}
  line: {type: bigint, check: ">= 1", says: "data row in the file, the first after the header is 1"}
  customer_id: {type: text, says: "customer key of the source"}
  customer_name: {type: text, nullable: true, sensitivity: personal, says: "customer as shown"}
--- */
