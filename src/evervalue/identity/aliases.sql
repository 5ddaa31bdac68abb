/* ---
table: identity.aliases
grain: alias
says: "Customer ids that stand for nobody any more, and who is meant by them now."
columns:
  alias: {type: text, says: "retired customer id"}
  customer_id: {type: text, says: "customer of the record that it was given for"}
  since_run: {type: text, says: "run that retired it"}
--- */
select i.customer_id as alias, r.customer_id, i.retired_run as since_run
from identity.customer_ids as i
join identity.registry as r on r.namespace = i.namespace and r.customer_key = i.customer_key
where i.retired_run is not null
