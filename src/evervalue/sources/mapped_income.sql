/* ---
table: mapped.income
grain: source, file_id, line
says: "Interest and fees of customers or accounts, a statement a row."
filled_by: sources
columns:
  source: {type: text, says: "name of the source in the settings"}
  file_id: {type: text, says: "names the file's content: the first sixteen digits of its sha256"}
  line: {type: bigint, check: ">= 1", says: "data row in the file, the first after the header is 1"}
  income_id: {type: text, nullable: true, says: "number of the row as the source writes it"}
  customer_id: {type: text, says: "customer key of the source"}
  customer_name: {type: text, nullable: true, sensitivity: personal, says: "customer as shown"}
  account_id: {type: text, nullable: true, says: "account number as the source writes it"}
  product_id: {type: text, nullable: true, says: "what the account is"}
  period_start: {type: date, nullable: true, says: "first day of the statement"}
  period_end: {type: date, says: "last day of the statement"}
  interest_income: {type: "decimal(18,4)", nullable: true, unit: currency, says: "interest that the customer pays"}
  interest_expense: {type: "decimal(18,4)", nullable: true, unit: currency, check: ">= 0", says: "interest that the customer is paid"}
  fees: {type: "decimal(18,4)", nullable: true, unit: currency, says: "fees that the customer pays"}
  currency: {type: text, says: "three-letter code"}
  channel: {type: text, nullable: true, says: "channel"}
  region: {type: text, nullable: true, says: "region"}
  country: {type: text, nullable: true, says: "country"}
--- */
