"""What MySQL and MariaDB know of a table, and how a row of it is written as one line of CSV by the server itself."""

from __future__ import annotations

from typing import Any

from evervalue.core.errors import SourceUnavailable
from evervalue.core.text import did_you_mean
from evervalue.sources.databases.mysql_errors import driver
from evervalue.sources.databases.packed import FILLER
from evervalue.sources.databases.reader import Range
from evervalue.sources.databases.tables import TEXT, Column, Table, decimal

INTEGERS = {
    "tinyint": ("SMALLINT", "SMALLINT"),
    "smallint": ("SMALLINT", "INTEGER"),
    "mediumint": ("INTEGER", "INTEGER"),
    "int": ("INTEGER", "BIGINT"),
    "bigint": ("BIGINT", "DECIMAL(20,0)"),
}
"""Type: the engine's with a sign, and without."""
PLAIN = {
    "float": "DOUBLE",
    "double": "DOUBLE",
    "year": "SMALLINT",
    "date": "DATE",
    "datetime": "TIMESTAMP",
    "timestamp": "TIMESTAMP WITH TIME ZONE",
}
BINARY = (
    "binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob", "geometry", "point", "linestring", "polygon",
    "multipoint", "multilinestring", "multipolygon", "geometrycollection", "geomcollection", "vector",
)  # fmt: skip
COMPARED = {
    **dict.fromkeys((*INTEGERS, "decimal", "year"), "number"),
    **dict.fromkeys(("char", "varchar", "tinytext", "text", "mediumtext", "longtext"), "text"),
    **dict.fromkeys(("uuid", "inet4", "inet6", "date", "datetime", "timestamp"), "text"),
    **dict.fromkeys(("binary", "varbinary"), "binary"),
}  # fmt: skip
"""Types whose order is that of a comparison with a literal. An enum sorts by its number and compares by its text."""

COLUMNS = """
select column_name, data_type, column_type, numeric_precision, numeric_scale, collation_name
from information_schema.columns
where table_schema = %s and table_name = %s and binary table_schema = %s and binary table_name = %s
order by ordinal_position
"""
KEY = """
select s.index_name, group_concat(s.column_name order by s.seq_in_index separator '\n')
from information_schema.statistics as s
where s.table_schema = %s and s.table_name = %s and binary s.table_schema = %s and binary s.table_name = %s
    and s.non_unique = 0
group by s.index_name
having sum(s.nullable = 'YES' or s.sub_part is not null or s.column_name is null) = 0
order by s.index_name <> 'PRIMARY', count(*), s.index_name limit 1
"""

LOOKS = 5
NOT_THERE = (1044, 1049, 1142, 1143, 1146)
"""Error numbers: no such database or table, or no right to it."""
CHANGED = 1412
"""Error number: the table is newer than the snapshot."""


def quoted(name: str) -> str:
    """An identifier."""
    return "`" + name.replace("`", "``") + "`"


def literal(text: str) -> str:
    """A text literal, in a session without backslash escapes."""
    return "'" + text.replace("'", "''") + "'"


def describe(cursor: Any, name: str, database: str, user: str, where: str) -> Table:
    """What is known of a table.

    Raises
    ------
    SourceUnavailable
        It is not there, or may not be read, which this kind of database does not tell apart.
    """
    schema, relation = database, name
    found = _catalogued(cursor, schema, relation) if schema else None
    if found is None and "." in name:
        schema, _, relation = name.partition(".")
        found = _catalogued(cursor, schema, relation)
    if found is None:
        cursor.execute(
            "select table_name from information_schema.tables where table_schema = %s order by 1", [schema]
        )
        names = [str(row[0]) for row in cursor.fetchall()]
        raise SourceUnavailable(
            f"{where}: the database {schema or '(none is named in the connection)'} has no table {relation}"
            f"{did_you_mean(relation, names)}, or the user {user} may not read it. Check its name, or let an "
            f"administrator run: GRANT SELECT ON {quoted(schema)}.{quoted(relation)} TO {user};"
        )
    schema, relation, engine, rows, sort = found
    cursor.execute(COLUMNS, [schema, relation] * 2)
    found_columns = cursor.fetchall()
    columns = tuple(_column(row) for row in found_columns)
    cursor.execute(KEY, [schema, relation] * 2)
    key = cursor.fetchone()
    own = tuple(str(key[1]).split("\n")) if key else ()
    warnings = []
    view = sort not in ("BASE TABLE", "SYSTEM VERSIONED")
    if not view and str(engine).lower() not in ("innodb", "rocksdb", "tokudb"):
        warnings.append(
            f"{where}: {schema}.{relation} is kept by {engine}, which has no snapshots: rows written while it is "
            f"read may be missed until the next load. ALTER TABLE {quoted(relation)} ENGINE = InnoDB mends it."
        )
    return Table(
        f"{schema}.{relation}",
        columns,
        own if set(own) <= {column.name for column in columns} else (),
        rows=None if view or rows is None else int(rows),
        address=f"{quoted(schema)}.{quoted(relation)}",
        warnings=tuple(warnings),
        kind="view" if view else "table" if sort == "BASE TABLE" else "versioned",
        facts={f"collation {row[0]}": str(row[5]) for row in found_columns if row[5] is not None},
    )


def line(table: Table) -> str:
    """SQL of a row as a line of CSV: NULL is nothing, the empty text is two quotes."""
    cells = [_cell(column) for column in table.columns]
    return "concat(" + ", ',', ".join(cells if len(cells) > 1 else [*cells, FILLER]) + ")"


def within(table: Table, range: Range) -> str:
    """SQL of the rows of a range."""
    tests = []
    for bound, sign in ((range.lower, ">"), (range.upper, "<")):
        if bound is None:
            continue
        keys = [quoted(name) for name in table.key]
        values = [_value(column, text) for column, text in zip(table.key_columns, bound, strict=True)]
        # Written out, for the index is not used for a comparison of rows.
        last = "<=" if sign == "<" else ">=" if range.closed else ">"
        test = f"{keys[-1]} {last} {values[-1]}"
        for key, value in reversed(list(zip(keys[:-1], values[:-1], strict=True))):
            test = f"({key} {sign} {value} or ({key} = {value} and {test}))"
        tests.append(test if len(keys) == 1 else f"{keys[0]} {sign}= {values[0]} and {test}")
    return " and ".join(tests) or "true"


def can_be_parted(table: Table) -> bool:
    """Whether ranges of the key can be asked for."""
    return bool(table.key) and all(column.key for column in table.key_columns)


def key_text(column: Column) -> str:
    """SQL of a value of the key, as the text that `within` takes."""
    name = quoted(column.name)
    return f"hex({name})" if column.key == "binary" else f"convert({name} using utf8mb4)"


def _catalogued(cursor: Any, schema: str, relation: str) -> Any:
    """The table of that name. A copying ALTER swaps two tables, and between the two the catalogue shows neither."""
    for _ in range(LOOKS):
        found = _find(cursor, schema, relation)
        if found is not None or not _is_there(cursor, schema, relation):
            return found
    return None


def _is_there(cursor: Any, schema: str, relation: str) -> bool:
    """Whether the server knows the name: unlike the catalogue, a statement waits for a change of the table to end."""
    try:
        cursor.execute(f"select 1 from {quoted(schema)}.{quoted(relation)} limit 0")
    except driver().err.MySQLError as error:
        if error.args[0] in NOT_THERE:
            return False
        if error.args[0] != CHANGED:
            raise
    return True


def _find(cursor: Any, schema: str, relation: str) -> Any:
    """The table of that name; else the only one whose name differs by capital letters alone."""
    # The catalogue compares without regard to capital letters, whether or not the server tells names apart by them.
    cursor.execute(
        "select table_schema, table_name, engine, table_rows, table_type from information_schema.tables "
        "where table_schema = %s and (table_name = %s or lower(table_name) = lower(%s))",
        [schema, relation, relation],
    )
    rows = cursor.fetchall()
    rows = [row for row in rows if row[0] == schema] or rows
    exact = [row for row in rows if row[1] == relation]
    return exact[0] if exact else rows[0] if len(rows) == 1 else None


def _column(row: Any) -> Column:
    name, base, written, precision, scale, _ = row
    base, written = str(base).lower(), str(written).lower()
    type, number = PLAIN.get(base, TEXT), False
    if base in INTEGERS:
        type = INTEGERS[base]["unsigned" in written]
    elif base == "decimal":
        type, number = decimal(int(precision), int(scale)), True
    elif base == "bit":
        type = "BIGINT" if int(precision) < 64 else "DECIMAL(20,0)"
    return Column(str(name), written, type, number, key=COMPARED.get(base, ""), extra=base)


def _cell(column: Column) -> str:
    name = quoted(column.name)
    if column.extra in INTEGERS or column.extra in ("decimal", "double", "year", "date", "datetime", "time"):
        return f"ifnull({name}, '')"
    if column.extra == "float":
        return f"ifnull({name} + 0e0, '')"  # else it is written with six digits
    if column.extra == "bit":
        return f"ifnull({name} + 0, '')"
    if column.extra == "timestamp":
        return f"ifnull(concat({name}, '+00'), '')"
    if column.extra in BINARY:
        return f"ifnull(concat('\\x', lower(hex({name}))), '')"
    return f"""ifnull(concat('"', replace(convert({name} using utf8mb4), '"', '""'), '"'), '')"""


def _value(column: Column, text: str) -> str:
    if column.key == "number":
        return text
    if column.extra == "timestamp":
        return literal(text.removesuffix("+00"))
    return f"x'{text}'" if column.key == "binary" else literal(text)
