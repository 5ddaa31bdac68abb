WITH purchase_days AS (
  SELECT
    customer_id,
    order_date,
    SUM(monetary) AS monetary
  FROM curated.orders
  WHERE
    kind = 'sale' AND order_date < (
      SELECT
        as_of
      FROM customers.cutoff
    )
  GROUP BY
    customer_id,
    order_date
), summed AS (
  SELECT
    customer_id,
    MIN(order_date) AS first_order_date,
    MAX(order_date) AS last_order_date,
    COUNT(*) - 1 AS repeat_orders,
    CAST(SUM(monetary) AS DECIMAL(18, 4)) AS monetary,
    CAST(MIN_BY(monetary, order_date) AS DECIMAL(18, 4)) AS first_monetary
  FROM purchase_days
  GROUP BY
    customer_id
)
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
  CAST((
    s.monetary - s.first_monetary
  ) AS DECIMAL(18, 4)) AS repeat_monetary,
  CAST((
    CASE
      WHEN (
        s.repeat_orders
      ) <> 0
      THEN CAST(ROUND(
        CAST((
          s.monetary - s.first_monetary
        ) AS DECIMAL(28, 4)) / CAST((
          s.repeat_orders
        ) AS DECIMAL(10, 0)),
        4
      ) AS DECIMAL(38, 4))
    END
  ) AS DECIMAL(18, 4)) AS mean_repeat_monetary
FROM summed AS s
JOIN curated.customers AS c
  ON c.customer_id = s.customer_id
