"""Events on their way into the tables: what came since the last run is written out as Parquet files that a run reads.

The collector's log takes what comes; the tables want orders, people and links. Each run writes one more file of each
kind, named by the places in the log that it covers, and never touches it again: what is read of it, refused and counted
is then the same as for any file. A file is there whole or not at all, and the one of the events comes last, so that
whatever broke off before is written again.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path

from evervalue.collector.log import EventLog
from evervalue.core.disk import sync
from evervalue.core.errors import StorageError
from evervalue.core.progress import Progress
from evervalue.core.text import count
from evervalue.pipeline.event_settings import FOLDER
from evervalue.warehouse import duckdb
from evervalue.warehouse.duckdb import Connection, literal

EVENTS, LINES, PEOPLE, LINKS = "events", "order_lines", "people", "links"
READ_AT_ONCE = 10_000

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
-- What stands where an amount should; it goes to quarantine as it is.
create temp macro no_amount(object, path) as
    case when amount_of(object, path) is null then cell(object, path) end;
"""
COMING = """
create or replace temp table coming as
select
    seq, event ->> '$.messageId' as message_id, event ->> '$.type' as type, event ->> '$.event' as event,
    id_of(event, '$.userId') as user_id, id_of(event, '$.anonymousId') as anonymous_id,
    id_of(event, '$.previousId') as previous_id,
    event ->> '$.timestamp' as occurred_at, event ->> '$.receivedAt' as received_at,
    event ->> '$.originalTimestamp' as original_timestamp, event ->> '$.sentAt' as sent_at,
    coalesce(id_of(event, '$.userId'), id_of(event, '$.anonymousId')) as customer_id,
    event -> '$.properties' as properties, event -> '$.traits' as traits, event -> '$.context' as context
from read_json({file}, format = 'newline_delimited', columns = {{seq: 'bigint', event: 'json'}})
"""
ROWS = {
    EVENTS: """
select
    seq, message_id, type, event, user_id, anonymous_id, previous_id, customer_id, occurred_at, received_at,
    original_timestamp, sent_at,
    coalesce(properties ->> '$.path', context ->> '$.page.path') as path,
    coalesce(properties ->> '$.url', context ->> '$.page.url') as url,
    coalesce(properties ->> '$.referrer', context ->> '$.page.referrer') as referrer,
    coalesce(properties ->> '$.title', context ->> '$.page.title') as title,
    context ->> '$.campaign.name' as campaign_name, context ->> '$.campaign.source' as campaign_source,
    context ->> '$.campaign.medium' as campaign_medium,
    coalesce(properties ->> '$.product_id', properties ->> '$.id', properties ->> '$.sku') as product_id,
    coalesce(id_of(properties, '$.order_id'), id_of(properties, '$.orderId')) as order_id,
    properties::text as properties, traits::text as traits
from coming
order by seq
""",
    # One row a product; where none is told, one for the whole order; and what was taken off the order as a whole. An
    # order that is told again counts as it was told first.
    LINES: """
with told as (
    select
        *, coalesce(id_of(properties, '$.order_id'), id_of(properties, '$.orderId'), message_id) as order_id,
        case when event = 'Completed Order' then 'Order Completed' else event end as what
    from coming
    where type = 'track' and event in ('Order Completed', 'Completed Order', 'Order Refunded', 'Order Cancelled')
),
orders as (
    select
        *,
        what <> 'Order Refunded' and (
            row_number() over (partition by what, order_id order by seq) > 1
            or (what, order_id) in (select (what, order_id) from orders_before)
        ) as is_again,
        case when json_type(properties -> '$.products') = 'ARRAY' then (properties -> '$.products')::json[] else [] end
            as products
    from told
),
sold as (
    select * exclude (products), unnest(products) as product, generate_subscripts(products, 1) as place from orders
),
parts as (
    select
        seq, message_id, what, order_id, occurred_at, customer_id, is_again, properties, context,
        'product' as part, place,
        coalesce(cell(product, '$.product_id'), cell(product, '$.id'), cell(product, '$.sku')) as product_id,
        product ->> '$.name' as product_name, product ->> '$.category' as category,
        coalesce(cell(product, '$.quantity'), '1') as quantity, product ->> '$.price' as unit_price, null as amount
    from sold
    union all
    select
        seq, message_id, what, order_id, occurred_at, customer_id, is_again, properties, context, 'order', 0,
        null, null, null, null, null,
        coalesce(
            cell(properties, '$.subtotal'),
            case when cell(properties, '$.revenue') is not null then coalesce(
                no_amount(properties, '$.revenue'), no_amount(properties, '$.discount'),
                (amount_of(properties, '$.revenue') - coalesce(amount_of(properties, '$.discount'), 0))::text
            ) end,
            case when cell(properties, '$.total') is not null then coalesce(
                no_amount(properties, '$.total'), no_amount(properties, '$.shipping'), no_amount(properties, '$.tax'),
                (amount_of(properties, '$.total') - coalesce(amount_of(properties, '$.shipping'), 0)
                    - coalesce(amount_of(properties, '$.tax'), 0))::text
            ) end,
            cell(properties, '$.value')
        )
    from orders
    where len(products) = 0
    union all
    select
        seq, message_id, what, order_id, occurred_at, customer_id, is_again, properties, context, 'discount', 0,
        null, null, null, null, null, cell(properties, '$.discount')
    from orders
    where len(products) > 0 and cell(properties, '$.discount') is not null
        and amount_of(properties, '$.discount') is distinct from 0
)
select
    part || ':' || message_id || ':' || place as line_id, what as event, part, is_again, order_id, occurred_at,
    customer_id,
    product_id, product_name, category, quantity, unit_price, amount,
    upper(cell(properties, '$.currency')) as currency,
    coalesce(properties ->> '$.affiliation', context ->> '$.library.name') as channel,
    coalesce(properties ->> '$.email', context ->> '$.traits.email') as email
from parts
order by seq, part, place
""",
    PEOPLE: """
select
    seq, user_id as customer_id, received_at,
    coalesce(
        traits ->> '$.name', nullif(trim(concat_ws(' ', traits ->> '$.firstName', traits ->> '$.lastName')), ''),
        nullif(trim(concat_ws(' ', traits ->> '$.first_name', traits ->> '$.last_name')), '')
    ) as name,
    traits ->> '$.email' as email, traits ->> '$.phone' as phone,
    coalesce(
        traits ->> '$.company.name',
        case when json_type(traits -> '$.company') = 'VARCHAR' then traits ->> '$.company' end
    ) as company,
    traits ->> '$.industry' as industry, traits ->> '$.plan' as plan,
    coalesce(traits ->> '$.address.country', traits ->> '$.country') as country,
    coalesce(traits ->> '$.address.city', traits ->> '$.city') as city
from coming
where type = 'identify' and user_id is not null
order by seq
""",
    # Who bought without being known, and said later (or before) who it was, and who that one became in turn. Visitors
    # who never bought are no customers.
    LINKS: """
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
""",
}
PAIRS = """
select anonymous_id as customer_id, user_id as known_as from {rows} where anonymous_id <> user_id
union
select previous_id, user_id from {rows} where type = 'alias' and previous_id <> user_id
"""


def write_event_files(data_dir: Path, log: Path, sources: Iterable[str], progress: Progress) -> None:
    """Write what came since the last files of these sources.

    Parameters
    ----------
    data_dir
        The project's data directory.
    log
        The event log; nothing is written where there is none yet.

    Raises
    ------
    StorageError
        The log cannot be read.
    """
    if not log.exists():
        return
    events = EventLog(log)
    try:
        for source in sources:
            _write(events, data_dir / FOLDER / source, source, progress)
    finally:
        events.close()


def _write(log: EventLog, folder: Path, source: str, progress: Progress) -> None:
    """One more file of each kind, where events of the source came."""
    after = max((_last(path) for path in folder.glob(f"{EVENTS}/*.parquet")), default=0)
    if after > log.last():
        raise StorageError(
            f"{log.path} ends at event {log.last()}, and {folder} holds events up to {after}: the log is another one, "
            "or an older copy, and what came since would be passed over. Put back the log that belongs to these "
            "files; or move the folder away, and all that the log holds is written out again."
        )
    for path in folder.glob("*/*.parquet"):
        if _last(path) > after:
            path.unlink()  # of a run that broke off before it wrote the events
    # In the run's own folder, which it empties: whose events these are stays in the data directory.
    room = folder.parents[1] / "tmp"
    room.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="events-", dir=room) as temp:
        lines = Path(temp) / "events.jsonl"
        first = last = n = 0
        with lines.open("wb") as file:
            for event in log.of(source, after, READ_AT_ONCE):
                first, last, n = first or event.seq, event.seq, n + 1
                file.write(b'{"seq":%d,"event":%b}\n' % (event.seq, event.body))
        if not n:
            return
        con = duckdb.connect(temp_directory=Path(temp))
        try:
            con.execute(CELLS)
            con.execute(COMING.format(file=literal(str(lines))))
            _before(con, folder)
            for kind in (LINES, PEOPLE, LINKS, EVENTS):
                _put(
                    con, ROWS[kind], folder / kind / f"{first:012}-{last:012}.parquet", always=kind == EVENTS
                )
        finally:
            con.close()
    progress.step(f"Events of {source}", detail=f"{count(n, 'event')} taken from the log")


def _last(path: Path) -> int:
    """The last place in the log that a file covers."""
    return int(path.stem.partition("-")[2])


def _before(con: Connection, folder: Path) -> None:
    """What earlier files hold that the new ones hang on: orders told, buyers, links, and who was seen beside whom."""
    lines, links, events = (_files(folder, kind) for kind in (LINES, LINKS, EVENTS))
    orders = f"select event, order_id from {lines}" if lines else "select null::text, null::text where false"
    con.execute(f"create temp table orders_before as select distinct * from ({orders}) as t(what, order_id)")
    buyers = f"select customer_id from {lines} union " if lines else ""
    con.execute(
        f"create temp table buyers as {buyers}select customer_id from coming where type = 'track' and event in "
        "('Order Completed', 'Completed Order')"
    )
    known = (
        f"select customer_id, known_as from {links}" if links else "select null::text, null::text where false"
    )
    con.execute(f"create temp table links_before as select * from ({known}) as t(customer_id, known_as)")
    pairs = PAIRS.format(rows="coming")
    if events:
        pairs += f" union {PAIRS.format(rows=events)}"
    con.execute(f"create temp table pairs as {pairs}")


def _files(folder: Path, kind: str) -> str:
    """SQL that reads the files of a kind; empty where there are none."""
    pattern = folder / kind / "*.parquet"
    return f"read_parquet({literal(str(pattern))})" if any(pattern.parent.glob(pattern.name)) else ""


def _put(con: Connection, sql: str, path: Path, *, always: bool) -> None:
    """Write rows to a file, on disk and under its name in one step; none where there are no rows."""
    con.execute(f"create or replace temp table written as {sql}")
    if not always and not con.execute("select 1 from written limit 1").fetchone():
        path.unlink(missing_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    con.execute(f"copy written to {literal(str(partial))} (format parquet)")
    sync(partial)
    partial.replace(path)
    sync(path.parent)  # the name, too, before that of the events says that all is there
    sync(path.parent.parent)
