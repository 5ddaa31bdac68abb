"""Refuses to guess whether equal customer keys of two systems mean the same customer."""

from __future__ import annotations

from evervalue.core.errors import AmbiguousInput
from evervalue.core.text import count
from evervalue.warehouse.duckdb import Connection, literal

KEYS = """
    select distinct s.customer_keys as namespace, r.customer_key
    from identity.records as r join run.source_settings as s on s.customer_keys = r.namespace
    union
    select distinct s.customer_keys, e.customer_id
    from mapped.cost_entries as e join run.source_settings as s on s.source = e.source
    where e.customer_id is not null
"""


def refuse_equal_keys(con: Connection) -> None:
    """Nothing, where it is clear what equal customer keys mean.

    Raises
    ------
    AmbiguousInput
        Two systems hold equal customer keys, and the settings of neither say whose keys they are.
    """
    open_namespaces = con.execute(
        "select customer_keys from run.source_settings group by 1 having not bool_or(keys_given)"
    ).fetchall()
    if len(open_namespaces) < 2:
        return
    found = con.execute(
        f"""
        with keys as ({KEYS}),
        undecided as (
            select k.* from keys as k
            semi join (select customer_keys as namespace from run.source_settings group by 1
                having not bool_or(keys_given)) as o using (namespace)
        ),
        shared as (select customer_key from undecided group by customer_key having count(*) > 1)
        select a.namespace, b.namespace, count(*), min(a.customer_key)
        from undecided as a join undecided as b on b.customer_key = a.customer_key and b.namespace > a.namespace
        where a.customer_key in (from shared)
        group by 1, 2 order by 1, 2
        """
    ).fetchall()
    if not found:
        return
    says = [
        f"{_sources(con, a)} and {_sources(con, b)} hold {count(n, 'equal customer key')}"
        + ("" if _is_name(con, key) else f", for example '{key}'")
        for a, b, n, key in found
    ]
    one, other = found[0][:2]
    raise AmbiguousInput(
        f"{'; '.join(says)}, and nothing says whether they mean the same customers. If they do, set "
        f'customer_keys = "company" (one name) under both [sources.{one}] and [sources.{other}]; if they do not, set '
        f'customer_keys = "{other}" under [sources.{other}]. Nothing was published.'
    )


def _sources(con: Connection, namespace: str) -> str:
    systems = con.execute(
        f"select distinct system from run.source_settings where customer_keys = {literal(namespace)} order by 1"
    ).fetchall()
    return " with ".join(f"sources.{system}" for (system,) in systems)


def _is_name(con: Connection, key: str) -> bool:
    """Whether a key is also how a customer is shown, which is nobody's business in a message."""
    row = con.execute(
        f"select exists (select 1 from mapped.order_lines where customer_name = {literal(key)}) "
        f"or exists (select 1 from mapped.customers where customer_name = {literal(key)})"
    ).fetchone()
    return bool(row and row[0])
