/* ---
table: insight.value_distribution
grain: band, customer_value, region
says: "How many customers are expected to bring how much, by tier and region; all bands of a tier and region together are all of its customers and all of their expected value."
order_by: band, customer_value, region
columns:
  band: {type: integer, references: insight.value_breaks.band, says: "place of the band, the lowest value first"}
  customer_value: {type: text, says: value tier}
  region: {type: text, nullable: true, says: region of most of the customers' orders}
  customers: {type: bigint, unit: count, check: ">= 1", says: customers in the band}
  expected_clv: {type: "decimal(18,4)", unit: currency, says: their expected value within the horizon}
--- */
select
    b.band,
    l.customer_value,
    l.region,
    count(*) as customers,
    sum(l.expected_clv)::decimal(18,4) as expected_clv
from insight.customer_list as l
join insight.value_breaks as b
    on (b.band_from is null or l.expected_clv >= b.band_from) and (b.band_to is null or l.expected_clv < b.band_to)
where l.expected_clv is not null
group by b.band, l.customer_value, l.region
