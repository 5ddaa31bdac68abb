/* ---
table: mapped.events
grain: source, seq
says: "Events as the collector took them, read through the files that runs wrote of its log: nothing is copied, and an event never changes."
filled_by: pipeline
columns:
  source: {type: text, says: name of the source}
  seq: {type: bigint, check: ">= 1", says: place in the collector's log}
  message_id: {type: text, says: "the event's own id, unique within its source"}
  type: {type: text, says: "track, identify, page, screen, group or alias"}
  event: {type: text, nullable: true, says: "what happened, of a track event"}
  user_id: {type: text, nullable: true, sensitivity: personal, says: customer number that the sender gave}
  anonymous_id: {type: text, nullable: true, sensitivity: personal, says: visitor as the browser or the app knows it}
  previous_id: {type: text, nullable: true, sensitivity: personal, says: "who it was before, of an alias"}
  occurred_at: {type: timestamp, says: "instant of the event by our clock, UTC; never after it came"}
  received_at: {type: timestamp, says: "instant at which it came, UTC"}
  path: {type: text, nullable: true, says: path of the page}
  url: {type: text, nullable: true, sensitivity: personal, says: address of the page}
  referrer: {type: text, nullable: true, sensitivity: personal, says: page before}
  title: {type: text, nullable: true, says: title of the page}
  campaign_name: {type: text, nullable: true, says: campaign that brought the visitor}
  campaign_source: {type: text, nullable: true, says: where the campaign ran}
  campaign_medium: {type: text, nullable: true, says: "how it ran: email, cpc ..."}
  campaign_term: {type: text, nullable: true, says: word that was paid for}
  campaign_content: {type: text, nullable: true, says: which of its links}
  product_id: {type: text, nullable: true, says: product key}
  order_id: {type: text, nullable: true, says: order number}
--- */
