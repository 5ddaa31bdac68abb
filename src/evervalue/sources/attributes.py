"""What sources say of customers beside their names, as stretches of time with one value.

Where rows have a day, a stretch is a run of days on which the customer had the same value; where they have none, it
runs from the load that first read the value to the load that did not find it any more. Of several values on one day
the one that most rows of the customer carry counts (then the least); the others are kept with stretch 0, never the
value of a day.
"""

from __future__ import annotations

from evervalue.sources import raw_zone
from evervalue.sources.keyed import NEVER_ROWS
from evervalue.sources.plan import Plan
from evervalue.warehouse.duckdb import Connection, literal, quoted


def write_attributes(con: Connection, plan: Plan) -> None:
    """Fills mapped.customer_attributes of one output, after its quarantine is filled."""
    dated = "order_date" in plan.mapped
    for attribute, column in plan.settings.attributes.items():
        nothing = raw_zone.in_list(["", *plan.settings.missing])
        cell = f"trim({quoted(column)}::varchar)"
        value = f", case when {cell} not in ({nothing}) then {cell} end as _value"
        said = _by_day(plan, value) if dated else _by_load(con, plan, value)
        con.execute(
            f"""
            insert into mapped.customer_attributes by name
            {said},
            weighed as (select *, sum(n) over (partition by customer_id, value) as total from said),
            placed as (
                select *,
                    row_number() over at_once = 1 as wins
                from weighed
                window at_once as (partition by customer_id, since order by total desc, value, till desc)
            ),
            steps as (
                select *,
                    case when value = lag(value) over in_time and since <= lag(till) over in_time
                        then 0 else 1 end as step
                from placed where wins
                window in_time as (partition by customer_id order by since, till)
            ),
            stretched as (
                select *,
                    sum(step) over (partition by customer_id order by since, till rows unbounded preceding) as stretch
                from steps
                union all by name
                select *, 0 as stretch from placed where not wins
            )
            select {literal(plan.source)} as source, customer_id, {literal(attribute)} as attribute, value,
                stretch::bigint as stretch, min(day) as first_seen, max(day) as last_seen, sum(n)::bigint as line_count,
                min(known_from) as known_from,
                case when bool_and(known_until is not null) then max(known_until) end as known_until
            from stretched group by customer_id, value, stretch
            """
        )


def _by_day(plan: Plan, value: str) -> str:
    """CTE `said`: customer, value and day, with the number of rows. A value lasts until another one comes."""
    # The day is made of the parsed row alone: beside the table a column of the same name would be meant.
    return f"""{plan.taken(value)},
        dated as (
            select {plan.mapped["customer_id"]} as customer_id, _value as value, {plan.mapped["order_date"]} as day
            from taken where _value is not null
        ),
        said as (
            select customer_id, value, day, count(*) as n, null::timestamp as known_from,
                null::timestamp as known_until, day::timestamp as since, timestamp 'infinity' as till
            from dated group by all
        )"""


def _by_load(con: Connection, plan: Plan, value: str) -> str:
    """CTE `said`: customer, value, and the loads between which it was there."""
    customer = plan.mapped["customer_id"]
    past = f"raw.{quoted(plan.feed + raw_zone.PAST)}"
    gone = ""
    columns = raw_zone.column_types(con, plan.feed + raw_zone.PAST) if plan.table == plan.base else {}
    if columns:
        parsed = ", ".join(f"{sql} as {name}" for name, sql in plan.parsed.items())
        marked = con.execute(
            "select 1 from duckdb_columns() where database_name = current_database() and schema_name = 'raw' "
            f"and table_name = {literal(plan.feed + raw_zone.PAST)} and column_name = '_op'"
        ).fetchone()
        were_rows = f"where _op not in ({raw_zone.in_list(NEVER_ROWS)})" if marked else ""
        aside = f"and not {plan.aside}" if plan.aside else ""
        gone = f"""
            union all
            select {customer}, _value, f.known_at, u.known_at
            from (
                select _run_id, _until_run_id, {parsed}{value}
                from (select * from (from {plan.base} limit 0) union all by name select * from {past} {were_rows})
            ) as g
            left join raw.loads as f on f.run_id = g._run_id
            left join raw.loads as u on u.run_id = g._until_run_id
            where _value is not null and {customer} is not null {aside}"""
    return f"""{plan.taken(value)},
        held as (
            select {customer} as customer_id, _value as value, l.known_at as known_from, null::timestamp as known_until
            from taken
            join (select _file_id, _line, _run_id from {plan.base}) as b using (_file_id, _line)
            left join raw.loads as l on l.run_id = b._run_id
            where _value is not null{gone}
        ),
        said as (
            select *, null::date as day, coalesce(known_from, timestamp '-infinity') as since,
                coalesce(known_until, timestamp 'infinity') as till
            from (
                select customer_id, value, count(*) as n, known_from,
                    case when bool_and(known_until is not null) then max(known_until) end as known_until
                from held group by customer_id, value, known_from
            )
        )"""
