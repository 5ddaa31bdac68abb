/* ---
table: customers.features
grain: customer_id
says: "What customers did on sites and in apps before the cutoff, one row a customer of whom there are events."
constants:
  as_of: select as_of from customers.cutoff
columns:
  customer_id: {type: text, references: curated.customers.customer_id, says: stable customer key}
  first_visit_date: {type: date, says: business day of the first event}
  last_visit_date: {type: date, says: business day of the last event}
  visit_recency_days: {type: integer, unit: day, check: ">= 1", says: days from the last event to as_of}
  active_days: {type: bigint, unit: count, check: ">= 1", says: business days with an event}
  session_count: {type: bigint, unit: count, check: ">= 1", says: sessions}
  session_count_30d: {type: bigint, unit: count, says: "sessions with an event in the 30 days before as_of"}
  page_count: {type: bigint, unit: count, says: pages and screens seen}
  product_views: {type: bigint, unit: count, says: times a product was looked at}
  carts: {type: bigint, unit: count, says: "sessions with a step of cart or checkout"}
  abandoned_carts: {type: bigint, unit: count, says: "such sessions in which nothing was ordered"}
  order_sessions: {type: bigint, unit: count, says: sessions in which something was ordered}
  first_campaign_name: {type: text, nullable: true, says: campaign of the first event that has one}
  last_campaign_name: {type: text, nullable: true, says: campaign of the last event that has one}
  last_campaign_source: {type: text, nullable: true, says: where it ran}
  last_campaign_medium: {type: text, nullable: true, says: how it ran}
--- */
with seen as (
    select *, row(occurred_at, source, seq) as place
    from curated.events
    where customer_id is not null and event_date < $as_of
),
sessions as (
    select
        customer_id, session_number,
        max(event_date) as last_date,
        count(*) filter (where type in ('page', 'screen')) as page_count,
        count(*) filter (where step = 'product') as product_views,
        count(*) filter (where step = 'cart') > 0 as has_cart,
        count(*) filter (where step = 'order') > 0 as has_order
    from seen
    group by customer_id, session_number
),
days as (
    select customer_id, count(*) as active_days, min(event_date) as first_visit_date, max(event_date) as last_visit_date
    from (select distinct customer_id, event_date from seen) as d
    group by customer_id
),
campaigns as (
    select
        customer_id,
        min_by(campaign_name, place) as first_name,
        max_by({'name': campaign_name, 'source': campaign_source, 'medium': campaign_medium}, place) as last_one
    from seen
    where coalesce(campaign_name, campaign_source, campaign_medium) is not null
    group by customer_id
),
summed as (
    select
        customer_id,
        count(*) as session_count,
        count(*) filter (where last_date >= $as_of - 30) as session_count_30d,
        sum(page_count)::bigint as page_count,
        sum(product_views)::bigint as product_views,
        count(*) filter (where has_cart) as carts,
        count(*) filter (where has_cart and not has_order) as abandoned_carts,
        count(*) filter (where has_order) as order_sessions
    from sessions
    group by customer_id
)
select
    s.customer_id, d.first_visit_date, d.last_visit_date,
    date_diff('day', d.last_visit_date, $as_of)::integer as visit_recency_days,
    d.active_days, s.session_count, s.session_count_30d, s.page_count, s.product_views, s.carts, s.abandoned_carts,
    s.order_sessions,
    c.first_name as first_campaign_name, c.last_one.name as last_campaign_name,
    c.last_one.source as last_campaign_source, c.last_one.medium as last_campaign_medium
from summed as s
join days as d using (customer_id)
left join campaigns as c using (customer_id)
