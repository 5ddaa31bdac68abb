"""From identifiers and decisions to links, and from links to clusters of records.

Records that carry one identifier are linked in a star, around the one that was known first. A star per identifier has
as few edges as a tree, so that a mailbox of a hundred records brings 99 links and not 4,950.

A record that was split off by hand links with nobody by identifiers but those split off with it: the group is part of
what is compared (`part`), so nothing has to be cut out of a star afterwards.
"""

from __future__ import annotations

from evervalue.identity.components import components
from evervalue.identity.normal_sql import NORMALISED, normalise
from evervalue.identity.settings import IdentitySettings
from evervalue.warehouse.duckdb import Connection

WEAK = "('email', 'phone')"
"""Sorts of identifiers that people share."""


def number_records(con: Connection) -> None:
    """The temp table `identity_nodes`: every record, numbered in the order of names, and who it was before."""
    con.execute(
        """
        create or replace temp table identity_nodes as
        select row_number() over (order by r.namespace, r.customer_key) as node,
            r.namespace, r.customer_key, r.record, o.customer_id as old_id, o.since_run as old_since
        from identity.records as r
        left join identity_old as o on o.namespace = r.namespace and o.customer_key = r.customer_key
        """
    )


def judge_identifiers(con: Connection, settings: IdentitySettings) -> None:
    """The temp table `identity_judged`: every identifier of every record, in one form, with its verdict."""
    con.execute(
        """
        create or replace temp table identity_carried as
        select distinct s.customer_keys as namespace, i.customer_id as customer_key, i.type, i.value,
            case when i.type in ('customer_number', 'external_id')
                then coalesce(i.namespace, s.customer_keys) end as scope
        from mapped.identifiers as i join run.source_settings as s on s.source = i.source
        """
    )
    normalise(con, "identity_carried", settings)
    con.execute(
        f"""
        create or replace temp table identity_judged as
        with carried as (
            select n.node, c.namespace, c.customer_key, c.type, c.value, c.scope, v.shown, v.limit_of, v.fault,
                case when v.fault is null then v.normal end as normal
            from identity_carried as c
            join {NORMALISED} as v on v.type = c.type and v.value = c.value
            join identity_nodes as n on n.namespace = c.namespace and n.customer_key = c.customer_key
        ),
        -- A record carries its own key too, where another one names it.
        own as (
            select n.node, n.namespace, n.customer_key, 'customer_number' as type, n.customer_key as value,
                n.namespace as scope, n.customer_key as shown, 'number' as limit_of, null as fault,
                n.customer_key as normal
            from identity_nodes as n
            semi join carried as c on c.scope = n.namespace and c.normal = n.customer_key
        ),
        whole as (
            select *, case when type in ('customer_number', 'external_id') then 'number' else type end as sort
            from (select * from carried union by name select * from own)
        ),
        keyed as (
            select *, case when normal is not null
                then left(sha256(sort || '|' || coalesce(scope, '') || '|' || normal), 16) end as value_hash
            from whole
        ),
        degrees as (
            select value_hash, max(records) as records
            from (select value_hash, namespace, count(distinct node) as records from keyed
                where value_hash is not null group by value_hash, namespace)
            group by value_hash
        )
        select k.node, k.namespace, k.customer_key, k.type, k.value, k.scope, k.sort, k.normal, k.shown, k.value_hash,
            d.records as record_count,
            case when k.fault is not null then k.fault
                when d.records > case k.limit_of when 'email' then {settings.email_limit}
                    when 'phone' then {settings.phone_limit} when 'generic' then {settings.generic_limit}
                    else {settings.number_limit} end then 'shared'
                else 'links' end as verdict
        from keyed as k left join degrees as d on d.value_hash = k.value_hash
        """
    )
    for table in ("identity_carried", NORMALISED):
        con.execute(f"drop table {table}")


def link(con: Connection, settings: IdentitySettings, run_id: str) -> None:
    """The temp tables `identity_edges` (a, b and why) and `identity_clusters` (node, component).

    A cluster of more records than the settings allow loses its links by e-mail and telephone; what held them is
    marked in `identity_judged`.
    """
    _edges(con, run_id)
    components(con, "identity_edges", "identity_clusters")
    too_large = con.execute(
        "create or replace temp table identity_large as select node from identity_clusters where component in (select "
        f"component from identity_clusters group by component having count(*) > {settings.max_records}); "
        "select count(*) from identity_large"
    ).fetchone()
    if too_large and too_large[0]:
        con.execute(
            f"update identity_judged set verdict = 'cluster_too_large' where verdict = 'links' and sort in {WEAK} "
            "and node in (from identity_large)"
        )
        _edges(con, run_id)
        components(con, "identity_edges", "identity_clusters")
    con.execute("drop table identity_large")


def _edges(con: Connection, run_id: str) -> None:
    con.execute(
        f"""
        create or replace temp table identity_edges as
        with splits as (
            select d.decision_id, n.node from identity_decided as d join identity_nodes as n on n.record = d.record
            where d.kind = 'split'
        ),
        parts as (select node, max(decision_id) as part from splits group by node),
        carried as (
            select j.value_hash, coalesce(p.part, 0) as part, j.node,
                min(j.type) as type, min(j.shown) as shown, any_value(n.record) as record,
                coalesce(any_value(n.old_since), '{run_id}') as since
            from identity_judged as j
            join identity_nodes as n on n.node = j.node
            left join parts as p on p.node = j.node
            where j.verdict = 'links'
            group by j.value_hash, p.part, j.node
        ),
        stars as (
            select *, first_value(node) over around as middle, first_value(type) over around as middle_type,
                first_value(shown) over around as middle_shown
            from carried
            window around as (partition by value_hash, part order by since, node)
        ),
        named as (
            select d.decision_id, d.kind, d.why, n.node,
                first_value(n.node) over (partition by d.decision_id order by n.node) as middle
            from identity_decided as d join identity_nodes as n on n.record = d.record
        ),
        -- What was decided later wins: a split of one end of it takes an older tie away.
        ties as (
            select t.* from named as t
            where t.node <> t.middle and not exists (
                select 1 from splits as s
                where s.decision_id > t.decision_id and s.node in (t.node, t.middle)
                group by s.decision_id having count(*) = 1
            )
        )
        select middle as a, node as b, middle_type as type, middle_shown as shown, value_hash,
            'both carry the same ' || replace(middle_type, '_', ' ') as reason
        from stars where node <> middle
        union all
        select middle, node, 'decision', 'decision ' || decision_id, 'decision-' || decision_id,
            case kind when 'merge' then 'merged by hand' else 'split off together by hand' end
                || coalesce(': ' || why, '')
        from ties
        """
    )
