/* ---
table: identity.registry
grain: namespace, customer_key
says: "The customer of every record that any run has seen. It goes on from run to run."
filled_by: identity
reads: [identity.decisions, identity.links, identity.records]
columns:
  namespace: {type: text, says: "namespace of the record"}
  customer_key: {type: text, says: "customer key of the record"}
  customer_id: {type: text, says: "stable customer key"}
  since_run: {type: text, says: "run since which the record belongs to this customer"}
  is_present: {type: boolean, says: "whether a source names it in this run"}
--- */
