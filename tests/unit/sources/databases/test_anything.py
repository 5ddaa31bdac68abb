"""Any database that SQLAlchemy knows, here SQLite, whose cells hold whatever somebody put there."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from evervalue.core.errors import InputError, SettingsError, SourceUnavailable
from evervalue.sources.databases.anything import AnyReader
from evervalue.sources.databases.connection import Address
from tests.support.table_feeds import loading

if TYPE_CHECKING:
    from tests.support.postgres import Postgres


@pytest.fixture
def lite(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(tmp_path / "shop.db", isolation_level=None)) as con:
        con.execute(
            "create table orders (id integer primary key, customer text, placed datetime, amount numeric(12, 2), "
            "paid boolean, raw blob, note varchar(20))"
        )
        con.execute(
            "with recursive n(i) as (select 1 union all select i + 1 from n where i < 2500) "
            "insert into orders select i, 'c' || (i % 50), '2025-01-01 00:00:00.000000', i / 100.0, i % 2, "
            "case when i % 9 = 0 then x'00ff' end, "
            "case i % 3 when 0 then null when 1 then '' else 'a,\"b\"' || char(10) end "
            "from n"
        )
        yield con


def dsn(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'shop.db'}"


def test_a_table_is_read_by_ranges_and_only_rows_that_differ_go_and_come(
    lite: sqlite3.Connection, tmp_path: Path
) -> None:
    with loading(tmp_path, dsn(tmp_path), "orders") as loads:
        first = loads.load()
        assert [n for _, n in loads.parts()] == [1000, 1000, 500]
        assert len(first.touched) == 2500
        assert loads.types() == {
            "id": "BIGINT", "customer": "VARCHAR", "placed": "TIMESTAMP", "amount": "DECIMAL(12,2)", "paid": "BOOLEAN",
            "raw": "VARCHAR", "note": "VARCHAR",
        }  # fmt: skip
        assert loads.rows("id, amount::varchar, paid, raw, note", "id", "id in (8, 9, 10)") == [
            (8, "0.08", False, None, 'a,"b"\n'),
            (9, "0.09", True, "\\x00ff", None),
            (10, "0.10", False, None, ""),
        ]
        again = loads.load()
        assert (again.brought.changed, again.touched) == (False, [])
        lite.execute("update orders set note = 'new' where id = 77")
        lite.execute("delete from orders where id = 2000")
        lite.execute(
            "insert into orders (id) with recursive n(i) as (select 3000 union all select i + 1 from n where i < 5999) "
            "select i from n"
        )
        done = loads.load()
        assert len(done.touched) == 3002
        assert [n for _, n in loads.parts()] == [1000, 999, 2000, 1500]
        assert not (tmp_path / "staged").exists()


def test_a_cell_of_another_type_makes_the_column_text(lite: sqlite3.Connection, tmp_path: Path) -> None:
    lite.execute("update orders set id = 9999 where id = 5")
    lite.execute("create table odd (id integer primary key, n integer)")
    lite.execute("insert into odd values (1, 12), (2, 'twelve')")
    with loading(tmp_path, dsn(tmp_path), "odd") as loads:
        loads.load()
        assert loads.rows("id, n") == [(1, "12"), (2, "twelve")]


def test_views_and_tables_without_a_key(lite: sqlite3.Connection, tmp_path: Path) -> None:
    lite.execute("create view totals as select customer, sum(amount) as total from orders group by 1")
    with loading(tmp_path, dsn(tmp_path), "totals") as loads:
        loads.load()
        lite.execute("update orders set amount = amount + 1 where customer = 'c7'")
        assert len(loads.load().touched) == 2
        assert len(loads.rows("1")) == 50


def test_postgres_through_sqlalchemy(postgres: Postgres, tmp_path: Path) -> None:
    there = postgres.fresh_database("shop")
    postgres.execute(
        "create table it (id int primary key, at timestamptz, n numeric, u uuid, a int[]);"
        "insert into it values (1, '2025-06-01 12:00+02', 1.10, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{1,2}')",
        "shop",
    )
    with loading(tmp_path, there.replace("postgresql:", "postgresql+psycopg:"), "public.it") as loads:
        loads.feed(AnyReader(Address("sources.shop", loads.dsn)))
        loads.load(AnyReader(Address("sources.shop", loads.dsn)))
        assert loads.rows('id, "at"::varchar, n, u') == [
            (1, "2025-06-01 10:00:00+00", "1.10", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")
        ]


@pytest.mark.parametrize(
    ("connection", "table", "error", "message"),
    [
        (
            "sqlite:///{0}/none/shop.db",
            "orders",
            SourceUnavailable,
            "cannot be reached (unable to open database file)",
        ),
        (
            "sqlite:///{0}/shop.db",
            "ordres",
            SourceUnavailable,
            "has no table ordres (did you mean 'orders'?)",
        ),
        (
            "oracle9://u:secret@h/x",
            "orders",
            SettingsError,
            "no library for this kind of database is installed",
        ),
        ("shop", "orders", SettingsError, "is not a URL as SQLAlchemy writes it"),
    ],
)
def test_what_goes_wrong(
    lite: sqlite3.Connection,
    tmp_path: Path,
    connection: str,
    table: str,
    error: type[Exception],
    message: str,
) -> None:
    reader = AnyReader(Address("sources.shop", connection.format(tmp_path)))
    with pytest.raises(error) as caught:
        reader.describe(table)
    assert message in str(caught.value)
    assert "secret" not in str(caught.value)
    reader.close()


def test_a_key_of_the_settings_that_is_none(lite: sqlite3.Connection, tmp_path: Path) -> None:
    with loading(tmp_path, dsn(tmp_path), "orders", key=("customer",)) as loads:
        with pytest.raises(InputError, match="is not unique by its key customer"):
            loads.load()
        assert loads.con.execute(
            "select count(*) from duckdb_tables() where schema_name = 'raw'"
        ).fetchone() == (0,)
