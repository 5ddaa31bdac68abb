/* ---
table: mapped.costs
grain: source, file_id, line
says: "Rows of sources that provide costs of products."
filled_by: sources
columns:
  source: {type: text, says: "name of the source in the settings"}
  file_id: {type: text, says: "names the file's content: the first sixteen digits of its sha256"}
  line: {type: bigint, check: ">= 1", says: "data row in the file, the first after the header is 1"}
  product_id: {type: text, says: "product key"}
  unit_cost: {type: "decimal(28,10)", unit: currency, check: ">= 0", says: "cost of one unit"}
  currency: {type: text, says: "currency of the cost"}
  valid_from: {type: date, nullable: true, says: "first day on which the cost holds; null for always"}
--- */
