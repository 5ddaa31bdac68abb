/* ---
table: mapped.rates
grain: source, file_id, line
says: "Rows of sources that provide exchange rates."
filled_by: sources
columns:
  source: {type: text, says: "name of the source in the settings"}
  file_id: {type: text, says: "names the file's content: the first sixteen digits of its sha256"}
  line: {type: bigint, check: ">= 1", says: "data row in the file, the first after the header is 1"}
  rate_date: {type: date, says: "first day on which the rate holds"}
  from_currency: {type: text, says: "currency that is converted"}
  to_currency: {type: text, says: "currency it is converted to"}
  rate: {type: "decimal(28,10)", check: "> 0", says: "units of the second for one of the first"}
--- */
