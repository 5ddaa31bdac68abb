/* ---
table: identity.links
grain: record_a, record_b, type, value_hash
says: "What holds the records of a customer together, each link with its reason."
filled_by: identity
reads: [identity.decisions, identity.identifiers, identity.records]
columns:
  record_a: {type: text, says: "record, namespace:key"}
  record_b: {type: text, says: "record that it is linked with"}
  type: {type: text, says: "sort of the identifier that both carry, or decision"}
  shown: {type: text, says: "the identifier, masked"}
  value_hash: {type: text, sensitivity: personal, says: "names the identifier in identity.identifiers, or the decision"}
  reason: {type: text, says: "why they are one, in words"}
  since_run: {type: text, says: "first run that held this link"}
--- */
