/* ---
table: identity.customer_ids
grain: customer_id
says: "Every customer id that was ever given. None is given twice."
filled_by: identity
reads: [identity.registry]
columns:
  customer_id: {type: text, says: "stable customer key"}
  namespace: {type: text, says: "namespace of the record that it was given for"}
  customer_key: {type: text, says: "key of the record that it was given for"}
  minted_run: {type: text, says: "run that gave it"}
  retired_run: {type: text, nullable: true, says: "run since which it stands for nobody, because its records went to another customer"}
--- */
