"""Tables, names and values that are not usual, followed in a real PostgreSQL: as they are there, or refused."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import pytest

from evervalue.core.errors import InputError, SourceUnavailable
from tests.support.postgres import Postgres
from tests.unit.sources.changes.test_postgres import Source


@pytest.fixture
def source(postgres: Postgres, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Source]:
    made = Source(postgres, "odd_" + request.node.name.split("[")[0][5:35], tmp_path)
    yield made
    made.con.close()
    postgres.fresh_database(made.name)


@pytest.mark.parametrize(
    ("made", "says"),
    [
        ("create table t (id int primary key); create view orders as select * from t", "is a view.*follow the tables"),
        (
            "create table t (id int primary key); create materialized view orders as select * from t",
            "is a materialised view.*snapshot",
        ),
        ("create unlogged table orders (id int primary key)", "is unlogged.*SET LOGGED"),
        (
            "create table orders (id int primary key); create table child (x int) inherits (orders)",
            "1 table inherit from public.orders.*snapshot",
        ),
        (
            "create table orders (id int, k int generated always as (id + 1) stored primary key)",
            "has the computed column 'k'",
        ),
        (
            (
                "create table orders (id int primary key, twice int generated always as (id * 2) stored);"
                "create publication {name} for table orders with (publish_generated_columns = stored)"
            ),
            "tells of twice.*publish_generated_columns = none",
        ),
    ],
    ids=["view", "materialised", "unlogged", "inherited", "computed key", "computed published"],
)  # fmt: skip
def test_what_the_stream_cannot_tell_is_refused(source: Source, made: str, says: str) -> None:
    source.sql(made.format(name=source.name))
    with pytest.raises(SourceUnavailable, match=says):
        source.bring()


@pytest.mark.parametrize("name", ["_LSN", "_until_run_id", "_old id"])
def test_names_that_the_raw_zone_uses_are_refused(source: Source, name: str) -> None:
    source.sql(f'create table orders (id int primary key, "{name}" int); insert into orders values (1, 1)')
    with pytest.raises(InputError, match=f"'{name}', a name that the raw zone uses"):
        source.bring()
    source.sql(f'alter table orders drop column "{name}"')
    source.bring()
    source.sql(f'alter table orders add column "{name}" int; insert into orders values (2, 2)')
    with pytest.raises(InputError, match=f"'{name}', a name that the raw zone uses"):
        source.bring()


def test_names_in_any_letters(source: Source) -> None:
    long = "ä" * 31 + "x"
    table = '"My.Shop x"."Or.ders ""q"""'
    source.sql(
        f'create schema "My.Shop x"; create table {table} ("Id.n" int primary key, "select" int, "ä ö" text, '
        f'"a""b" int,'
        f'"{long}" int, "User" text, "," int, "\'" int); insert into {table} values (1, 2, \'x\', 3, 4, \'u\', 5, 6)'
    )
    feed = 'My.Shop x.Or.ders "q"'
    raw = 'raw."shop.My.Shop x.Or.ders ""q"""'
    columns = f'"Id.n", "select", "ä ö", "a""b", "{long}", "User", ",", "\'"'
    source.bring(feed)
    source.sql(
        f"insert into {table} select 2, 2, 'y', 3, 4, 'v', 5, 6; update {table} set \"Id.n\" = 9 where \"Id.n\" = 1"
    )
    source.bring(feed)
    assert source.con.execute(f"select {columns} from {raw} order by 1").fetchall() == [
        (2, 2, "y", 3, 4, "v", 5, 6),
        (9, 2, "x", 3, 4, "u", 5, 6),
    ]
    source.sql(f'alter table {table} add column late int default 4; insert into {table} ("Id.n") values (10)')
    source.bring(feed)
    assert source.con.execute(f'select "Id.n", late from {raw} order by 1').fetchall() == [
        (2, 4),
        (9, 4),
        (10, 4),
    ]


@pytest.mark.parametrize("type", ["date", "timestamp", "timestamptz"])
def test_dates_that_the_engine_would_read_as_others_become_text(source: Source, type: str) -> None:
    """The engine takes 0044-03-15 BC for a day after Christ."""
    source.sql(
        f"create table orders (id int primary key, v {type}, w {type}, x {type}, y {type});"
        "insert into orders values (1, '0001-01-01', '9999-12-31', '2024-02-29', null)"
    )
    source.bring()
    source.sql(
        "insert into orders values (2, '0044-03-15 BC', 'infinity', '12024-02-29', '2026-10-25 02:30')"
    )
    source.bring()
    told = source.server.psql("select v, w, x from orders order by id", source.name)
    assert source.rows("v, w, x") == sorted(map(tuple, told))
    types = dict(
        source.con.execute('select column_name, column_type from (describe raw."shop.orders")').fetchall()
    )
    assert (types["x"], types["y"].partition(" ")[0]) == (
        "VARCHAR",
        "DATE" if type == "date" else "TIMESTAMP",
    )


def test_numbers_that_are_none_and_times_around_the_change_of_clocks(source: Source) -> None:
    source.sql("create table orders (id int primary key, n numeric(12,2), f float8, t timestamptz)")
    source.bring()  # no row yet
    source.sql(
        "set timezone = 'Europe/Berlin'; insert into orders values (1, 'NaN', 'NaN', '2026-03-29 01:59:59'),"
        "(2, 1.5, '-infinity', '2026-03-29 03:00:00'), (3, 2, 0, '2026-10-25 02:30:00+02'),"
        "(4, 2, 0, '2026-10-25 02:30:00+01')"
    )
    source.bring()
    rows = source.rows("id, n, f, t")
    assert [row[1] for row in rows] == ["NaN", "1.50", "2.00", "2.00"]
    assert math.isnan(rows[0][2])
    assert [f"{row[3]:%d %H:%M:%S}" for row in rows] == [
        "29 00:59:59",
        "29 01:00:00",
        "25 00:30:00",
        "25 01:30:00",
    ]


def test_a_column_dropped_and_made_anew_as_it_was_is_read_again(source: Source) -> None:
    """The stream describes the table as before, and its old rows are empty there now."""
    source.sql("create table orders (id int primary key, v int); insert into orders values (1, 1), (2, 2)")
    source.bring()
    source.sql(
        "alter table orders drop column v; alter table orders add column v int; update orders set v = 7 where id = 2"
    )
    source.bring()
    assert source.assert_equal("id, v") == 2
    source.sql(
        "alter table orders drop column v; alter table orders add column v int"
    )  # nothing written since
    source.bring()
    assert source.rows("id, v") == [(1, None), (2, None)]


def test_a_partition_that_was_emptied_is_noticed(source: Source) -> None:
    source.sql(
        "create table orders (id int primary key, n int) partition by range (id);"
        "create table low partition of orders for values from (0) to (10) partition by range (id);"
        "create table lowest partition of low for values from (0) to (5);"
        "create table high partition of orders for values from (10) to (20);"
        "insert into orders values (1, 1), (11, 1)"
    )
    source.bring()
    source.sql("truncate lowest; insert into orders values (12, 1)")
    source.bring()
    assert source.assert_equal("id, n") == 2


def test_a_key_with_nothing_in_it_is_refused(source: Source) -> None:
    source.sql(
        "create table orders (id int unique, n int); alter table orders replica identity full;"
        "insert into orders values (1, 1)"
    )
    source.bring(key=("id",))
    source.sql("insert into orders values (null, 1)")
    with pytest.raises(InputError, match="no value in their key"):
        source.bring(key=("id",))
    source.sql("update orders set id = 2 where id is null")
    with pytest.raises(InputError, match="no value in their key"):
        source.bring(key=("id",))
    source.bring(full_refresh=True, key=("id",))
    assert source.assert_equal("id, n") == 2


@pytest.mark.slow
def test_a_thousand_columns(source: Source) -> None:
    columns = ", ".join(f"c{n} int" for n in range(999))
    source.sql(
        f"create table orders (id int primary key, {columns}); insert into orders (id, c5) values (1, 1)"
    )
    source.bring()
    source.sql("insert into orders (id, c998) values (2, 1); update orders set c0 = 5")
    source.bring()
    assert source.assert_equal("id, c0, c5, c998") == 2
