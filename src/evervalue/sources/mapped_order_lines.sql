/* ---
table: mapped.order_lines
grain: source, file_id, line
says: "Order lines in canonical fields, in the currency they came in."
filled_by: sources
columns:
  source: {type: text, says: "name of the source in the settings"}
  file_id: {type: text, says: "names the file's content: the first sixteen digits of its sha256"}
  line: {type: bigint, check: ">= 1", says: "data row in the file, the first after the header is 1"}
  row_key: {type: text, nullable: true, says: "key of the row in its source, where rows have one"}
  order_id: {type: text, nullable: true, says: "order number as the source writes it"}
  line_id: {type: text, nullable: true, says: "line number as the source writes it"}
  ordered_at: {type: timestamp, says: "instant of the order, UTC"}
  order_date: {type: date, says: "business day in the project's time zone"}
  customer_id: {type: text, says: "customer key of the source"}
  customer_name: {type: text, nullable: true, sensitivity: personal, says: "customer as shown"}
  product_id: {type: text, nullable: true, says: "product key"}
  product_name: {type: text, nullable: true, says: "product as shown"}
  category: {type: text, nullable: true, says: "product category"}
  quantity: {type: "decimal(18,4)", nullable: true, unit: count, says: "units, negative where goods come back"}
  unit_price: {type: "decimal(28,10)", nullable: true, unit: currency, says: "price of one unit"}
  amount: {type: "decimal(18,4)", unit: currency, says: "net revenue of the line"}
  discount: {type: "decimal(18,4)", nullable: true, says: "discount as the source writes it"}
  cost: {type: "decimal(18,4)", nullable: true, unit: currency, says: "cost of the line, where the source gives it"}
  margin: {type: "decimal(18,4)", nullable: true, unit: currency, says: "margin of the line, where the source gives it"}
  currency: {type: text, says: "three-letter code"}
  kind: {type: text, check: "in ('sale', 'return', 'cancellation', 'refund', 'credit_note', 'adjustment')", says: "what the line is"}
  reverses_order_id: {type: text, nullable: true, says: "order that the line takes back"}
  channel: {type: text, nullable: true, says: "channel of the sale"}
  region: {type: text, nullable: true, says: "region of the sale"}
  country: {type: text, nullable: true, says: "country of the sale"}
--- */
