"""Customer ids that stay: who keeps the id, who gets a new one, and which ids stand for nobody any more.

An id belongs to the record it was given for. Where records part, it stays with the part that holds this record (or the
first of its records, where that one is gone); the others get new ids. Where customers become one, the id that was given
first survives, among those of one run the first by its code points; the others are retired, and no id is ever given
twice.
"""

from __future__ import annotations

from evervalue.warehouse.duckdb import Connection, literal


def assign(con: Connection, run_id: str) -> None:
    """Fills the temp tables `identity_new` (a registry) and `identity_ids` from the clusters and what was before.

    Reads the temp tables `identity_nodes`, `identity_clusters`, `identity_old` and `identity_old_ids`.
    """
    run = literal(run_id)
    con.execute(
        """
        create or replace temp table identity_placed as
        select n.node, n.namespace, n.customer_key, n.record, n.old_id, n.old_since,
            coalesce(c.component, n.node) as cluster
        from identity_nodes as n left join identity_clusters as c on c.node = n.node;

        create or replace temp table identity_owned as
        with held as (
            select p.old_id, p.cluster, p.node, i.minted_run,
                i.namespace = p.namespace and i.customer_key = p.customer_key as is_named
            from identity_placed as p join identity_old_ids as i on i.customer_id = p.old_id
        )
        select old_id, any_value(minted_run) as minted_run,
            arg_min(cluster, row(case when is_named then 0 else 1 end, node)) as cluster
        from held group by old_id;

        create or replace temp table identity_survivors as
        select cluster, arg_min(old_id, row(minted_run, old_id)) as customer_id from identity_owned group by cluster;

        create or replace temp table identity_minted as
        with one as (select count(distinct namespace) = 1 as is_one from identity_nodes)
        select p.cluster, p.namespace, p.customer_key,
            case when o.is_one then p.customer_key else p.record end as name,
            case when o.is_one then p.customer_key else p.record end as customer_id
        from identity_placed as p
        cross join one as o
        anti join identity_survivors as s on s.cluster = p.cluster
        where p.node = p.cluster
        """
    )
    _never_twice(con)
    con.execute(
        f"""
        create or replace temp table identity_new as
        with given as (
            select cluster, customer_id from identity_survivors
            union all
            select cluster, customer_id from identity_minted
        ),
        moved as (
            select o.old_id, s.customer_id
            from identity_owned as o join identity_survivors as s on s.cluster = o.cluster
        )
        select p.namespace, p.customer_key, g.customer_id,
            case when p.old_id = g.customer_id then p.old_since else {run} end as since_run, true as is_present
        from identity_placed as p join given as g on g.cluster = p.cluster
        union all
        select o.namespace, o.customer_key, coalesce(m.customer_id, o.customer_id),
            case when coalesce(m.customer_id, o.customer_id) = o.customer_id then o.since_run else {run} end, false
        from identity_old as o
        anti join identity_placed as p on p.namespace = o.namespace and p.customer_key = o.customer_key
        left join moved as m on m.old_id = o.customer_id;

        create or replace temp table identity_ids as
        select i.customer_id, i.namespace, i.customer_key, i.minted_run,
            case when s.customer_id <> i.customer_id then {run} else i.retired_run end as retired_run
        from identity_old_ids as i
        left join identity_owned as o on o.old_id = i.customer_id
        left join identity_survivors as s on s.cluster = o.cluster
        union all
        select customer_id, namespace, customer_key, {run}, null from identity_minted
        """
    )
    for table in ("placed", "owned", "survivors", "minted"):
        con.execute(f"drop table identity_{table}")


def _never_twice(con: Connection) -> None:
    """Give a new id another ending where its name was given before, or is given to another one now."""
    taken = (
        "select cluster from (select *, row_number() over (partition by customer_id order by cluster) as place "
        "from identity_minted) where place > 1 or customer_id in (select customer_id from identity_old_ids)"
    )
    ending = 1
    while clusters := [str(c) for (c,) in con.execute(taken).fetchall()]:
        ending += 1
        con.execute(
            f"update identity_minted set customer_id = name || '~{ending}' where cluster in ({', '.join(clusters)})"
        )
