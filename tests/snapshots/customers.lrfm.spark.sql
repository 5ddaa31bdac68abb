WITH above AS (
  /* Boundaries below the customer's value, and of those at the same value the ones that stand earlier by name and key. */
  SELECT
    *,
    LENGTH(
      FILTER(
        (
          SELECT
            COLLECT_LIST(CAST(value AS INT))
          FROM customers.lrfm_bounds
          WHERE
            dimension = 'L'
        ),
        v -> v < length_days
      )
    ) + CASE
      WHEN ARRAY_CONTAINS(
        (
          SELECT
            COLLECT_LIST(CAST(value AS INT))
          FROM customers.lrfm_bounds
          WHERE
            dimension = 'L'
        ),
        length_days
      )
      THEN COALESCE(
        LENGTH(
          FILTER(
            (
              SELECT
                COLLECT_LIST(STRUCT(CAST(b.value AS INT) AS value, b.tie_name AS name, b.tie_key AS key))
              FROM customers.lrfm_bounds AS b
              CROSS JOIN run.settings AS s
              WHERE
                b.dimension = 'L' AND s.ties = 'first'
            ),
            b -> b.value = length_days
            AND (
              b.name < customer OR (
                b.name = customer AND b.key < customer_id
              )
            )
          )
        ),
        0
      )
      ELSE 0
    END AS l_above,
    LENGTH(
      FILTER(
        (
          SELECT
            COLLECT_LIST(CAST(value AS INT))
          FROM customers.lrfm_bounds
          WHERE
            dimension = 'R'
        ),
        v -> v < recency_days
      )
    ) + CASE
      WHEN ARRAY_CONTAINS(
        (
          SELECT
            COLLECT_LIST(CAST(value AS INT))
          FROM customers.lrfm_bounds
          WHERE
            dimension = 'R'
        ),
        recency_days
      )
      THEN COALESCE(
        LENGTH(
          FILTER(
            (
              SELECT
                COLLECT_LIST(STRUCT(CAST(b.value AS INT) AS value, b.tie_name AS name, b.tie_key AS key))
              FROM customers.lrfm_bounds AS b
              CROSS JOIN run.settings AS s
              WHERE
                b.dimension = 'R' AND s.ties = 'first'
            ),
            b -> b.value = recency_days
            AND (
              b.name < customer OR (
                b.name = customer AND b.key < customer_id
              )
            )
          )
        ),
        0
      )
      ELSE 0
    END AS r_above,
    LENGTH(
      FILTER(
        (
          SELECT
            COLLECT_LIST(CAST(value AS BIGINT))
          FROM customers.lrfm_bounds
          WHERE
            dimension = 'F'
        ),
        v -> v < frequency
      )
    ) + CASE
      WHEN ARRAY_CONTAINS(
        (
          SELECT
            COLLECT_LIST(CAST(value AS BIGINT))
          FROM customers.lrfm_bounds
          WHERE
            dimension = 'F'
        ),
        frequency
      )
      THEN COALESCE(
        LENGTH(
          FILTER(
            (
              SELECT
                COLLECT_LIST(STRUCT(CAST(b.value AS BIGINT) AS value, b.tie_name AS name, b.tie_key AS key))
              FROM customers.lrfm_bounds AS b
              CROSS JOIN run.settings AS s
              WHERE
                b.dimension = 'F' AND s.ties = 'first'
            ),
            b -> b.value = frequency
            AND (
              b.name < customer OR (
                b.name = customer AND b.key < customer_id
              )
            )
          )
        ),
        0
      )
      ELSE 0
    END AS f_above,
    LENGTH(
      FILTER(
        (
          SELECT
            COLLECT_LIST(CAST(value AS DECIMAL(18, 4)))
          FROM customers.lrfm_bounds
          WHERE
            dimension = 'M'
        ),
        v -> v < monetary
      )
    ) + CASE
      WHEN ARRAY_CONTAINS(
        (
          SELECT
            COLLECT_LIST(CAST(value AS DECIMAL(18, 4)))
          FROM customers.lrfm_bounds
          WHERE
            dimension = 'M'
        ),
        monetary
      )
      THEN COALESCE(
        LENGTH(
          FILTER(
            (
              SELECT
                COLLECT_LIST(
                  STRUCT(CAST(b.value AS DECIMAL(18, 4)) AS value, b.tie_name AS name, b.tie_key AS key)
                )
              FROM customers.lrfm_bounds AS b
              CROSS JOIN run.settings AS s
              WHERE
                b.dimension = 'M' AND s.ties = 'first'
            ),
            b -> b.value = monetary
            AND (
              b.name < customer OR (
                b.name = customer AND b.key < customer_id
              )
            )
          )
        ),
        0
      )
      ELSE 0
    END AS m_above
  FROM customers.history
), scored AS (
  SELECT
    customer_id,
    customer,
    first_order_date,
    last_order_date,
    length_days,
    recency_days,
    frequency,
    monetary,
    CAST(CASE WHEN frequency > 0 THEN 1 + COALESCE(l_above, 0) END AS INT) AS l_score,
    CAST(CASE
      WHEN frequency > 0
      THEN (
        SELECT
          bins
        FROM run.settings
      ) - COALESCE(r_above, 0)
    END AS INT) AS r_score,
    CAST(CASE WHEN frequency > 0 THEN 1 + COALESCE(f_above, 0) END AS INT) AS f_score,
    CAST(CASE WHEN frequency > 0 THEN 1 + COALESCE(m_above, 0) END AS INT) AS m_score
  FROM above
)
SELECT
  *,
  l_score + r_score + f_score + m_score AS lrfm_score,
  CASE
    WHEN frequency = 0
    THEN NULL
    WHEN l_score + r_score + f_score + m_score >= (
      SELECT
        high_value_at
      FROM run.settings
    )
    THEN 'High-Value'
    WHEN l_score + r_score + f_score + m_score >= (
      SELECT
        mid_value_at
      FROM run.settings
    )
    THEN 'Mid-Value'
    ELSE 'Low-Value'
  END AS customer_value
FROM scored
