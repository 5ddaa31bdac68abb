"""Columns of a followed table: what the stream says of them, what the catalog says, and what a change of them means."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from typing import Any

from evervalue.core.errors import SourceUnavailable
from evervalue.core.text import count
from evervalue.sources.changes import pgoutput
from evervalue.sources.changes.pgoutput import Relation
from evervalue.sources.databases.postgres_facts import describe
from evervalue.sources.databases.tables import Column, Table

CATALOG = """
select a.attname, a.attnum, a.atttypid::bigint, a.atttypmod, a.atthasdef, a.atthasmissing
from pg_attribute as a where a.attrelid = %s::oid and a.attnum > 0 and not a.attisdropped
    and a.attgenerated = '' order by a.attnum
"""
IDENTITY = """
select c.relreplident, n.nspname, c.relname, coalesce((
    select array_agg(a.attname::text) from pg_index as i
    join pg_attribute as a on a.attrelid = i.indrelid and a.attnum = any(i.indkey)
    where i.indrelid = c.oid and case c.relreplident when 'd' then i.indisprimary when 'i' then i.indisreplident end
), '{}'), case c.relkind when 'p' then coalesce((
    select md5(string_agg(t.relid::oid || ':' || f.relfilenode, ',' order by t.relid::oid))
    from pg_partition_tree(c.oid) as t join pg_class as f on f.oid = t.relid where t.isleaf
), '') else '' end from pg_class as c join pg_namespace as n on n.oid = c.relnamespace where c.oid = %s::oid
"""
LONGER = {(21, 23), (21, 20), (23, 20), (1043, 25)}
"""(from, to) types of which every value keeps its text or number: smallint, integer, bigint, varchar to text."""


@dataclass(frozen=True)
class Described:
    """A followed table: its columns as the stream described them last."""

    table: Table
    """As the catalog had it when it was last looked at: types."""
    names: tuple[str, ...]
    types: dict[str, tuple[int, int]]
    """Column: type and modifier in the stream."""
    numbers: dict[str, int]
    """Column: its number in the catalog, which survives a new name; empty where the two did not agree."""
    schema: str = ""
    relation: str = ""
    identity: str = "d"
    identity_columns: tuple[str, ...] = ()
    member: int = 0
    """Names the table's membership in the publication."""
    oid: int = 0
    """Names the table itself, where another takes its name."""
    partitions: str = ""
    """Names its partitions and their files: rows of one that is attached, detached or emptied are not in the stream."""

    def is_same(self, other: Described) -> bool:
        """Whether nothing happened to the table that the stream says nothing of."""
        return (self.member, self.oid, self.partitions) == (other.member, other.oid, other.partitions)

    @classmethod
    def catalog(cls, table: Table, sql: Any) -> Described:
        """The table as the catalog describes it now."""
        rows = sql.execute(CATALOG, [table.facts["oid"]]).fetchall()
        identity, schema, relation, columns, partitions = sql.execute(
            IDENTITY, [table.facts["oid"]]
        ).fetchone()
        return cls(
            table,
            tuple(r[0] for r in rows),
            {r[0]: (r[2], r[3]) for r in rows},
            {r[0]: r[1] for r in rows},
            schema,
            relation,
            identity,
            tuple(columns),
            oid=int(table.facts["oid"]),
            partitions=partitions,
        )

    def message(self, table: Table) -> Relation:
        """What the stream would say of the table, as the catalog has it."""
        carried = {c.name for c in table.columns}
        columns = tuple(
            pgoutput.Column(False, name, *self.types[name]) for name in self.names if name in carried
        )
        return Relation(int(table.facts["oid"]), self.schema, self.relation, self.identity, columns)

    def dump(self) -> str:
        """As JSON."""
        return json.dumps({**asdict(self), "table": None, "key": self.table.key})

    @classmethod
    def of(cls, shape: str) -> Described:
        """What was stored; the table itself must be looked up."""
        held = json.loads(shape)
        key = tuple(held.pop("key"))
        held["types"] = {name: tuple(t) for name, t in held["types"].items()}
        for name in ("names", "identity_columns"):
            held[name] = tuple(held[name])
        return cls(**{**held, "table": Table("", (), key)})

    def looked_up(self, table: Table) -> Described:
        """With the table as the catalog has it now; columns that it lost keep their place as text."""
        there = {c.name for c in table.columns}
        lost = tuple(Column(n, "", "VARCHAR") for n in self.names if n not in there)
        return replace(self, table=replace(table, columns=(*table.columns, *lost)))


def refuse_unfollowable(table: Table, sql: Any, where: str) -> None:
    """Nothing, where the stream can tell of a table's rows.

    Raises
    ------
    SourceUnavailable
        It is no plain table, is not in the server's log, has rows of other tables in it, or a computed key.
    """
    if table.kind not in ("table", "partitioned"):
        kind = {"view": "a view", "materialised": "a materialised view", "foreign": "a foreign table"}[
            table.kind
        ]
        raise SourceUnavailable(
            f"{where}: {table.name} is {kind}, and the stream of changes says nothing of its rows. Read it with "
            'capture = "snapshot", or follow the tables that it is made of.'
        )
    lasts, children = sql.execute(
        "select c.relpersistence::text, (select count(*) from pg_inherits as h where h.inhparent = c.oid) "
        "from pg_class as c where c.oid = %s::oid",
        [table.facts["oid"]],
    ).fetchone()
    if lasts != "p":
        raise SourceUnavailable(
            f"{where}: {table.name} is {'unlogged' if lasts == 'u' else 'temporary'}, so the server's log does not "
            f'hold its changes. ALTER TABLE {table.address} SET LOGGED; or read it with capture = "snapshot".'
        )
    if children and table.kind == "table":
        raise SourceUnavailable(
            f"{where}: {count(children, 'table')} inherit from {table.name} and their rows are read with it, but "
            'changes to them come under their own names. Read it with capture = "snapshot".'
        )
    computed = sql.execute(
        "select attname from pg_attribute where attrelid = %s::oid and attgenerated <> '' and attname = any(%s)",
        [table.facts["oid"], list(table.key)],
    ).fetchone()
    if computed:
        raise SourceUnavailable(
            f"{where}: the key of {table.name} has the computed column '{computed[0]}', which changes do not carry. "
            "Name other columns that are unique together in the setting `key`, and run: "
            f"ALTER TABLE {table.address} REPLICA IDENTITY FULL;"
        )


def published(table: Table, sql: Any, publication: str) -> Table:
    """The table with the columns that the stream carries: none that is computed, and those a publication lists."""
    carried = {r[0] for r in sql.execute(CATALOG, [table.facts["oid"]]).fetchall()}
    version = sql.info.server_version
    if version >= 150000:
        row = sql.execute(
            "select t.attnames::text[] from pg_publication_tables as t "
            "join pg_namespace as n on n.nspname = t.schemaname "
            "join pg_class as c on c.relnamespace = n.oid and c.relname = t.tablename "
            "where t.pubname = %s and c.oid = %s::oid",
            [publication, table.facts["oid"]],
        ).fetchone()
        if row and row[0]:
            carried &= set(row[0])
    return replace(table, columns=tuple(c for c in table.columns if c.name in carried))


def follows(held: Described, message: Relation, sql: Any, where: str) -> tuple[Described, str]:
    """The table as the stream describes it from here on, and why it must be read again; empty where it need not.

    A column that came without a value for the rows that are there, one that went, and one whose type grew change no
    value. Everything else may have: a default is not in the stream, nor is what a change of type did to the rows.
    """
    names = tuple(c.name for c in message.columns)
    types = {c.name: (c.type_id, c.modifier) for c in message.columns}
    catalog = {r[0]: r[1:] for r in sql.execute(CATALOG, [message.id]).fetchall()}
    agrees = {n: (t, m) for n, (_, t, m, _, _) in catalog.items()} == types
    if names == held.names and types == held.types:
        # A column that is dropped and made anew under its name and type, with empty cells, looks as it did.
        numbers = {n: catalog[n][0] for n in names} if agrees else held.numbers
        if numbers == held.numbers:
            return held, ""
        return replace(held, numbers=numbers), "a column was dropped and made anew"
    table = describe(sql, f"{message.schema}.{message.name}", where, oid=message.id)
    table = replace(table, key=held.table.key, name=held.table.name)
    now = replace(
        held,
        table=table,
        names=names,
        types=types,
        numbers={n: c[0] for n, c in catalog.items()} if agrees else {},
        schema=message.schema,
        relation=message.name,
    ).looked_up(table)
    return now, _reason(held, now, catalog, agrees)


def _reason(held: Described, now: Described, catalog: dict[str, Any], agrees: bool) -> str:
    came = [n for n in now.names if n not in held.names]
    went = [n for n in held.names if n not in now.names]
    for name in now.names:
        if name in held.types and not _keeps(held.types[name], now.types[name]):
            return f"the type of {name} changed"
    if came and went:
        return f"{went[0]} went and {came[0]} came, or was given another name"
    if came and not (agrees and held.numbers):
        return f"{came[0]} came, and its columns have changed since"
    if agrees and not held.numbers:
        return "its columns changed more than once"
    if came and any(catalog[n][0] <= max(held.numbers.values()) for n in came):
        return f"{came[0]} came, and is older than other columns"
    if came and any(catalog[n][3] or catalog[n][4] for n in came):
        return f"{came[0]} came with a default"
    if (
        agrees
        and held.numbers
        and any(held.numbers.get(n, catalog[n][0]) != catalog[n][0] for n in now.names)
    ):
        return "a column was dropped and made anew"
    return ""


def _keeps(before: tuple[int, int], after: tuple[int, int]) -> bool:
    """Whether a change of type leaves every value as it is."""
    if before == after or (before[0], after[0]) in LONGER:
        return True
    if before[0] != after[0] or before[1] == -1:
        return False
    if before[0] == 1043:
        return after[1] == -1 or after[1] >= before[1]
    if before[0] == 1700 and after[1] != -1:
        old, new = before[1] - 4, after[1] - 4
        return old & 0x7FF == new & 0x7FF and new >> 16 >= old >> 16
    return False
