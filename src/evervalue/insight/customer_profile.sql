/* ---
table: insight.customer_profile
grain: customer_id
index: customer_id
says: "What a profile shows of a customer, written down as one text, so that pages and the API find it in one look-up; it says nothing that other tables do not."
filled_by: insight/profiles.py
reads: [insight.customer_list, curated.customer_keys, curated.customer_attributes, curated.orders]
columns:
  customer_id: {type: text, references: insight.customer_list.customer_id, says: stable customer key}
  profile: {type: text, sensitivity: personal, says: "JSON: layout, row of the customer list, keys, attributes, and orders; null for what is too many. Layout 1"}
--- */
