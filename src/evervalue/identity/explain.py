"""Why records are one customer, and which customers deserve a look; personal values stay masked unless asked for."""

from __future__ import annotations

from dataclasses import dataclass

from evervalue.identity.decisions import RECORD, customer_of, records_of
from evervalue.warehouse.duckdb import Connection, literal

Rows = list[tuple[object, ...]]


@dataclass(frozen=True)
class Explained:
    """A customer, taken apart."""

    customer_id: str
    records: Rows
    """Record, whether a source names it now, and the run since which it belongs here."""
    links: Rows
    """Record, record, why, the identifier, and the run since which it holds."""
    unused: Rows
    """Record, sort, identifier and why it does not link."""
    aliases: list[str]
    """Retired ids that mean this customer."""


def explain(con: Connection, name: str, *, reveal: bool = False) -> Explained:
    """What holds a customer together, from the tables of a run.

    Parameters
    ----------
    name
        A customer id, also a retired one, a record, or a key.
    reveal
        Whether identifiers are shown as they came, not masked.

    Raises
    ------
    InputError
        Nobody is called so.
    """
    customer_id = customer_of(con, name)
    records = ", ".join(literal(record) for record in records_of(con, customer_id))
    asked = literal(customer_id)
    value = "coalesce(i.value, l.shown)" if reveal else "l.shown"
    own = "value" if reveal else "coalesce(shown, '***')"
    return Explained(
        customer_id,
        con.execute(
            f"select {RECORD}, is_present, since_run from identity.registry where customer_id = {asked} order by 1"
        ).fetchall(),
        con.execute(
            f"select l.record_a, l.record_b, l.reason, {value}, l.since_run from identity.links as l left join ("
            f"select value_hash, {RECORD} as record, min(value) as value from identity.identifiers group by all) as i "
            f"on i.value_hash = l.value_hash and i.record = l.record_a where l.record_a in ({records}) order by all"
        ).fetchall(),
        con.execute(
            f"select {RECORD}, type, {own}, verdict from identity.identifiers where {RECORD} in ({records}) "
            "and verdict <> 'links' order by all"
        ).fetchall(),
        [
            str(row[0])
            for row in con.execute(
                f"select alias from identity.aliases where customer_id = {asked} order by 1"
            ).fetchall()
        ],
    )


def largest(con: Connection, limit: int = 20) -> Rows:
    """Customers of several records, those with most first: id, records, namespaces, and what links them."""
    return con.execute(
        f"""
        with sizes as (
            select customer_id, count(*) as records, count(distinct namespace) as namespaces from identity.registry
            where is_present group by customer_id having count(*) > 1
        ),
        held as (
            select r.customer_id, string_agg(distinct l.type, ', ' order by l.type) as types
            from identity.links as l
            join identity.registry as r on r.namespace || ':' || r.customer_key = l.record_a
            group by r.customer_id
        )
        select s.customer_id, s.records, s.namespaces, h.types
        from sizes as s left join held as h using (customer_id)
        order by s.records desc, s.customer_id limit {limit}
        """
    ).fetchall()


def suspicious(con: Connection, limit: int = 20) -> Rows:
    """Customers with several records in one system that e-mail or telephone alone hold together, most records first.

    A row: customer id, namespace, records in it, and the sorts of identifiers.
    """
    return con.execute(
        f"""
        with inside as (
            select customer_id, namespace, count(*) as records from identity.registry
            where is_present group by customer_id, namespace having count(*) > 1
        ),
        held as (
            select r.customer_id, string_agg(distinct l.type, ', ' order by l.type) as types,
                bool_and(l.type in ('email', 'phone')) as is_weak
            from identity.links as l
            join identity.registry as r on r.namespace || ':' || r.customer_key = l.record_a
            group by r.customer_id
        )
        select i.customer_id, i.namespace, i.records, h.types
        from inside as i join held as h using (customer_id)
        where h.is_weak
        order by i.records desc, i.customer_id, i.namespace limit {limit}
        """
    ).fetchall()


def refused(con: Connection, limit: int = 20) -> Rows:
    """Identifiers that link nobody: sort, masked, why, and the records that carry them; most records first."""
    return con.execute(
        "select type, coalesce(shown, '***'), verdict, records from identity.refused_identifiers "
        f"order by records desc, type, shown, verdict limit {limit}"
    ).fetchall()
