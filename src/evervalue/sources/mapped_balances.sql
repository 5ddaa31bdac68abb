/* ---
table: mapped.balances
grain: source, file_id, line
says: "Balances of accounts at the end of days."
filled_by: sources
columns:
  source: {type: text, says: "name of the source in the settings"}
  file_id: {type: text, says: "names the file's content: the first sixteen digits of its sha256"}
  line: {type: bigint, check: ">= 1", says: "data row in the file, the first after the header is 1"}
  account_id: {type: text, says: "account number as the source writes it"}
  customer_id: {type: text, says: "customer key of the source"}
  customer_name: {type: text, nullable: true, sensitivity: personal, says: "customer as shown"}
  product_id: {type: text, nullable: true, says: "what the account is"}
  balance_date: {type: date, says: "day at whose end the balance was so"}
  balance: {type: "decimal(18,4)", unit: currency, says: "balance, negative where the customer owes"}
  currency: {type: text, says: "three-letter code"}
--- */
