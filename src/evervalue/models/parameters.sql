/* ---
table: models.parameters
grain: role, parameter
says: "Parameters of the fitted models with their uncertainty, one row each."
filled_by: pipeline/value.py
reads: [models.fits]
order_by: role, position
columns:
  role: {type: text, references: models.fits.role, says: which model}
  parameter: {type: text, says: "letter of the parameter, as in the literature"}
  position: {type: integer, says: place among the parameters of the model}
  estimate: {type: double, says: "maximum of the likelihood, with time in days and money in the reporting currency"}
  standard_error: {type: double, nullable: true, check: ">= 0", says: "of the estimate; null where the data do not tell"}
  low: {type: double, nullable: true, says: "lower end of the 95 % interval, from the curvature on the log scale"}
  high: {type: double, nullable: true, says: upper end of it}
--- */
