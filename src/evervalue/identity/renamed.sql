/* ---
table: identity.renamed
grain: namespace, customer_key
says: "Records whose customer id is not their key; with one system and no links there is none."
columns:
  namespace: {type: text, says: "namespace of the record"}
  customer_key: {type: text, says: "customer key of the record"}
  customer_id: {type: text, says: "stable customer key"}
--- */
select namespace, customer_key, customer_id
from identity.registry
where is_present and customer_id <> customer_key
