WITH ranked AS (
  SELECT
    customer_id,
    customer_value,
    m_score,
    ROW_NUMBER() OVER (ORDER BY monetary DESC, customer NULLS LAST, customer_id NULLS LAST) AS profit_rank,
    COUNT(*) OVER () AS customers
  FROM customers.lrfm
  WHERE
    NOT lrfm_score IS NULL
), judged AS (
  SELECT
    r.customer_id,
    r.profit_rank,
    r.customer_value,
    CASE s.gem_rule
      WHEN 'm_score'
      THEN r.m_score >= s.gem_min_m_score
      WHEN 'top_n'
      THEN r.profit_rank <= s.gem_top_n
      ELSE r.profit_rank <= CEIL(s.gem_top_share * r.customers)
    END AS is_top_performer
  FROM ranked AS r
  CROSS JOIN run.settings AS s
)
SELECT
  customer_id,
  profit_rank,
  is_top_performer,
  is_top_performer AND customer_value = 'Mid-Value' AS is_gem
FROM judged
