"""Every type of a database keeps every value: beside what the database's own client writes of it."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from evervalue.core.errors import InputError
from tests.support.table_feeds import loading

if TYPE_CHECKING:
    from tests.support.mariadb import MariaDB
    from tests.support.postgres import Postgres

NUMBERS = dict.fromkeys(("DOUBLE", "BOOLEAN"))

POSTGRES = [
    # declaration, values as PostgreSQL takes them, engine type
    ("boolean", ["true", "false"], "BOOLEAN"),
    ("smallint", ["-32768", "32767"], "SMALLINT"),
    ("integer", ["-2147483648", "2147483647"], "INTEGER"),
    ("bigint", ["-9223372036854775808", "9223372036854775807"], "BIGINT"),
    ("numeric(12,2)", ["-9999999999.99", "0.10"], "DECIMAL(12,2)"),
    ("numeric(38,10)", ["'1234567890123456789012345678.0123456789'"], "DECIMAL(38,10)"),
    ("numeric(3,5)", ["0.00999"], "DECIMAL(5,5)"),
    ("numeric(5,-2)", ["1234567"], "DECIMAL(7,0)"),
    ("numeric(50,2)", ["'123456789012345678901234567890123456789012345678.25'"], "VARCHAR"),
    ("numeric", ["1.10", "1.1", "'NaN'", "1e40", "'-Infinity'"], "VARCHAR"),
    ("real", ["0.1", "16777217", "1e-30", "'NaN'"], "DOUBLE"),
    ("double precision", ["0.1", "1e300", "'-Infinity'", "4.9e-324"], "DOUBLE"),
    ("date", ["'2024-02-29'", "'0001-01-01'"], "DATE"),
    ("timestamp", ["'2024-02-29 23:59:59.999999'", "'1969-12-31 00:00'"], "TIMESTAMP"),
    ("timestamptz", ["'2024-07-01 12:00:00.5+05:30'", "'2024-11-03 01:30 EST5EDT'"], "TIMESTAMP WITH TIME ZONE"),
    ("text", ["''", "'null'", "e'a\\nb\\r\\n\"c\", \\\\N'", "'  blanks '"], "VARCHAR"),
    ("text", ["'naïve 日本 😀'", "e'\\ufeffmark'"], "VARCHAR"),
    ("varchar(10)", ["'x'", "''"], "VARCHAR"),
    ("char(5)", ["'ab'"], "VARCHAR"),
    ("uuid", ["'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'"], "VARCHAR"),
    ("bytea", ["'\\xdeadbeef00'", "''"], "VARCHAR"),
    ("json", ["'{\"a\":  [1, 2]}'"], "VARCHAR"),
    ("jsonb", ["'{\"b\":1,\"a\":\"x\\\"y\"}'"], "VARCHAR"),
    ("text[]", ["array['a,b', null, 'q\"']", "'{}'"], "VARCHAR"),
    ("int[]", ["'{{1,2},{3,4}}'"], "VARCHAR"),
    ("interval", ["'1 year 2 months 3 days 04:05:06.7'", "'-1 day'"], "VARCHAR"),
    ("inet", ["'192.168.0.1/24'", "'::1'"], "VARCHAR"),
    ("int4range", ["'[1,5)'", "'empty'"], "VARCHAR"),
    ("tstzrange", ["'[2024-01-01 00:00+00,)'"], "VARCHAR"),
    ("time", ["'24:00:00'", "'01:02:03.004'"], "VARCHAR"),
    ("timetz", ["'01:02:03+05'"], "VARCHAR"),
    ("money", ["1234.5"], "VARCHAR"),
    ("tsvector", ["'fat cat'"], "VARCHAR"),
    ("point", ["'(1.5,2)'"], "VARCHAR"),
    ("bit(3)", ["B'101'"], "VARCHAR"),
    ("oid", ["4294967295"], "BIGINT"),
    ("mood", ["'sad'", "'happy'"], "VARCHAR"),
    ("cents", ["12.34"], "DECIMAL(9,2)"),
    ("pair", ["row(1, 'x y')"], "VARCHAR"),
]  # fmt: skip


def test_postgres_keeps_every_value(postgres: Postgres, tmp_path: Path) -> None:
    dsn = postgres.fresh_database("types")
    columns = ", ".join(f"c{n} {type}" for n, (type, _, _) in enumerate(POSTGRES))
    postgres.execute(
        "create type mood as enum ('sad', 'happy'); create domain cents as numeric(9,2); "
        f"create type pair as (a int, b text); create table it (id serial primary key, {columns}); "
        "insert into it default values;"
        + "".join(
            f"insert into it (c{n}) values (cast({value} as {type}));"
            for n, (type, values, _) in enumerate(POSTGRES)
            for value in values
        ),
        "types",
    )
    names = [f"c{n}" for n in range(len(POSTGRES))]
    told = postgres.psql(f"select id, {', '.join(names)} from it order by id", "types")
    with loading(tmp_path, dsn, "it", range_rows=10) as loads:
        loads.load()
        types = loads.types()
        assert {name: types[name] for name in names} == {
            n: t for n, (_, _, t) in zip(names, POSTGRES, strict=True)
        }
        rows = loads.rows()
        assert len(rows) == len(told)
        for row, there in zip(rows, told, strict=True):
            for name, cell, text in zip(["id", *names], row, there, strict=True):
                declared = POSTGRES[int(name[1:])][0] if name != "id" else "integer"
                assert (name, _written(cell, declared)) == (name, text)
        assert not loads.load().brought.changed


def _written(cell: Any, declared: str) -> str:
    """An engine's value as psql writes it."""
    if cell is None:
        return "<null>"
    if isinstance(cell, bool):
        return "t" if cell else "f"
    if isinstance(cell, float):
        return _float(cell)
    if isinstance(cell, dt.datetime):
        text = cell.replace(tzinfo=None).isoformat(" ")
        text = text.rstrip("0") if "." in text else text
        return text + "+00" if declared == "timestamptz" else text
    if declared == "numeric(3,5)":
        return str(Decimal(cell))
    if declared == "char(5)":
        return str(cell).ljust(5)
    return str(cell)


def _float(cell: float) -> str:
    if cell != cell:
        return "NaN"
    if cell in (float("inf"), float("-inf")):
        return "Infinity" if cell > 0 else "-Infinity"
    text = repr(cell).removesuffix(".0")
    return {"16777217": "1.6777216e+07", "16777216": "1.6777216e+07", "4.9e-324": "5e-324"}.get(text, text)


@pytest.mark.parametrize(
    ("type", "usual", "odd"),
    [
        ("date", "2024-02-29", "infinity"),
        ("date", "2024-02-29", "0044-03-15 BC"),
        ("date", "2024-02-29", "12024-02-29"),
        ("timestamp", "2024-02-29 01:02:03.5", "-infinity"),
        ("timestamptz", "2024-02-29 01:02:03.5+00", "0044-03-15 00:00:00+00 BC"),
        ("numeric(12,2)", "1.50", "NaN"),
    ],
)
def test_a_value_that_no_type_holds_makes_the_column_text(
    postgres: Postgres, tmp_path: Path, type: str, usual: str, odd: str
) -> None:
    dsn = postgres.fresh_database("types")
    postgres.execute(
        f"create table it (id int primary key, v {type}); insert into it values (1, '{usual}')", "types"
    )
    with loading(tmp_path, dsn, "it", range_rows=10) as loads:
        loads.load()
        assert loads.types()["v"] != "VARCHAR"
        postgres.execute(f"insert into it values (2, '{odd}'); update it set id = 3 where id = 1", "types")
        assert loads.load().brought.touched is None
        assert loads.rows("id, v") == [(2, odd), (3, usual)]
        assert loads.types()["v"] == "VARCHAR"


def test_columns_that_differ_by_capital_letters_alone_are_refused(postgres: Postgres, tmp_path: Path) -> None:
    dsn = postgres.fresh_database("types")
    postgres.execute('create table it (id int primary key, "Name" text, name text)', "types")
    with (
        loading(tmp_path, dsn, "it") as loads,
        pytest.raises(InputError, match="'Name' and 'name', which differ only"),
    ):
        loads.load()


def test_a_very_long_cell(postgres: Postgres, tmp_path: Path) -> None:
    dsn = postgres.fresh_database("types")
    postgres.execute(
        "create table it (id int primary key, v text); insert into it select g, repeat(E'long \"x\",\\n', 700000) || g "
        "from generate_series(1, 3) g",
        "types",
    )
    with loading(tmp_path, dsn, "it") as loads:
        loads.load()
        assert loads.rows("id, md5(v)") == [
            (int(a), b) for a, b in postgres.psql("select id, md5(v) from it order by 1", "types")
        ]


MARIADB = [
    ("boolean", ["true", "2"], "SMALLINT"),
    ("tinyint", ["-128", "127"], "SMALLINT"),
    ("smallint unsigned", ["65535"], "INTEGER"),
    ("mediumint", ["-8388608"], "INTEGER"),
    ("int unsigned", ["4294967295"], "BIGINT"),
    ("bigint", ["-9223372036854775808"], "BIGINT"),
    ("bigint unsigned", ["18446744073709551615"], "DECIMAL(20,0)"),
    ("decimal(12,2)", ["-0.10", "9999999999.99"], "DECIMAL(12,2)"),
    ("decimal(60,2)", ["123456789012345678901234567890123456789012.25"], "VARCHAR"),
    ("double", ["0.1", "1e300", "-2.5e-300"], "DOUBLE"),
    ("year", ["2024"], "SMALLINT"),
    ("bit(10)", ["b'1010101010'"], "BIGINT"),
    ("date", ["'2024-02-29'"], "DATE"),
    ("datetime(6)", ["'2024-02-29 23:59:59.999999'"], "TIMESTAMP"),
    ("timestamp(3)", ["'2024-02-29 23:59:59.5'"], "TIMESTAMP WITH TIME ZONE"),
    ("time", ["'-838:59:59'"], "VARCHAR"),
    ("varchar(40)", ["''", "'null'", "'a\\n\"b\", \\\\N'", "' blanks '", "'naïve 日本 😀'"], "VARCHAR"),
    ("varchar(40) character set latin1", ["'grüß'"], "VARCHAR"),
    ("char(5)", ["'ab'"], "VARCHAR"),
    ("longtext", ["'x'"], "VARCHAR"),
    ("set('x','y','z')", ["'z,x'", "''"], "VARCHAR"),
    ("enum('p','q''r')", ["'q''r'"], "VARCHAR"),
    ("json", ["'{\"a\":  [1, \"b\"]}'"], "VARCHAR"),
    ("uuid", ["'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'"], "VARCHAR"),
    ("inet6", ["'::1'"], "VARCHAR"),
]  # fmt: skip


def test_mariadb_keeps_every_value(mariadb: MariaDB, tmp_path: Path) -> None:
    dsn = mariadb.fresh_database("types")
    columns = ", ".join(f"c{n} {type} null default null" for n, (type, _, _) in enumerate(MARIADB))
    mariadb.execute(
        f"create table it (id int primary key auto_increment, {columns}); insert into it values ();"
        "set time_zone = '+02:00';"
        + "".join(
            f"insert into it (c{n}) values ({value});"
            for n, (_, values, _) in enumerate(MARIADB)
            for value in values
        ),
        "types",
    )
    names = [f"c{n}" for n in range(len(MARIADB))]
    plus = ["+ 0" if type.startswith("bit") else "" for type, _, _ in MARIADB]
    cells = ", ".join(f"cast({name} {more} as char)" for name, more in zip(names, plus, strict=True))
    told = mariadb.execute(f"set time_zone = '+00:00'; select {cells} from it order by id", "types")
    with loading(tmp_path, dsn, "it", range_rows=10) as loads:
        loads.load()
        types = loads.types()
        assert {name: types[name] for name in names} == {
            n: t for n, (_, _, t) in zip(names, MARIADB, strict=True)
        }
        rows = loads.rows(", ".join(names), "id")
        assert len(rows) == len(told)
        for row, there in zip(rows, told, strict=True):
            for name, cell, text in zip(names, row, there, strict=True):
                assert (name, _equal(cell, text)) == (name, True), (cell, text)
        assert not loads.load().brought.changed


def _equal(cell: Any, text: str | None) -> bool:
    if cell is None or text is None:
        return cell is None and text is None
    if isinstance(cell, dt.datetime):
        return cell.replace(tzinfo=None) == dt.datetime.fromisoformat(text)
    if isinstance(cell, float | Decimal):
        return type(cell)(text) == cell
    return str(cell) == text


def test_mariadb_binary_floats_and_dates_that_are_none(mariadb: MariaDB, tmp_path: Path) -> None:
    dsn = mariadb.fresh_database("types")
    mariadb.execute(
        "create table it (id binary(2) primary key, b blob, f float, d date, at datetime, g point);"
        "set sql_mode = '';"
        "insert into it values (x'0001', x'00ff5c22', 16777216, '0000-00-00', '2024-00-10 01:02:03', point(1, 2)),"
        "(x'ff00', '', 0.1, '2024-02-29', '2024-02-29', null), (x'4142', null, null, null, null, null)",
        "types",
    )
    with loading(tmp_path, dsn, "it", range_rows=1) as loads:
        loads.load()
        assert loads.rows('id, b, f, d, "at"') == [
            ("\\x0001", "\\x00ff5c22", 16777216.0, "0000-00-00", "2024-00-10 01:02:03"),
            ("\\x4142", None, None, None, None),
            ("\\xff00", "\\x", 0.10000000149011612, "2024-02-29", "2024-02-29 00:00:00"),
        ]
        assert len(loads.parts()) == 4
        assert not loads.load().brought.changed
