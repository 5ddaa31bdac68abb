/* ---
table: insight.value_breaks
grain: band
says: "The bands that expected value is counted in: round steps of one width, or 1, 2, 5, 10, ... (1, 1.5, 2, 3, 5, 7, 10 where that makes few) where customers lie far apart, the best twentieth at least twenty times the least. The first is open below and the last above, so that everybody with a prediction is in one of them."
order_by: band
columns:
  band: {type: integer, check: ">= 1", says: "place of the band, the lowest value first"}
  band_from: {type: "decimal(18,4)", nullable: true, unit: currency, says: "expected value from which a customer is in it; null is open"}
  band_to: {type: "decimal(18,4)", nullable: true, unit: currency, says: "expected value below which a customer is in it; null is open"}
  scale: {type: text, check: "in ('linear', 'logarithmic')", says: "whether bands have one width, or one ratio of their ends"}
--- */
-- A hundredth of the customers at each end does not stretch the scale: they are in the open bands.
with quantiles as (
    select
        quantile_disc(expected_clv, 0.01)::double as lowest,
        quantile_disc(expected_clv, 0.05)::double as low,
        quantile_disc(expected_clv, 0.95)::double as high,
        quantile_disc(expected_clv, 0.99)::double as highest
    from models.clv
    where expected_clv is not null
),
spread as (
    select
        lowest, highest,
        low > 0 and high >= 20 * low as is_log,
        greatest(highest - lowest, abs(highest) / 100, 0.01) / 14 as least_step,
        greatest(case when lowest > 0 then lowest else low end, 0.001) as log_from
    from quantiles
    where lowest is not null
),
powers as (
    select lowest, highest, is_log, least_step, log_from, pow(10, floor(log10(least_step))) as unit
    from spread
),
stepped as (
    select
        lowest, highest, is_log, log_from,
        unit * case
            when least_step <= unit then 1
            when least_step <= 2 * unit then 2
            when least_step <= 2.5 * unit then 2.5
            when least_step <= 5 * unit then 5
            else 10
        end as step
    from powers
),
marks as (
    select (floor(s.lowest / s.step) + i.place) * s.step as mark, 'linear' as scale
    from stepped as s
    cross join range(1, 17) as i(place)
    where not s.is_log and (floor(s.lowest / s.step) + i.place) * s.step <= s.highest
    union all
    select m.mantissa * pow(10, e.exponent) as mark, 'logarithmic' as scale
    from stepped as s
    cross join range(-3, 14) as e(exponent)
    cross join (
        values (1, false), (1.5, true), (2, false), (3, true), (5, false), (7, true)
    ) as m(mantissa, is_fine)
    where s.is_log and (not m.is_fine or s.highest < 1000 * s.log_from)
        and m.mantissa * pow(10, e.exponent) between s.log_from and s.highest
    union all
    -- Where no round number lies between the ends, zero or the lowest parts nothing: then everybody is in one band.
    select null as mark, case when s.is_log then 'logarithmic' else 'linear' end as scale
    from stepped as s
),
ends as (
    select distinct mark::decimal(18,4) as band_from, scale from marks
)
select
    row_number() over (order by band_from nulls first)::integer as band,
    band_from,
    lead(band_from) over (order by band_from nulls first) as band_to,
    scale
from ends
