/* ---
table: mapped.cost_entries
grain: source, file_id, line
says: "Costs that are for a line, an order, a customer, or for all of a period."
filled_by: sources
columns:
  source: {type: text, says: "name of the source in the settings"}
  file_id: {type: text, says: "names the file's content: the first sixteen digits of its sha256"}
  line: {type: bigint, check: ">= 1", says: "data row in the file, the first after the header is 1"}
  entry_id: {type: text, nullable: true, says: "number of the entry as the source writes it"}
  cost_kind: {type: text, nullable: true, says: "what the cost is for"}
  amount: {type: "decimal(18,4)", unit: currency, says: "cost, in the currency it came in"}
  currency: {type: text, says: "three-letter code"}
  cost_date: {type: date, nullable: true, says: "day of the cost"}
  period_start: {type: date, nullable: true, says: "first day that the cost is for"}
  period_end: {type: date, nullable: true, says: "last day that the cost is for"}
  line_id: {type: text, nullable: true, says: "order line that the cost is for"}
  order_id: {type: text, nullable: true, says: "order that the cost is for"}
  customer_id: {type: text, nullable: true, says: "customer key of the source"}
  product_id: {type: text, nullable: true, says: "only lines of this product bear it"}
  category: {type: text, nullable: true, says: "only lines of this product category bear it"}
  channel: {type: text, nullable: true, says: "only lines of this channel bear it"}
--- */
