WITH summed AS (
  SELECT
    customer_id,
    MIN(order_date) FILTER(WHERE
      kind = 'sale') AS first_order_date,
    MAX(order_date) FILTER(WHERE
      kind = 'sale') AS last_order_date,
    COUNT(*) FILTER(WHERE
      kind = 'sale') AS frequency,
    SUM(revenue) AS revenue,
    SUM(margin) AS margin,
    SUM(monetary) AS monetary,
    COUNT(*) FILTER(WHERE
      kind <> 'sale') AS reversal_count,
    SUM(revenue) FILTER(WHERE
      kind <> 'sale') AS reversed_amount
  FROM curated.orders
  WHERE
    order_date < (
      SELECT
        as_of
      FROM customers.cutoff
    )
  GROUP BY
    customer_id
)
SELECT
  c.customer_id,
  c.customer,
  s.first_order_date,
  s.last_order_date,
  CAST(DATEDIFF(DAY, s.first_order_date, s.last_order_date) AS INT) AS length_days,
  CAST(DATEDIFF(DAY, s.last_order_date, (
    SELECT
      as_of
    FROM customers.cutoff
  )) AS INT) AS recency_days,
  COALESCE(s.frequency, 0) AS frequency,
  CAST(COALESCE(s.revenue, 0) AS DECIMAL(18, 4)) AS revenue,
  CAST(s.margin AS DECIMAL(18, 4)) AS margin,
  CAST(COALESCE(s.monetary, 0) AS DECIMAL(18, 4)) AS monetary,
  COALESCE(s.reversal_count, 0) AS reversal_count,
  CAST(COALESCE(s.reversed_amount, 0) AS DECIMAL(18, 4)) AS reversed_amount
FROM curated.customers AS c
LEFT JOIN summed AS s
  USING (customer_id)
