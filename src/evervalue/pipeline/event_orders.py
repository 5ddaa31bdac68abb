"""SQL that makes lines of orders, refunds and cancellations of events.

One row a product; where none is told, one for the whole order; and what was taken off the order as a whole. What is
judged here hangs on what was told before, in these events and in the files of earlier ones:

- An order is the order of who told it. It counts as it was told first; told again by the same customer it is set aside,
  but for what could not be read before. Told under the same number by somebody else it is another order, unless one of
  the two tellers is a visitor without a name and the amount is the same: then page and server told one order.
- Whoever takes an order back must be who placed it, as far as that is known here.
- Not more is taken back of an order than it was: a cancellation after a partial refund takes the rest. What goes
  beyond is given back in a row of its own (`part` = beyond), so that what was sent stays visible.
"""

from __future__ import annotations

LARGEST = 10_000_000_000
"""Most that the lines of one order may come to, in any currency; beyond, the order waits in quarantine. Money is
DECIMAL(18,4), and sums over customers must fit as well."""

ORDERS = "('Order Completed', 'Completed Order', 'Order Refunded', 'Order Cancelled')"

# Lines that earlier files hold, empty at first.
BEFORE = """
create temp table lines_before (
    seq bigint, event text, part text, place bigint, nth bigint, is_again boolean, fault text, order_told text,
    told_by text, is_known boolean, product_id text, net decimal(18,4), currency text
)
"""
REMEMBERED = (
    "seq, event, part, place, nth, is_again, fault, order_told, told_by, is_known, product_id, net, currency"
)

NUMBERS = f"""
create temp table numbers as
select distinct coalesce(id_of(properties, '$.order_id'), id_of(properties, '$.orderId'), message_id) as order_told
from coming where type = 'track' and event in {ORDERS}
"""
BUYERS = """
insert into buyers
select customer_id from coming where type = 'track' and event in ('Order Completed', 'Completed Order')
"""

PARTS = f"""
create or replace temp table parts as
with told as (
    select
        *, coalesce(id_of(properties, '$.order_id'), id_of(properties, '$.orderId'), message_id) as order_told,
        case when event = 'Completed Order' then 'Order Completed' else event end as what,
        user_id is not null as is_known,
        case when json_type(properties -> '$.products') = 'ARRAY' then (properties -> '$.products')::json[] else [] end
            as products
    from coming
    where type = 'track' and event in {ORDERS}
),
sold as (
    select * exclude (products), unnest(products) as product, generate_subscripts(products, 1) as place from told
),
products as (
    select
        *, coalesce(id_of(product, '$.product_id'), id_of(product, '$.id'), id_of(product, '$.sku')) as product_id,
        cell(product, '$.name') as product_name, cell(product, '$.category') as category,
        coalesce(cell(product, '$.quantity'), '1') as quantity_cell, cell(product, '$.price') as price_cell
    from sold
),
wholes as (
    select *,
        amount_of(properties, '$.discount') as discount, cell(properties, '$.discount') as discount_cell,
        case
            when cell(properties, '$.subtotal') is not null then 'subtotal'
            when cell(properties, '$.revenue') is not null then 'revenue'
            when cell(properties, '$.total') is not null then 'total'
            when cell(properties, '$.value') is not null then 'value'
        end as basis
    from told
),
all_parts as (
    select
        seq, message_id, what, order_told, occurred_at, customer_id, is_known, properties, context,
        'product' as part, place, product_id, product_name, category,
        try_cast(quantity_cell as decimal(18,4)) as quantity, try_cast(price_cell as decimal(28,10)) as unit_price,
        try_cast(
            try_cast(quantity_cell as decimal(18,4)) * try_cast(price_cell as decimal(20,10)) as decimal(18,4)
        ) as amount,
        coalesce(
            fault_of(quantity_cell, try_cast(quantity_cell as decimal(18,4)), 'quantity'),
            fault_of(price_cell, try_cast(price_cell as decimal(20,10)), 'price'),
            case when price_cell is null then 'missing_amount: the product has no price' end
        ) as fault
    from products
    union all
    select
        seq, message_id, what, order_told, occurred_at, customer_id, is_known, properties, context,
        'order', 0, null, null, null, null, null,
        case basis
            when 'subtotal' then amount_of(properties, '$.subtotal')
            when 'revenue' then amount_of(properties, '$.revenue') - coalesce(discount, 0)
            when 'total' then amount_of(properties, '$.total') - coalesce(amount_of(properties, '$.shipping'), 0)
                - coalesce(amount_of(properties, '$.tax'), 0)
            when 'value' then amount_of(properties, '$.value')
        end::decimal(18,4),
        case basis
            when 'subtotal'
                then fault_of(cell(properties, '$.subtotal'), amount_of(properties, '$.subtotal'), 'subtotal')
            when 'revenue' then coalesce(
                fault_of(cell(properties, '$.revenue'), amount_of(properties, '$.revenue'), 'revenue'),
                fault_of(discount_cell, discount, 'discount'))
            when 'total' then coalesce(
                fault_of(cell(properties, '$.total'), amount_of(properties, '$.total'), 'total'),
                fault_of(cell(properties, '$.shipping'), amount_of(properties, '$.shipping'), 'shipping'),
                fault_of(cell(properties, '$.tax'), amount_of(properties, '$.tax'), 'tax'))
            when 'value' then fault_of(cell(properties, '$.value'), amount_of(properties, '$.value'), 'value')
            else 'missing_amount: there are no products, and no subtotal, revenue, total or value'
        end
    from wholes
    where len(products) = 0
    union all
    select
        seq, message_id, what, order_told, occurred_at, customer_id, is_known, properties, context,
        'discount', 0, null, null, null, null, null, discount, fault_of(discount_cell, discount, 'discount')
    from wholes
    where len(products) > 0 and discount_cell is not null and discount is distinct from 0
)
select
    *,
    row_number() over (partition by seq, part, product_id order by place) as nth,
    upper(cell(properties, '$.currency')) as currency
from all_parts
"""

# Whom a teller is: an anonymous one is who it is known to be, an earlier name the later one.
PERSONS = """
create or replace temp table persons as
with recursive tellers as (
    select distinct customer_id as key from parts
    union
    select told_by from lines_before
),
reached as (
    select key, key as known_as from tellers
    union
    select r.key, p.known_as from reached as r join pairs as p on p.customer_id = r.known_as
)
select r.key, coalesce(min(r.known_as) filter (where p.customer_id is null), min(r.known_as)) as person
from reached as r
left join (select distinct customer_id from pairs) as p on p.customer_id = r.known_as
group by r.key
"""

# The lines with what is wrong with each, of a sign that says what it does: reversals are taken back.
JUDGED = f"""
create or replace temp table judged as
with signed as (
    select
        * exclude (fault, amount, quantity, unit_price),
        -- Some write what they take back with a minus sign; the event says which way it goes.
        case when what = 'Order Completed' then amount else abs(amount) end as amount,
        case when what = 'Order Completed' then quantity else abs(quantity) end as quantity,
        case when what = 'Order Completed' then unit_price else abs(unit_price) end as unit_price,
        case
            when currency is not null and not regexp_full_match(currency, '[A-Z]{{3}}')
                then 'bad_currency: the currency is no three-letter code'
            else fault
        end as fault
    from parts
),
summed as (
    select *, sum(abs(amount::double)) over (partition by seq) > {LARGEST} as is_too_large from signed
)
select
    * exclude (fault, is_too_large),
    case when is_too_large then 'too_large: the order comes to more than {LARGEST:,}' else fault end as fault,
    case part when 'discount' then -amount else amount end as net
from summed
"""

# Whose each order is: of who told it first. Whoever told the same amount as the owner did, where one of both is a
# visitor without a name, told the owner's order.
OWNERS = """
create or replace temp table lines_told as
select
    b.seq, b.event as what, b.part, b.place, b.nth, b.order_told, t.person, b.told_by as customer_id, b.is_known,
    b.product_id, b.fault, b.net, b.currency, b.is_again, false as is_new
from lines_before as b join persons as t on t.key = b.told_by
union all
select
    j.seq, j.what, j.part, j.place, j.nth, j.order_told, t.person, j.customer_id, j.is_known,
    j.product_id, j.fault, j.net, j.currency, false, true
from judged as j join persons as t on t.key = j.customer_id;

create or replace temp table owners as
with told as (
    select
        seq, order_told, person, any_value(customer_id) as customer_id, bool_or(is_known) as is_known,
        any_value(currency) as currency, sum(net) filter (where fault is null) as net
    from lines_told
    where what = 'Order Completed' and part <> 'beyond'
    group by seq, order_told, person
    having count(*) filter (where fault is null and part <> 'discount') > 0
),
firsts as (
    select distinct on (order_told, person) * from told order by order_told, person, seq
),
owning as (
    select distinct on (order_told) * from firsts order by order_told, seq
)
select
    f.order_told, f.person, o.person as owner, o.customer_id as owner_id, f.person = o.person as is_owner,
    f.person <> o.person and not (f.is_known and o.is_known) and f.net = o.net
        and f.currency is not distinct from o.currency as is_same_order
from firsts as f
join owning as o using (order_told);
"""

# What counts: a line is told again where its order was, unless it is one that could not be read when the rest could.
COUNTED = """
create or replace temp table counted as
with owned as (
    select
        l.* replace (case when o.is_same_order then o.owner else l.person end as person),
        case when o.is_same_order then o.owner_id else l.customer_id end as told_of,
        coalesce(o.is_owner or o.is_same_order, first.owner is null) as is_owners,
        o.person is not null as is_own
    from lines_told as l
    left join owners as o on o.order_told = l.order_told and o.person = l.person
    left join (select distinct order_told, owner from owners) as first on first.order_told = l.order_told
    where l.part <> 'beyond'
),
tellings as (
    select
        seq, is_good,
        count(*) filter (where is_good) over (partition by what, order_told, person order by seq
            rows between unbounded preceding and 1 preceding) > 0 as is_told
    from (
        select
            seq, what, order_told, person,
            count(*) filter (where fault is null and part <> 'discount') > 0 as is_good
        from owned
        group by seq, what, order_told, person
    )
),
keyed as (
    select
        l.*, t.is_told,
        count(*) filter (where l.fault is null) over same_line as read_before,
        count(*) filter (where l.fault is not null and t.is_good) over same_line as unread_before
    from owned as l
    join tellings as t on t.seq = l.seq
    window same_line as (partition by l.what, l.order_told, l.person, l.part, l.product_id, l.nth order by l.seq
        rows between unbounded preceding and 1 preceding)
)
select
    * exclude (is_again, fault),
    case
        when not is_new then is_again
        when what = 'Order Refunded' then false
        else is_told and not (unread_before > 0 and read_before = 0)
    end as is_again,
    case
        when is_new and what <> 'Order Completed' and not is_owners and not is_own
            then 'order_of_another_customer: somebody else placed this order'
        else fault
    end as fault
from keyed;

create or replace temp table totals as
select
    order_told, person, coalesce(currency, '') as currency,
    sum(net) filter (where what = 'Order Completed' and not is_again and fault is null) as ordered
from counted
group by all;

-- What takes back an order is in its currency, where it names none.
update counted as c set currency = t.currency
from (
    select order_told, person, min(nullif(currency, '')) as currency from totals where ordered is not null group by all
) as t
where c.is_new and c.what <> 'Order Completed' and c.currency is null
    and t.order_told = c.order_told and t.person = c.person;

-- A refund that names no amount takes back all of an order that is known here.
update counted as c set net = t.ordered, fault = null
from totals as t
where c.is_new and c.what <> 'Order Completed' and c.part = 'order' and starts_with(c.fault, 'missing_amount')
    and t.order_told = c.order_told and t.person = c.person and t.currency = coalesce(c.currency, '')
    and t.ordered is not null;
"""

BEYOND = """
create or replace temp table beyond as
with taken as (
    select
        seq, what, order_told, person, coalesce(currency, '') as currency, is_new,
        sum(net) filter (where not is_again and fault is null) as net
    from counted
    where what <> 'Order Completed'
    group by all
),
summed as (
    select
        t.*,
        coalesce(
            o.ordered, first_value(case when t.what = 'Order Cancelled' then t.net end ignore nulls) over same
        ) as most,
        sum(t.net) over same as so_far
    from taken as t
    left join totals as o using (order_told, person, currency)
    window same as (partition by t.order_told, t.person, t.currency order by t.seq rows between unbounded preceding and
        current row)
),
given_back as (
    select order_told, person, coalesce(currency, '') as currency, sum(net) as net
    from lines_told where part = 'beyond' group by all
),
running as (
    select s.seq, s.is_new,
        greatest(s.so_far - s.most, 0) as excess,
        greatest(
            coalesce(max(greatest(s.so_far - s.most, 0)) over (partition by s.order_told, s.person, s.currency order by
                s.seq rows between unbounded preceding and 1 preceding), 0),
            coalesce(g.net, 0)
        ) as before
    from summed as s
    left join given_back as g using (order_told, person, currency)
)
select seq, (excess - before)::decimal(18,4) as amount from running where is_new and excess > before
"""

LINE_ROWS = """
with lines as (
    select
        j.seq, j.message_id, j.what, j.part, j.place, j.nth, j.order_told, j.occurred_at, c.told_of as customer_id,
        j.customer_id as told_by, j.is_known, j.product_id, j.product_name, j.category, j.quantity, j.unit_price,
        j.properties, j.context,
        case when j.part = 'product' then null when j.part = 'order' then c.net else j.amount end as amount,
        c.net, c.is_again, c.fault, c.is_owners, c.person, c.currency
    from judged as j
    join counted as c on c.seq = j.seq and c.part = j.part and c.place = j.place and c.is_new
),
with_beyond as (
    select * from lines
    union all by name
    select
        l.* exclude (
            part, place, nth, product_id, product_name, category, quantity, unit_price, amount, net, fault, is_again
        ),
        'beyond' as part, 0 as place, 1 as nth, b.amount, b.amount as net, null as fault, false as is_again
    from beyond as b
    join (select distinct on (seq) * from lines order by seq, part, place) as l on l.seq = b.seq
)
select
    part || ':' || message_id || ':' || place as line_id, seq, what as event, part, place, nth, is_again, fault,
    -- Under a number that somebody else's order has already, it is an order of its own.
    case when is_owners then order_told else order_told || ' of ' || person end as order_id,
    order_told, occurred_at, customer_id, told_by, is_known, product_id, product_name, category,
    quantity, unit_price, amount::decimal(18,4) as amount, net::decimal(18,4) as net, currency,
    coalesce(cell(properties, '$.affiliation'), cell(context, '$.library.name')) as channel,
    coalesce(cell(properties, '$.email'), cell(context, '$.traits.email')) as email
from with_beyond
order by seq, part, place
"""
