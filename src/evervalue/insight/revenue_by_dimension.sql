/* ---
table: insight.revenue_by_dimension
grain: dimension, value
says: "Where revenue comes from: every value of every dimension that the data has, before the cutoff. The lines of a dimension add up to all revenue; orders and customers do not, for they may have several values."
order_by: dimension, place
constants:
  has_product: select coalesce(max(coalesce(product_id, product_name)), '') <> '' from curated.order_lines
  has_category: select coalesce(max(category), '') <> '' from curated.order_lines
  has_region: select coalesce(max(region), '') <> '' from curated.order_lines
  has_country: select coalesce(max(country), '') <> '' from curated.order_lines
  has_channel: select coalesce(max(channel), '') <> '' from curated.order_lines
  discounts: select count(distinct discount) from curated.order_lines where discount is not null
columns:
  dimension: {type: text, says: "product, category, region, country, channel, discount, or the name of an attribute of customers that the lines do not have and that is shared by many"}
  is_attribute: {type: boolean, says: "whether the dimension is a fact about customers and not about lines"}
  place: {type: bigint, check: ">= 1", says: place by revenue within the dimension}
  value: {type: text, says: "the value, of a product its key; empty where the source says nothing. A discount is as the source writes it, of more than 50 different ones only with or without; an attribute is the customer's latest"}
  name: {type: text, nullable: true, says: "value as shown, of a product its latest name; null where the source says nothing"}
  revenue: {type: "decimal(18,4)", unit: currency, says: "net revenue, what was taken back taken off"}
  revenue_share: {type: double, nullable: true, says: "share of all revenue; null where that is not positive"}
  margin: {type: "decimal(18,4)", nullable: true, unit: currency, says: "margin of the lines that have one; null where none has"}
  margin_rate: {type: double, nullable: true, says: "margin by revenue; null where revenue is not positive"}
  sold: {type: "decimal(18,4)", unit: currency, says: net revenue of sales alone}
  returned: {type: "decimal(18,4)", unit: currency, says: "net revenue of returns, cancellations, refunds, credit notes and adjustments, mostly below zero"}
  return_rate: {type: double, nullable: true, says: "what was taken back by what was sold; null where nothing was sold"}
  lines: {type: bigint, unit: count, says: "lines, of sales and of returns"}
  orders: {type: bigint, unit: count, says: sales with the value in one of their lines}
  customers: {type: bigint, unit: count, says: customers with such a sale}
  revenue_now: {type: "decimal(18,4)", nullable: true, unit: currency, says: "net revenue of the later period of insight.revenue_periods; null where there is none"}
  revenue_before: {type: "decimal(18,4)", nullable: true, unit: currency, says: net revenue of the period before it}
  change: {type: double, nullable: true, says: "by which share revenue grew from the one to the other; null where the earlier is not positive"}
--- */
with lines as (
    select
        'product' as dimension, coalesce(l.product_id, l.product_name, '') as value, l.product_name as name,
        l.customer_id, l.order_key, l.order_date, l.kind, l.amount, l.margin
    from curated.order_lines as l
    where $has_product
    union all
    select 'category', coalesce(l.category, ''), l.category,
        l.customer_id, l.order_key, l.order_date, l.kind, l.amount, l.margin
    from curated.order_lines as l
    where $has_category
    union all
    select 'region', coalesce(l.region, ''), l.region,
        l.customer_id, l.order_key, l.order_date, l.kind, l.amount, l.margin
    from curated.order_lines as l
    where $has_region
    union all
    select 'country', coalesce(l.country, ''), l.country,
        l.customer_id, l.order_key, l.order_date, l.kind, l.amount, l.margin
    from curated.order_lines as l
    where $has_country
    union all
    select 'channel', coalesce(l.channel, ''), l.channel,
        l.customer_id, l.order_key, l.order_date, l.kind, l.amount, l.margin
    from curated.order_lines as l
    where $has_channel
    union all
    select 'discount', d.value, d.value,
        l.customer_id, l.order_key, l.order_date, l.kind, l.amount, l.margin
    from curated.order_lines as l
    join (
        select discount, case
            when discount is null then ''
            when $discounts <= 50 then rtrim(rtrim(cast(discount as text), '0'), '.')
            when discount = 0 then 'without'
            else 'with' end as value
        from (select distinct discount from curated.order_lines) as s
    ) as d on d.discount is not distinct from l.discount
    where $discounts > 0
),
-- Counted in two steps, which the engine can do with little memory: each order and customer once, then how many.
of_orders as (
    select l.dimension, l.value, l.customer_id, l.order_key
    from lines as l
    cross join insight.revenue_periods as p
    where l.order_date < p.as_of and l.kind = 'sale'
    group by l.dimension, l.value, l.customer_id, l.order_key
),
of_buyers as (
    select dimension, value, customer_id, count(*) as orders from of_orders group by dimension, value, customer_id
),
counted as (
    select dimension, value, sum(orders) as orders, count(*) as customers from of_buyers group by dimension, value
),
summed as (
    select
        l.dimension,
        l.value,
        max_by(l.name, row(l.order_date, l.name)) filter (where l.name <> '') as name,
        sum(l.amount) as revenue,
        sum(l.margin) as margin,
        coalesce(sum(l.amount) filter (where l.kind = 'sale'), 0) as sold,
        coalesce(sum(l.amount) filter (where l.kind <> 'sale'), 0) as returned,
        count(*) as lines,
        coalesce(sum(l.amount) filter (where l.order_date >= p.now_from), 0) as revenue_now,
        coalesce(sum(l.amount) filter (where l.order_date >= p.before_from and l.order_date < p.now_from), 0) as revenue_before
    from lines as l
    cross join insight.revenue_periods as p
    where l.order_date < p.as_of
    group by l.dimension, l.value
),
of_lines as (
    select
        s.dimension, false as is_attribute, s.value, s.name, s.revenue, s.margin, s.sold, s.returned, s.lines,
        coalesce(c.orders, 0) as orders, coalesce(c.customers, 0) as customers, s.revenue_now, s.revenue_before
    from summed as s
    left join counted as c on c.dimension = s.dimension and c.value = s.value
),
of_customers as (
    select
        o.customer_id,
        sum(o.revenue) as revenue,
        sum(o.margin) as margin,
        coalesce(sum(o.revenue) filter (where o.kind = 'sale'), 0) as sold,
        coalesce(sum(o.revenue) filter (where o.kind <> 'sale'), 0) as returned,
        sum(o.line_count) as lines,
        count(*) filter (where o.kind = 'sale') as orders,
        coalesce(sum(o.revenue) filter (where o.order_date >= p.now_from), 0) as revenue_now,
        coalesce(sum(o.revenue) filter (where o.order_date >= p.before_from and o.order_date < p.now_from), 0) as revenue_before
    from curated.orders as o
    cross join insight.revenue_periods as p
    where o.order_date < p.as_of
    group by o.customer_id
),
-- What hardly two customers share tells who they are, not where revenue comes from.
attributes as (
    select attribute
    from curated.customer_attributes
    where is_latest
    group by attribute
    having count(*) >= 2 * count(distinct value) and count(distinct value) <= 500 and max(value) <> ''
        and not (attribute = 'product' and $has_product) and not (attribute = 'category' and $has_category)
        and not (attribute = 'region' and $has_region) and not (attribute = 'country' and $has_country)
        and not (attribute = 'channel' and $has_channel) and not (attribute = 'discount' and $discounts > 0)
),
of_attributes as (
    select
        a.attribute as dimension,
        true as is_attribute,
        coalesce(v.value, '') as value,
        nullif(max(coalesce(v.value, '')), '') as name,
        sum(c.revenue) as revenue, sum(c.margin) as margin, sum(c.sold) as sold, sum(c.returned) as returned,
        sum(c.lines) as lines, sum(c.orders) as orders, count(*) filter (where c.orders > 0) as customers,
        sum(c.revenue_now) as revenue_now, sum(c.revenue_before) as revenue_before
    from attributes as a
    cross join of_customers as c
    left join curated.customer_attributes as v
        on v.customer_id = c.customer_id and v.attribute = a.attribute and v.is_latest
    group by a.attribute, coalesce(v.value, '')
),
every as (
    select * from of_lines
    union all
    select * from of_attributes
)
select
    e.dimension,
    e.is_attribute,
    row_number() over (partition by e.dimension order by e.revenue desc, e.value) as place,
    e.value,
    case when e.value <> '' then coalesce(e.name, e.value) end as name,
    e.revenue::decimal(18,4) as revenue,
    case when sum(e.revenue) over (partition by e.dimension) > 0
        then e.revenue::double / (sum(e.revenue) over (partition by e.dimension))::double end as revenue_share,
    e.margin::decimal(18,4) as margin,
    case when e.revenue > 0 then e.margin::double / e.revenue::double end as margin_rate,
    e.sold::decimal(18,4) as sold,
    e.returned::decimal(18,4) as returned,
    case when e.sold > 0 then -e.returned::double / e.sold::double end as return_rate,
    e.lines::bigint as lines,
    e.orders::bigint as orders,
    e.customers::bigint as customers,
    case when p.compared_months is not null then e.revenue_now end::decimal(18,4) as revenue_now,
    case when p.compared_months is not null then e.revenue_before end::decimal(18,4) as revenue_before,
    case when p.compared_months is not null and e.revenue_before > 0
        then e.revenue_now::double / e.revenue_before::double - 1 end as change
from every as e
cross join insight.revenue_periods as p
