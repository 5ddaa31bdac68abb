/* ---
table: curated.rates
grain: from_currency, rate_date
says: "Value of one unit of a currency in the reporting currency, from a day until the next rate or 7 days later."
columns:
  from_currency: {type: text, says: currency that is converted}
  rate_date: {type: date, says: day of the rate}
  valid_until: {type: date, says: first day on which the rate no longer holds}
  rate: {type: "decimal(28,10)", check: "between 0.0000000001 and 9999999999", says: reporting currency for one unit}
--- */
select
    r.from_currency,
    r.rate_date,
    least(
        coalesce(
            lead(r.rate_date) over (partition by r.from_currency order by r.rate_date),
            r.rate_date + interval 7 day
        ),
        r.rate_date + interval 7 day
    )::date as valid_until,
    r.rate
from (select distinct from_currency, to_currency, rate_date, rate from mapped.rates) as r
join run.settings as s on r.to_currency = s.currency
