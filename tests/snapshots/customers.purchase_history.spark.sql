SELECT
  s.customer_id,
  c.customer,
  s.first_order_date,
  s.last_order_date,
  s.repeat_orders,
  CAST(DATEDIFF(DAY, s.first_order_date, s.last_order_date) AS INT) AS length_days,
  CAST(DATEDIFF(DAY, s.first_order_date, (
    SELECT
      as_of
    FROM customers.cutoff
  )) AS INT) AS age_days,
  s.monetary,
  s.repeat_monetary,
  s.mean_repeat_monetary,
  s.mean_monetary,
  s.least_monetary,
  s.monetary_squared_sum,
  s.log_interval_sum,
  s.reversed_monetary,
  CASE
    WHEN s.monetary > 0
    THEN LEAST(
      1e0,
      GREATEST(
        0e0,
        CAST((
          s.monetary + s.reversed_monetary
        ) AS DOUBLE) / CAST(s.monetary AS DOUBLE)
      )
    )
    ELSE 1e0
  END AS kept_share
FROM customers.purchase_totals AS s
JOIN curated.customers AS c
  ON c.customer_id = s.customer_id
