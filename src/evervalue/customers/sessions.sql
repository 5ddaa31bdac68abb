/* ---
table: customers.sessions
grain: visitor_id, session_number
says: "Visits: what one visitor did without a pause longer than the setting (30 minutes), on sites and in apps alike."
order_by: customer_id, visitor_id, session_number
delta:
  curated.events: "visitor_id in (select visitor_id from delta_visitors)"
changed: "visitor_id in (select visitor_id from delta_visitors)"
columns:
  visitor_id: {type: text, sensitivity: personal, says: "who it was: the customer where it is known, else namespace:key"}
  session_number: {type: bigint, check: ">= 1", says: "which session of the visitor it is, counted from the first"}
  customer_id: {type: text, nullable: true, references: curated.customers.customer_id, says: "stable customer key; null until the visitor is a customer"}
  started_at: {type: timestamp, says: "instant of the first event, UTC"}
  ended_at: {type: timestamp, says: "instant of the last event, UTC"}
  start_date: {type: date, says: business day of the first event in the project's time zone}
  duration_seconds: {type: bigint, unit: second, check: ">= 0", says: from the first event to the last}
  event_count: {type: bigint, unit: count, check: ">= 1", says: events of the session}
  page_count: {type: bigint, unit: count, says: pages and screens seen}
  product_count: {type: bigint, unit: count, says: "products looked at, put into the cart or ordered, each once"}
  product_views: {type: bigint, unit: count, says: times a product was looked at}
  cart_events: {type: bigint, unit: count, says: "steps of cart and checkout"}
  order_count: {type: bigint, unit: count, says: "orders that were told, each once"}
  landing_path: {type: text, nullable: true, says: path of the first page that has one}
  landing_url: {type: text, nullable: true, sensitivity: personal, says: address of that page}
  referrer: {type: text, nullable: true, sensitivity: personal, says: page before the first one that names one}
  campaign_name: {type: text, nullable: true, says: first campaign of the session}
  campaign_source: {type: text, nullable: true, says: where it ran}
  campaign_medium: {type: text, nullable: true, says: how it ran}
--- */
with numbered as (
    select *, row(occurred_at, source, seq) as place from curated.events
),
firsts as (
    select
        visitor_id, session_number,
        min_by({'path': path, 'url': url}, place) filter (where path is not null or url is not null) as landing,
        min_by(referrer, place) filter (where referrer is not null) as referrer,
        min_by({'name': campaign_name, 'source': campaign_source, 'medium': campaign_medium}, place) filter (
            where coalesce(campaign_name, campaign_source, campaign_medium) is not null
        ) as campaign
    from numbered
    group by visitor_id, session_number
),
products as (
    select visitor_id, session_number, count(*) as n
    from (select distinct visitor_id, session_number, product_id from curated.events where product_id is not null) as d
    group by visitor_id, session_number
),
orders as (
    select visitor_id, session_number, count(*) as n
    from (
        select distinct visitor_id, session_number, coalesce(order_id, message_id) as order_id
        from curated.events where step = 'order'
    ) as d
    group by visitor_id, session_number
),
summed as (
    select
        visitor_id, session_number,
        min(customer_id) as customer_id,
        min(occurred_at) as started_at, max(occurred_at) as ended_at, min(event_date) as start_date,
        count(*) as event_count,
        count(*) filter (where type in ('page', 'screen')) as page_count,
        count(*) filter (where step = 'product') as product_views,
        count(*) filter (where step = 'cart') as cart_events
    from curated.events
    group by visitor_id, session_number
)
select
    s.visitor_id, s.session_number, s.customer_id, s.started_at, s.ended_at, s.start_date,
    date_diff('millisecond', s.started_at, s.ended_at) // 1000 as duration_seconds,
    s.event_count, s.page_count, coalesce(p.n, 0) as product_count, s.product_views, s.cart_events,
    coalesce(o.n, 0) as order_count,
    f.landing.path as landing_path, f.landing.url as landing_url, f.referrer,
    f.campaign.name as campaign_name, f.campaign.source as campaign_source, f.campaign.medium as campaign_medium
from summed as s
join firsts as f using (visitor_id, session_number)
left join products as p using (visitor_id, session_number)
left join orders as o using (visitor_id, session_number)
