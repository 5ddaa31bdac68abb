"""What PostgreSQL knows of a table, and how a row of it is selected and hashed."""

from __future__ import annotations

from typing import Any

from evervalue.core.errors import SourceUnavailable
from evervalue.core.text import did_you_mean, listing
from evervalue.sources.databases.tables import TEXT, Column, Table, decimal

PLAIN = {
    "bool": "BOOLEAN",
    "int2": "SMALLINT",
    "int4": "INTEGER",
    "int8": "BIGINT",
    "oid": "BIGINT",
    "float4": "DOUBLE",
    "float8": "DOUBLE",
    "date": "DATE",
    "timestamp": "TIMESTAMP",
    "timestamptz": "TIMESTAMP WITH TIME ZONE",
}
"""Types that have a type of the engine which holds all their usual values. All others are kept as they are written."""
HASHED = ("bool", "int2", "int4", "int8", "oid", "date", "timestamp", "timestamptz", "uuid", "bytea")
"""Types whose equal values are written equally, so that they are hashed as they are; others are hashed as text."""
TIMES = ("date", "timestamp", "timestamptz")

FIND = """
select c.oid, n.nspname, c.relname, c.relkind, c.reltuples::bigint, c.relpages,
    c.relrowsecurity and row_security_active(c.oid)
from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
where c.relkind in ('r', 'p', 'v', 'm', 'f') and {where}
order by pg_table_is_visible(c.oid) desc, n.nspname limit 1
"""
COLUMNS = """
select a.attname, format_type(a.atttypid, a.atttypmod),
    case when t.typtype = 'd' then b.typname else t.typname end,
    case when t.typtype = 'd' and t.typtypmod <> -1 then t.typtypmod else a.atttypmod end,
    a.attnotnull, has_column_privilege(c.oid, a.attnum, 'select'),
    (select l.collname from pg_collation as l where l.oid = a.attcollation)
from pg_attribute as a
join pg_class as c on c.oid = a.attrelid
join pg_type as t on t.oid = a.atttypid
left join pg_type as b on b.oid = t.typbasetype and b.typtype = 'b'
where a.attrelid = %s and a.attnum > 0 and not a.attisdropped
order by a.attnum
"""
KEY = """
select array_agg(a.attname::text order by k.place)
from pg_index as i
cross join lateral unnest(i.indkey[0:i.indnkeyatts - 1]) with ordinality as k(attnum, place)
join pg_attribute as a on a.attrelid = i.indrelid and a.attnum = k.attnum
where i.indrelid = %s and i.indisunique and i.indisvalid and i.indimmediate and i.indpred is null and i.indexprs is null
group by i.indexrelid, i.indisprimary, i.indisreplident
having bool_and(a.attnotnull)
order by i.indisprimary desc, i.indisreplident desc, count(*), i.indexrelid limit 1
"""
INHERITED = "select 1 from pg_inherits where inhparent = %s limit 1"
NAMES = """
select n.nspname || '.' || c.relname from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
where c.relkind in ('r', 'p', 'v', 'm', 'f') and n.nspname not in ('pg_catalog', 'information_schema')
    and n.nspname not like 'pg\\_%' order by 1
"""


def quoted(name: str) -> str:
    """An identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text literal."""
    return "'" + text.replace("'", "''") + "'"


def describe(con: Any, name: str, where: str, *, oid: int | None = None) -> Table:
    """What is known of a table, over an open connection; by its number where that is known.

    Raises
    ------
    SourceUnavailable
        It is not there, or may not be read.
    """
    oid, schema, relation, kind, rows, pages, policies = _find(con, name, where, oid)
    shown = f"{schema}.{relation}"
    address = f"{quoted(schema)}.{quoted(relation)}"
    found = con.execute(COLUMNS, [oid]).fetchall()
    hidden = [row[0] for row in found if not row[5]]
    readable = [row for row in found if row[5]]
    user, may_look = con.execute(
        "select current_user, has_schema_privilege(%s, 'usage')", [schema]
    ).fetchone()
    if not may_look:
        raise SourceUnavailable(
            f"{where}: the user {user} may not look into the schema {schema}. Let an administrator run: "
            f"GRANT USAGE ON SCHEMA {quoted(schema)} TO {quoted(user)};"
        )
    if not found:
        raise SourceUnavailable(f"{where}: {shown} has no columns, so there is nothing to read.")
    if not readable:
        raise SourceUnavailable(
            f"{where}: the user {user} may not read {shown}. Let an administrator run: "
            f"GRANT SELECT ON {address} TO {quoted(user)};"
        )
    warnings = []
    if hidden:
        warnings.append(
            f"{where}: the user {user} may not read {listing(hidden)} of {shown}; the other columns are read. To read "
            f"all: GRANT SELECT ON {address} TO {quoted(user)};"
        )
    if policies:
        warnings.append(
            f"{where}: row level security of {shown} shows the user {user} some rows only. To read all: "
            f"ALTER ROLE {quoted(user)} BYPASSRLS;"
        )
    columns = tuple(_column(row) for row in readable)
    key = con.execute(KEY, [oid]).fetchone() if kind in "rpm" else None
    names = {column.name for column in columns}
    own = tuple(key[0]) if key and set(key[0]) <= names else ()
    inherited = kind == "r" and con.execute(INHERITED, [oid]).fetchone() is not None
    return Table(
        shown,
        columns,
        own,
        key_is_sure=not inherited,  # each of the tables whose rows are read with it keeps a key of its own
        rows=rows if rows >= 0 and kind in "rm" else None,
        address=address,
        warnings=tuple(warnings),
        kind={"r": "table", "p": "partitioned", "v": "view", "m": "materialised", "f": "foreign"}[kind],
        facts={"oid": str(oid), "pages": str(pages)}
        | {f"collation {row[0]}": str(row[6]) for row in readable if row[6] not in (None, "default")},
    )


def names_like(con: Any, name: str) -> str:
    """' (did you mean ...?)' of the tables that are there."""
    names = [row[0] for row in con.execute(NAMES).fetchall()]
    return did_you_mean(name, names) or did_you_mean(f"public.{name}", names)


def row_hash(table: Table, *, of_record: bool) -> str:
    """SQL of a 64-bit number that differs where a row does.

    A hash of a record is a sum over its columns, of which sums over rows would not see two values change places; who
    sums it hashes it once more.
    """
    parts = ", ".join(_hashed(column) for column in table.columns)
    return (
        f"hash_record_extended(row({parts}), 0)" if of_record else f"hashtextextended(row({parts})::text, 0)"
    )


def unfit(table: Table) -> str:
    """SQL of an array: for each column in order, whether some value lies outside what its engine type takes."""
    tests = []
    for column in table.columns:
        name = quoted(column.name)
        if column.type in ("DATE", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE"):
            tests.append(
                f"bool_or(not isfinite({name}) or {name} < date '0001-01-01' or {name} > date '9999-12-31')"
            )
        elif column.type.startswith("DECIMAL"):
            tests.append(f"bool_or({name} = 'NaN')")
        else:
            tests.append("false")
    return f"array[{', '.join(tests)}]"


def _column(row: Any) -> Column:
    name, written, base, modifier, *_ = row
    type = PLAIN.get(base or "", TEXT)
    number = False
    if base == "numeric":
        number = True
        if modifier >= 4:
            packed = modifier - 4
            type = decimal(packed >> 16 & 0xFFFF, (packed & 0x7FF ^ 0x400) - 0x400)
    return Column(name, written, type, number, key="any", extra=base or "")


def _hashed(column: Column) -> str:
    name = quoted(column.name)
    if column.extra in HASHED or column.type.startswith("DECIMAL"):
        return name
    if column.extra in ("text", "varchar"):
        return f'{name} collate "C"'
    return f"{name}::text"


def _find(con: Any, name: str, where: str, oid: int | None) -> Any:
    if oid and (found := con.execute(FIND.format(where="c.oid = %s::oid"), [oid]).fetchone()):
        return found
    here, there = "pg_table_is_visible(c.oid) and c.relname = %s", "n.nspname = %s and c.relname = %s"
    dots = [place for place, letter in enumerate(name) if letter == "."][::-1]
    tries: list[tuple[str, list[str]]] = [(there, [name[:dot], name[dot + 1 :]]) for dot in dots]
    tries.append((here, [name]))
    tries += [(condition, [value.lower() for value in values]) for condition, values in tries]
    for condition, values in tries:
        found = con.execute(FIND.format(where=condition), values).fetchone()
        if found:
            return found
    database, user = con.execute("select current_database(), current_user").fetchone()
    raise SourceUnavailable(
        f"{where}: the database {database} has no table {name}{names_like(con, name)}, or the user {user} may not "
        "see it. Name it with its schema, as it is written there, capital letters too."
    )
