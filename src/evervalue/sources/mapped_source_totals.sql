/* ---
table: mapped.source_totals
grain: source, file_id
says: "Rows and money of every loaded file: what came, counted from its raw cells, beside what was mapped and refused."
filled_by: sources
columns:
  source: {type: text, says: "name of the source in the settings"}
  file_id: {type: text, says: "names the file's content: the first sixteen digits of its sha256"}
  provides: {type: text, says: "what one row of the source is"}
  rows_read: {type: bigint, unit: count, says: "rows in the file, counted by its reader"}
  rows_mapped: {type: bigint, unit: count, says: "rows in the mapped table"}
  rows_quarantined: {type: bigint, unit: count, says: "rows in quarantine"}
  rows_set_aside: {type: bigint, unit: count, says: "rows that the rules of the settings leave out"}
  amount_read: {type: "decimal(38,4)", nullable: true, unit: currency, says: "sum of the amounts that can be read as a number, from the raw cells"}
  amount_mapped: {type: "decimal(38,4)", nullable: true, unit: currency, says: "sum of the mapped amounts"}
  amount_quarantined: {type: "decimal(38,4)", nullable: true, unit: currency, says: "sum of the amounts of refused rows"}
  amount_set_aside: {type: "decimal(38,4)", nullable: true, unit: currency, says: "sum of the amounts of rows set aside"}
  margin_read: {type: "decimal(38,4)", nullable: true, unit: currency, says: "sum of the margins that can be read as a number, from the raw cells"}
  margin_mapped: {type: "decimal(38,4)", nullable: true, unit: currency, says: "sum of the mapped margins"}
  margin_quarantined: {type: "decimal(38,4)", nullable: true, unit: currency, says: "sum of the margins of refused rows"}
  margin_set_aside: {type: "decimal(38,4)", nullable: true, unit: currency, says: "sum of the margins of rows set aside"}
--- */
