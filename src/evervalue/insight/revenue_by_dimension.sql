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
  has_discount: select count(discount) > 0 from curated.order_lines
columns:
  dimension: {type: text, says: "product, category, region, country, channel, discount, or the name of an attribute of customers that the lines do not have and that is shared by many"}
  is_attribute: {type: boolean, says: "whether the dimension is a fact about customers and not about lines"}
  place: {type: bigint, check: ">= 1", says: place by revenue within the dimension}
  value: {type: text, says: "the value, of a product its key; empty where the source says nothing. Region, country and channel are those of the order, as in curated.orders. A discount is as the source writes it, of more than 50 different ones only with or without; an attribute is the customer's latest"}
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
with discounts as (
    select discount, case
        when discount is null then ''
        when count(discount) over () <= 50 then rtrim(rtrim(cast(discount as text), '0'), '.')
        when discount = 0 then 'without'
        else 'with' end as value
    from (select distinct discount from curated.order_lines where $has_discount) as s
),
lines as (
    select
        'product' as dimension, coalesce(l.product_id, l.product_name, '') as value, l.product_name as name,
        l.order_date, l.kind, l.amount, l.margin
    from curated.order_lines as l
    where $has_product
    union all
    select 'category', coalesce(l.category, ''), l.category, l.order_date, l.kind, l.amount, l.margin
    from curated.order_lines as l
    where $has_category
    union all
    select 'discount', d.value, d.value, l.order_date, l.kind, l.amount, l.margin
    from curated.order_lines as l
    join discounts as d on d.discount is not distinct from l.discount
    where $has_discount
),
-- Orders and customers are counted in steps, each dimension for itself, which the engine does with little memory.
counted as (
    select 'product' as dimension, value, sum(orders) as orders, count(*) as customers
    from (
        select value, customer_id, count(*) as orders
        from (
            select coalesce(l.product_id, l.product_name, '') as value, l.customer_id, l.order_key
            from curated.order_lines as l
            cross join insight.revenue_periods as p
            where $has_product and l.order_date < p.as_of and l.kind = 'sale'
            group by coalesce(l.product_id, l.product_name, ''), l.customer_id, l.order_key
        ) as o
        group by value, customer_id
    ) as c
    group by value
    union all
    select 'category' as dimension, value, sum(orders) as orders, count(*) as customers
    from (
        select value, customer_id, count(*) as orders
        from (
            select coalesce(l.category, '') as value, l.customer_id, l.order_key
            from curated.order_lines as l
            cross join insight.revenue_periods as p
            where $has_category and l.order_date < p.as_of and l.kind = 'sale'
            group by coalesce(l.category, ''), l.customer_id, l.order_key
        ) as o
        group by value, customer_id
    ) as c
    group by value
    union all
    select 'discount' as dimension, value, sum(orders) as orders, count(*) as customers
    from (
        select value, customer_id, count(*) as orders
        from (
            select d.value as value, l.customer_id, l.order_key
            from curated.order_lines as l
            join discounts as d on d.discount is not distinct from l.discount
            cross join insight.revenue_periods as p
            where $has_discount and l.order_date < p.as_of and l.kind = 'sale'
            group by d.value, l.customer_id, l.order_key
        ) as o
        group by value, customer_id
    ) as c
    group by value
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
orders as (
    select 'region' as dimension, coalesce(region, '') as value, * from curated.orders where $has_region
    union all
    select 'country', coalesce(country, ''), * from curated.orders where $has_country
    union all
    select 'channel', coalesce(channel, ''), * from curated.orders where $has_channel
),
of_buyers as (
    select
        o.dimension,
        o.value,
        o.customer_id,
        sum(o.revenue) as revenue,
        sum(o.margin) as margin,
        coalesce(sum(o.revenue) filter (where o.kind = 'sale'), 0) as sold,
        coalesce(sum(o.revenue) filter (where o.kind <> 'sale'), 0) as returned,
        sum(o.line_count) as lines,
        count(*) filter (where o.kind = 'sale') as orders,
        coalesce(sum(o.revenue) filter (where o.order_date >= p.now_from), 0) as revenue_now,
        coalesce(sum(o.revenue) filter (where o.order_date >= p.before_from and o.order_date < p.now_from), 0) as revenue_before
    from orders as o
    cross join insight.revenue_periods as p
    where o.order_date < p.as_of
    group by o.dimension, o.value, o.customer_id
),
of_orders as (
    select
        dimension, false as is_attribute, value, value as name, sum(revenue) as revenue, sum(margin) as margin,
        sum(sold) as sold, sum(returned) as returned, sum(lines) as lines, sum(orders) as orders,
        count(*) filter (where orders > 0) as customers,
        sum(revenue_now) as revenue_now, sum(revenue_before) as revenue_before
    from of_buyers
    group by dimension, value
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
        and not (attribute = 'channel' and $has_channel) and not (attribute = 'discount' and $has_discount)
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
    select * from of_orders
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
