/* ---
table: mapped.subscriptions
grain: source, file_id, line
says: "Contracts, or stretches of them with one set of terms."
filled_by: sources
columns:
  source: {type: text, says: "name of the source in the settings"}
  file_id: {type: text, says: "names the file's content: the first sixteen digits of its sha256"}
  line: {type: bigint, check: ">= 1", says: "data row in the file, the first after the header is 1"}
  subscription_id: {type: text, says: "contract number as the source writes it"}
  customer_id: {type: text, says: "customer key of the source"}
  customer_name: {type: text, nullable: true, sensitivity: personal, says: "customer as shown"}
  product_id: {type: text, nullable: true, says: "product key"}
  started_on: {type: date, says: "first day"}
  ended_on: {type: date, nullable: true, says: "first day on which it does not run any more"}
  amount: {type: "decimal(18,4)", unit: currency, says: "price of the whole contract for one billing period"}
  quantity: {type: "decimal(18,4)", nullable: true, unit: count, says: "seats or units"}
  currency: {type: text, says: "three-letter code"}
  period: {type: text, nullable: true, check: "in ('month', 'quarter', 'year')", says: "billing period; null is a month"}
  status: {type: text, nullable: true, says: "status as the source writes it"}
--- */
