WITH total AS (
  SELECT
    COUNT(*) AS customers,
    SUM(monetary) AS monetary
  FROM customers.lrfm
  WHERE
    NOT lrfm_score IS NULL
), tiers AS (
  SELECT
    l.customer_value,
    COUNT(*) AS customers,
    SUM(l.monetary) AS monetary,
    SUM(h.revenue) AS revenue,
    SUM(h.margin) AS margin,
    CAST(SUM(l.frequency) AS INT64) AS orders,
    AVG(l.length_days) AS mean_length_days,
    AVG(l.recency_days) AS mean_recency_days,
    AVG(l.frequency) AS mean_frequency,
    AVG(l.l_score) AS mean_l_score,
    AVG(l.r_score) AS mean_r_score,
    AVG(l.f_score) AS mean_f_score,
    AVG(l.m_score) AS mean_m_score
  FROM customers.lrfm AS l
  JOIN customers.history AS h
    ON h.customer_id = l.customer_id
  WHERE
    NOT l.lrfm_score IS NULL
  GROUP BY
    l.customer_value
)
SELECT
  t.customer_value,
  t.customers,
  CAST(t.customers AS FLOAT64) / a.customers AS customer_share,
  CAST(t.monetary AS NUMERIC) AS monetary,
  CASE
    WHEN a.monetary > 0
    THEN CAST(t.monetary AS FLOAT64) / CAST(a.monetary AS FLOAT64)
  END AS monetary_share,
  CAST(t.revenue AS NUMERIC) AS revenue,
  CAST(t.margin AS NUMERIC) AS margin,
  t.orders,
  CAST((
    CASE
      WHEN (
        t.customers
      ) <> 0
      THEN CAST(ROUND(CAST((
        t.monetary
      ) AS NUMERIC) / CAST((
        t.customers
      ) AS NUMERIC), 4) AS NUMERIC)
    END
  ) AS NUMERIC) AS mean_monetary,
  t.mean_length_days,
  t.mean_recency_days,
  t.mean_frequency,
  t.mean_l_score,
  t.mean_r_score,
  t.mean_f_score,
  t.mean_m_score
FROM tiers AS t
CROSS JOIN total AS a
