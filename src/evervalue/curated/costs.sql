/* ---
table: curated.costs
grain: product_id, valid_from
says: Cost of one unit of a product, from a day on until the next cost begins.
columns:
  product_id: {type: text, says: product key}
  unit_cost: {type: "decimal(28,10)", unit: currency, says: cost of one unit}
  currency: {type: text, says: currency of the cost}
  valid_from: {type: date, says: first day of the cost}
  valid_until: {type: date, nullable: true, says: "day on which the next cost begins; null for the last"}
--- */
select
    product_id,
    unit_cost,
    currency,
    valid_from,
    lead(valid_from) over (partition by product_id order by valid_from) as valid_until
from (select distinct product_id, unit_cost, currency, coalesce(valid_from, date '0001-01-01') as valid_from from mapped.costs)
