"""SQL that makes rows of events: what a browser or a server sent as JSON, as columns with types.

Whatever is sent can be read: what is no name, no instant and no amount is null here, and what cannot count says so in
`fault`, by which its row is refused (`faults` in the preset). Orders are in `event_orders`.
"""

from __future__ import annotations

EVENTS, LINES, PEOPLE, LINKS, PAIRS = "events", "order_lines", "people", "links", "pairs"

CELLS = """
-- A text that is not empty, or a number; null where there is nothing else.
create temp macro cell(object, path) as nullif(trim(object ->> path), '');
-- What names somebody or something: no yes or no, no list, and no number that is broken or too large to be exact.
create temp macro id_of(object, path) as
    case
        when json_type(object, path) in ('VARCHAR', 'UBIGINT', 'BIGINT') then cell(object, path)
        when json_type(object, path) = 'DOUBLE' then (
            case
                when abs((object ->> path)::double) < 9007199254740992
                    and (object ->> path)::double = trunc((object ->> path)::double)
                then (object ->> path)::double::bigint::text
            end
        )
    end;
create temp macro amount_of(object, path) as try_cast(cell(object, path) as decimal(18,4));
create temp macro is_number(cell) as
    regexp_full_match(cell, '[-+]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][-+]?[0-9]+)?');
-- What is wrong with a cell where an amount should stand; null where nothing is.
create temp macro fault_of(cell, amount, name) as
    case
        when cell is null or (amount is not null and is_number(cell)) then null
        when is_number(cell) then 'too_large: the ' || name || ' is larger than any that is taken'
        else 'bad_number: the ' || name || ' is no plain number (point for the decimals, no currency, no grouping)'
    end;
create temp macro campaign(context, name) as cell(context, '$.campaign.' || name);
"""

COMING = """
create or replace temp table coming as
select
    seq, body, event ->> '$.messageId' as message_id, event ->> '$.type' as type, event ->> '$.event' as event,
    id_of(event, '$.userId') as user_id, id_of(event, '$.anonymousId') as anonymous_id,
    id_of(event, '$.previousId') as previous_id,
    -- Nothing happened after it came: a clock that runs ahead must not move the cutoff of everybody.
    least(
        coalesce(try_cast(event ->> '$.timestamp' as timestamp), try_cast(event ->> '$.receivedAt' as timestamp)),
        try_cast(event ->> '$.receivedAt' as timestamp)
    ) as occurred_at,
    try_cast(event ->> '$.receivedAt' as timestamp) as received_at,
    event ->> '$.originalTimestamp' as original_timestamp, event ->> '$.sentAt' as sent_at,
    coalesce(id_of(event, '$.userId'), id_of(event, '$.anonymousId')) as customer_id,
    event -> '$.properties' as properties, event -> '$.traits' as traits, event -> '$.context' as context
from (
    -- As a text, the body stays what it was to the last letter; as JSON its numbers are written anew.
    select seq, body, body::json as event
    from read_json({file}, format = 'newline_delimited', columns = {{seq: 'bigint', body: 'varchar'}})
)
"""

EVENT_ROWS = """
select
    seq, message_id, type, event, user_id, anonymous_id, previous_id, customer_id, occurred_at, received_at,
    original_timestamp, sent_at,
    coalesce(cell(properties, '$.path'), cell(context, '$.page.path')) as path,
    coalesce(cell(properties, '$.url'), cell(context, '$.page.url')) as url,
    coalesce(cell(properties, '$.referrer'), cell(context, '$.page.referrer')) as referrer,
    coalesce(cell(properties, '$.title'), cell(context, '$.page.title')) as title,
    campaign(context, 'name') as campaign_name, campaign(context, 'source') as campaign_source,
    campaign(context, 'medium') as campaign_medium, campaign(context, 'term') as campaign_term,
    campaign(context, 'content') as campaign_content,
    coalesce(id_of(properties, '$.product_id'), id_of(properties, '$.id'), id_of(properties, '$.sku')) as product_id,
    coalesce(id_of(properties, '$.order_id'), id_of(properties, '$.orderId')) as order_id,
    properties::text as properties, traits::text as traits, body
from coming
order by seq
"""

PEOPLE_ROWS = """
select
    seq, user_id as customer_id, received_at,
    coalesce(
        cell(traits, '$.name'),
        nullif(trim(concat_ws(' ', cell(traits, '$.firstName'), cell(traits, '$.lastName'))), ''),
        nullif(trim(concat_ws(' ', cell(traits, '$.first_name'), cell(traits, '$.last_name'))), '')
    ) as name,
    cell(traits, '$.email') as email, cell(traits, '$.phone') as phone,
    coalesce(
        cell(traits, '$.company.name'),
        case when json_type(traits -> '$.company') = 'VARCHAR' then cell(traits, '$.company') end
    ) as company,
    cell(traits, '$.industry') as industry, cell(traits, '$.plan') as plan,
    coalesce(cell(traits, '$.address.country'), cell(traits, '$.country')) as country,
    coalesce(cell(traits, '$.address.city'), cell(traits, '$.city')) as city
from coming
where type = 'identify' and user_id is not null
order by seq
"""

# Who was seen beside whom: an anonymous visitor beside a user, or an earlier name beside a later one.
PAIR_ROWS = """
select p.customer_id, p.known_as, min(p.seq) as seq
from (
    select anonymous_id as customer_id, user_id as known_as, seq from coming where anonymous_id <> user_id
    union all
    select previous_id, user_id, seq from coming where type = 'alias' and previous_id <> user_id
) as p
anti join pairs_before as b on b.customer_id = p.customer_id and b.known_as = p.known_as
group by p.customer_id, p.known_as
order by all
"""

PAIRS_KNOWN = """
create temp table pairs as
select customer_id, known_as from pairs_before
union
select customer_id, known_as from written
"""

# Who bought without being known, and said later (or before) who it was, and who that one became in turn. Visitors
# who never bought are no customers.
LINK_ROWS = """
with recursive reached as (
    select customer_id from buyers
    union
    select p.known_as from pairs as p join reached as r on r.customer_id = p.customer_id
)
select distinct p.customer_id, p.known_as
from pairs as p
semi join reached as r on r.customer_id = p.customer_id
anti join links_before as l on l.customer_id = p.customer_id and l.known_as = p.known_as
order by all
"""
