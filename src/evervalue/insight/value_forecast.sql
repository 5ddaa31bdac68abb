/* ---
table: insight.value_forecast
grain: target, origin
says: "Forecast against actual: what the model of this run would have expected on days in the past, beside what then came. Empty where there is too little history to test on."
order_by: target, origin
columns:
  target: {type: text, check: "in ('orders', 'value')", says: "what was forecast: purchase days, or money"}
  origin: {type: date, nullable: true, says: "first day that was forecast; null is all origins together"}
  until: {type: date, nullable: true, says: "first day that was no longer forecast"}
  model: {type: text, says: model as options call it}
  model_name: {type: text, says: the same as people call it}
  customers: {type: bigint, unit: count, says: "customers known at the first origin, counted once an origin"}
  expected_share: {type: double, nullable: true, says: "what was expected as a share of what came: 1 is right, 0.8 a fifth too little; null where nothing came"}
  is_within_tenth: {type: boolean, nullable: true, says: "whether it missed by a tenth or less"}
--- */
with tested as (
    select b.target, b.origin, b.model, b.model_name, b.n, b.value
    from models.backtest as b
    join models.fits as f on f.role = 'orders' and f.model_key = b.model
    where b.measure = 'bias' and b.customers = 'known'
),
last_origin as (
    -- the last origin lies one window before as_of
    select c.as_of, date_diff('day', max(t.origin), c.as_of) as window_days
    from tested as t
    cross join customers.cutoff as c
    group by c.as_of
)
select
    t.target,
    t.origin,
    (t.origin + w.window_days::integer)::date as until,
    t.model,
    t.model_name,
    t.n as customers,
    1 + t.value as expected_share,
    abs(t.value) <= 0.1 as is_within_tenth
from tested as t
cross join last_origin as w
