/* ---
table: curated.events
grain: source, seq
says: "Every event that the collector took, with whose it is and in which session it stands. An event without a user belongs to the user that its visitor was last known as, else to the one it became."
order_by: visitor_id, occurred_at, source, seq
delta:
  mapped.events: "(source, coalesce(user_id, anonymous_id)) in (select (source, who) from delta_names)"
changed: "(source, coalesce(user_id, anonymous_id)) in (select (source, who) from delta_names)"
columns:
  source: {type: text, says: name of the source}
  seq: {type: bigint, says: place in the collector's log}
  message_id: {type: text, says: "the event's own id, unique within its source"}
  visitor_id: {type: text, sensitivity: personal, says: "who it was: the customer where it is known, else namespace:key of the user or the anonymous visitor"}
  customer_id: {type: text, nullable: true, references: curated.customers.customer_id, says: "stable customer key; null until the visitor is a customer"}
  user_id: {type: text, nullable: true, sensitivity: personal, says: customer number that the sender gave}
  anonymous_id: {type: text, nullable: true, sensitivity: personal, says: visitor as the browser or the app knows it}
  type: {type: text, says: "track, identify, page, screen, group or alias"}
  event: {type: text, nullable: true, says: "what happened, of a track event"}
  step: {type: text, nullable: true, check: "in ('page', 'product', 'cart', 'order')", says: "how far towards an order it is: a page, a product viewed, a cart or a checkout, an order"}
  occurred_at: {type: timestamp, says: "instant of the event by our clock, UTC"}
  event_date: {type: date, says: business day of the event in the project's time zone}
  session_number: {type: bigint, check: ">= 1", says: "which session of the visitor it belongs to, counted from the first"}
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
with recursive systems as (
    select distinct system as source, customer_keys as namespace from run.source_settings
),
-- Who became whom: an alias says so of a user once and for all, the last one that was sent counts.
aliases as (
    select s.namespace, e.previous_id as key, max_by(e.user_id, row(e.occurred_at, e.seq)) as known_as
    from mapped.events as e
    join systems as s using (source)
    where e.type = 'alias' and e.previous_id <> e.user_id
    group by s.namespace, e.previous_id
),
followed as (
    select namespace, key, known_as, 1 as steps from aliases
    union all
    select f.namespace, f.key, a.known_as, f.steps + 1
    from followed as f
    join aliases as a on a.namespace = f.namespace and a.key = f.known_as
    where f.steps < 20
),
became as (
    select namespace, key, max_by(known_as, steps) as known_as from followed group by namespace, key
),
-- Windows over the few columns that they need; what else an event says is joined at the end.
placed as (
    select
        e.source, e.seq, e.message_id, e.user_id, e.anonymous_id, e.occurred_at, s.namespace,
        last_value(e.user_id ignore nulls) over (
            partition by s.namespace, e.anonymous_id order by e.occurred_at, e.source, e.seq
            rows between unbounded preceding and current row
        ) as user_before,
        first_value(e.user_id ignore nulls) over (
            partition by s.namespace, e.anonymous_id order by e.occurred_at, e.source, e.seq
            rows between current row and unbounded following
        ) as user_after
    from mapped.events as e
    join systems as s using (source)
),
keyed as (
    select
        source, seq, message_id, occurred_at, namespace,
        case when user_id is not null then user_id
            when anonymous_id is not null then coalesce(user_before, user_after, anonymous_id) end as key
    from placed
),
named as (
    select k.source, k.seq, k.occurred_at, k.namespace, coalesce(b.known_as, k.key, k.message_id) as key
    from keyed as k
    left join became as b on b.namespace = k.namespace and b.key = k.key
),
resolved as (
    select n.source, n.seq, n.occurred_at, r.customer_id, coalesce(r.customer_id, n.namespace || ':' || n.key) as visitor_id
    from named as n
    left join identity.registry as r on r.namespace = n.namespace and r.customer_key = n.key and r.is_present
),
gaps as (
    select
        *,
        lag(occurred_at) over (partition by visitor_id order by occurred_at, source, seq) as before_at
    from resolved
),
counted as (
    select
        g.source, g.seq, g.visitor_id, g.customer_id,
        sum(case when g.before_at is null or date_diff('millisecond', g.before_at, g.occurred_at) > t.session_minutes * 60000
            then 1 else 0 end) over (
            partition by g.visitor_id order by g.occurred_at, g.source, g.seq
            rows between unbounded preceding and current row
        )::bigint as session_number
    from gaps as g
    cross join run.settings as t
)
select
    e.source, e.seq, e.message_id, c.visitor_id, c.customer_id, e.user_id, e.anonymous_id, e.type, e.event,
    case
        when lower(e.event) in ('order completed', 'completed order') then 'order'
        when lower(e.event) in ('product added', 'added product', 'product removed', 'removed product', 'cart viewed',
            'viewed cart', 'checkout started', 'started checkout', 'checkout step viewed', 'viewed checkout step',
            'checkout step completed', 'completed checkout step', 'payment info entered', 'coupon entered',
            'coupon applied') then 'cart'
        when lower(e.event) in ('product viewed', 'viewed product') then 'product'
        when e.type in ('page', 'screen') then 'page'
    end as step,
    e.occurred_at,
    timezone(t.time_zone, timezone('UTC', e.occurred_at))::date as event_date,
    c.session_number,
    e.path, e.url, e.referrer, e.title,
    e.campaign_name, e.campaign_source, e.campaign_medium, e.campaign_term, e.campaign_content, e.product_id, e.order_id
from mapped.events as e
join counted as c using (source, seq)
cross join run.settings as t
