/* ---
table: curated.customer_keys
grain: namespace, customer_key
index: customer_id
says: "Which customer each key of each system means in this run."
columns:
  namespace: {type: text, says: "whose key it is"}
  customer_key: {type: text, says: customer key of the source}
  customer_id: {type: text, says: stable customer key}
--- */
select namespace, customer_key, customer_id from identity.registry where is_present
