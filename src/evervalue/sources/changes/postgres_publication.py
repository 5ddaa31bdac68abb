"""The publication of a PostgreSQL source: completed where tables are missing, refused where it leaves out changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from evervalue.core.errors import SourceUnavailable
from evervalue.core.text import listing
from evervalue.sources.changes.postgres_slot import AGAIN
from evervalue.sources.databases.connection import Address
from evervalue.sources.databases.postgres_errors import driver
from evervalue.sources.databases.postgres_facts import quoted


def publish(sql: Any, name: str, tables: Mapping[str, str], address: Address) -> dict[str, int]:
    """The publication, with all `tables` (feed: address in SQL) in it; of each feed what names its membership.

    The number is 0 where the publication is FOR ALL TABLES or of a schema; a table that was taken out and put back has
    another one than before.

    Raises
    ------
    SourceUnavailable
        It lacks tables and may not be changed by us, or leaves out kinds of changes.
    """
    where = address.where
    psycopg = driver()
    wanted = ", ".join(tables.values())
    kinds = sql.execute(
        "select pubinsert and pubupdate and pubdelete and pubtruncate from pg_publication where pubname = %s",
        [name],
    ).fetchone()
    statement = f"CREATE PUBLICATION {quoted(name)} FOR TABLE {wanted}"
    if kinds is None:
        _alter(sql, f"{statement} WITH (publish_via_partition_root = true)", psycopg, where)
    elif not kinds[0]:
        raise SourceUnavailable(
            f"{where}: the publication {name} leaves out kinds of changes. Let its owner run: "
            f"ALTER PUBLICATION {quoted(name)} SET (publish = 'insert, update, delete, truncate'); {AGAIN}"
        )
    else:
        _refuse_some_rows(sql, name, tables, where)
        _refuse_computed(sql, name, tables, where)
        _refuse_parts(sql, name, tables, where)
        lacking = [address for address in tables.values() if not _in(sql, name, address)]
        if lacking:
            _alter(sql, f"ALTER PUBLICATION {quoted(name)} ADD TABLE {', '.join(lacking)}", psycopg, where)
    return {
        feed: int(
            (
                sql.execute(
                    "select r.oid from pg_publication_rel as r join pg_publication as p on p.oid = r.prpubid "
                    "where p.pubname = %s and r.prrelid = %s::regclass",
                    [name, address],
                ).fetchone()
                or (0,)
            )[0]
        )
        for feed, address in tables.items()
    }


def _refuse_some_rows(sql: Any, name: str, tables: Mapping[str, str], where: str) -> None:
    """A copy has all rows, and changes would come of some."""
    if sql.info.server_version < 150000:
        return
    for address in tables.values():
        found = sql.execute(
            "select pg_get_expr(r.prqual, r.prrelid) from pg_publication_rel as r join pg_publication as p "
            "on p.oid = r.prpubid where p.pubname = %s and r.prrelid = %s::regclass and r.prqual is not null",
            [name, address],
        ).fetchone()
        if found:
            raise SourceUnavailable(
                f"{where}: the publication {name} tells of the rows of {address} with {found[0]} alone. Give the "
                "source a publication of its own, without WHERE; rows that are not wanted are set aside with the "
                "setting `only`."
            )


def _refuse_computed(sql: Any, name: str, tables: Mapping[str, str], where: str) -> None:
    """Computed columns would be in changes, and are not in a copy."""
    if sql.info.server_version < 180000:
        return
    for address in tables.values():
        found = sql.execute(
            "select a.attname from pg_publication_tables as t join pg_namespace as n on n.nspname = t.schemaname "
            "join pg_class as c on c.relnamespace = n.oid and c.relname = t.tablename "
            "join pg_attribute as a on a.attrelid = c.oid and a.attname = any(t.attnames) and a.attgenerated <> '' "
            "where t.pubname = %s and c.oid = %s::regclass",
            [name, address],
        ).fetchone()
        if found:
            raise SourceUnavailable(
                f"{where}: the publication {name} tells of {found[0]} of {address}, which is computed from other "
                f"columns. Let its owner run: ALTER PUBLICATION {quoted(name)} SET (publish_generated_columns = none); "
                "where it lists columns, take it out of the list."
            )


def _refuse_parts(sql: Any, name: str, tables: Mapping[str, str], where: str) -> None:
    """Changes would come under the names of partitions."""
    (as_root,) = sql.execute("select pubviaroot from pg_publication where pubname = %s", [name]).fetchone()
    for address in tables.values() if not as_root else ():
        kind = sql.execute("select relkind from pg_class where oid = %s::regclass", [address]).fetchone()
        if kind and kind[0] in ("p", b"p"):
            raise SourceUnavailable(
                f"{where}: {address} has partitions, and the publication {name} tells of each by its own name. Let its "
                f"owner run: ALTER PUBLICATION {quoted(name)} SET (publish_via_partition_root = true); {AGAIN}"
            )


def _in(sql: Any, publication: str, address: str) -> bool:
    return bool(
        sql.execute(
            "select count(*) from pg_publication_tables as t join pg_namespace as n on n.nspname = t.schemaname "
            "join pg_class as c on c.relnamespace = n.oid and c.relname = t.tablename "
            "where t.pubname = %s and c.oid = %s::regclass",
            [publication, address],
        ).fetchone()[0]
    )


def _alter(sql: Any, statement: str, psycopg: Any, where: str) -> None:
    try:
        sql.execute(statement)
    except psycopg.Error as error:
        said = str(error).splitlines()[0]
        raise SourceUnavailable(
            f"{where}: the publication that changes come through cannot be made complete ({said}). Let the owner of "
            f"the tables run: {statement};"
        ) from None


def refuse_without_key(
    name: str, address: str, key: Sequence[str], identity: str, flagged: Sequence[str], where: str
) -> None:
    """Nothing, where updates and deletes in the stream say which row they mean.

    `flagged` are the columns that they carry of the row as it was; `identity` is d, i, f or n.

    Raises
    ------
    SourceUnavailable
        They do not.
    """
    if not key:
        raise SourceUnavailable(
            f"{where}: {name} has no key, so changes do not say which row they mean. Give it a primary key, or name "
            "columns that are unique together in the setting `key` and run: "
            f"ALTER TABLE {address} REPLICA IDENTITY FULL;"
        )
    if identity == "n" or (identity != "f" and not set(key) <= set(flagged)):
        raise SourceUnavailable(
            f"{where}: changes of {name} carry {'no column' if identity == 'n' else listing(flagged) or 'no column'} "
            f"of the row as it was, and its key is {listing(key)}. Let its owner run: "
            f"ALTER TABLE {address} REPLICA IDENTITY {'FULL' if flagged or identity == 'n' else 'DEFAULT'};"
        )
