WITH purchase_days AS (
  SELECT
    customer_id,
    order_date,
    CAST(SUM(monetary) AS DECIMAL(18, 4)) AS monetary
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
), spaced AS (
  SELECT
    customer_id,
    order_date,
    monetary,
    DATEDIFF(
      DAY,
      LAG(order_date) OVER (PARTITION BY customer_id ORDER BY order_date NULLS LAST),
      order_date
    ) AS interval_days
  FROM purchase_days
), summed AS (
  /* Logarithms are rounded before they are added: sums of doubles would hang on the order of rows. With 19 digits on */
  /* one side a square has the room it needs on every engine. */
  SELECT
    customer_id,
    MIN(order_date) AS first_order_date,
    MAX(order_date) AS last_order_date,
    COUNT(*) - 1 AS repeat_orders,
    CAST(SUM(monetary) AS DECIMAL(18, 4)) AS monetary,
    CAST(MIN_BY(monetary, order_date) AS DECIMAL(18, 4)) AS first_monetary,
    MIN(monetary) AS least_monetary,
    CAST(SUM(CAST(monetary AS DECIMAL(19, 4)) * monetary) AS DECIMAL(38, 8)) AS monetary_squared_sum,
    CAST(COALESCE(SUM(CAST(ROUND(LN(interval_days), 9) AS DECIMAL(18, 9))), 0) AS DECIMAL(38, 9)) AS log_interval_sum
  FROM spaced
  GROUP BY
    customer_id
), reversed AS (
  SELECT
    customer_id,
    CAST(SUM(monetary) AS DECIMAL(18, 4)) AS monetary
  FROM curated.orders
  WHERE
    kind <> 'sale' AND order_date < (
      SELECT
        as_of
      FROM customers.cutoff
    )
  GROUP BY
    customer_id
)
SELECT
  s.customer_id,
  s.first_order_date,
  s.last_order_date,
  s.repeat_orders,
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
  ) AS DECIMAL(18, 4)) AS mean_repeat_monetary,
  CAST((
    CASE
      WHEN (
        s.repeat_orders + 1
      ) <> 0
      THEN CAST(ROUND(
        CAST((
          s.monetary
        ) AS DECIMAL(28, 4)) / CAST((
          s.repeat_orders + 1
        ) AS DECIMAL(10, 0)),
        4
      ) AS DECIMAL(38, 4))
    END
  ) AS DECIMAL(18, 4)) AS mean_monetary,
  s.least_monetary,
  s.monetary_squared_sum,
  s.log_interval_sum,
  CAST(COALESCE(r.monetary, 0) AS DECIMAL(18, 4)) AS reversed_monetary
FROM summed AS s
LEFT JOIN reversed AS r
  ON r.customer_id = s.customer_id
