"""Tables, keys and times that are not usual: read as they are there, or refused with what mends it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from evervalue.core.errors import InputError, SourceUnavailable
from tests.support.sources import Warehouse
from tests.support.table_feeds import loading

if TYPE_CHECKING:
    from tests.support.mariadb import MariaDB
    from tests.support.postgres import Postgres

ROWS = "create table t (id int primary key, v text); insert into t select g, 'v' || g from generate_series(1, 10) as g;"
VIEW = "create view it as select * from (values (1, 2), ({}, 3)) as v (a, b)"
CHANGES = "update t set v = 'x' where id = 3; delete from t where id = 4; insert into t values (20, null)"


@pytest.mark.parametrize(
    ("made", "key", "refresh"),
    [
        ("create view it as select * from t", (), ""),
        ("create view it as select * from t", ("id",), ""),
        ("create materialized view it as select * from t", (), ";refresh materialized view it"),
        (
            "create materialized view it as select * from t; create unique index on it (id)",
            (),
            ";refresh materialized view it",
        ),
    ],
    ids=["view", "view with key", "materialised", "materialised with index"],
)
def test_views_are_read_like_tables(
    postgres: Postgres, tmp_path: Path, made: str, key: tuple[str, ...], refresh: str
) -> None:
    dsn = postgres.fresh_database("unusual")
    postgres.execute(ROWS + made, "unusual")
    with loading(tmp_path, dsn, "it", range_rows=3, key=key) as loads:
        loads.load()
        postgres.execute(CHANGES + refresh, "unusual")
        loads.load()
        assert loads.rows("id, v") == sorted(postgres.execute("select id, v from t", "unusual"))
        assert not loads.load().brought.changed


@pytest.mark.parametrize(
    ("made", "key", "says"),
    [
        (VIEW.format(1), ("a",), "1 row too many, for example of 1"),
        (VIEW.format("null"), ("a",), "1 row of public.it have nothing"),
        (VIEW.format("null"), ("b", "a"), "nothing in a column of the key"),
        (
            (
                "create table it (a int primary key, b int); create table child () inherits (it);"
                "insert into it values (1, 2); insert into child values (1, 3)"
            ),
            (),
            "is not unique by its key a",
        ),
        ("create table it (a int, _op int)", (), "'_op', a name that the raw zone uses"),
    ],
    ids=["repeated", "empty", "partly empty", "inherited", "own name"],
)  # fmt: skip
def test_keys_that_are_none_are_refused(
    postgres: Postgres, tmp_path: Path, made: str, key: tuple[str, ...], says: str
) -> None:
    dsn = postgres.fresh_database("unusual")
    postgres.execute(made, "unusual")
    with loading(tmp_path, dsn, "it", key=key) as loads, pytest.raises(InputError, match=says):
        loads.load()


def test_a_table_without_columns_is_refused(postgres: Postgres, tmp_path: Path) -> None:
    dsn = postgres.fresh_database("unusual")
    postgres.execute("create table it ()", "unusual")
    with loading(tmp_path, dsn, "it") as loads, pytest.raises(SourceUnavailable, match="has no columns"):
        loads.load()


def test_an_inherited_table_is_read_with_the_rows_of_its_children(postgres: Postgres, tmp_path: Path) -> None:
    dsn = postgres.fresh_database("unusual")
    postgres.execute(
        f"{ROWS} create table child (more int) inherits (t); insert into child values (30, 'child', 1)",
        "unusual",
    )
    with loading(tmp_path, dsn, "t", range_rows=3) as loads:
        loads.load()
        postgres.execute("update child set v = 'changed'; truncate only t", "unusual")
        loads.load()
        assert loads.rows("id, v") == [(30, "changed")]


def test_names_with_dots_blanks_quotes_and_many_letters(postgres: Postgres, tmp_path: Path) -> None:
    dsn = postgres.fresh_database("unusual")
    long = "ä" * 31 + "x"
    table = '"My.Shop x"."Or.ders ""q"""'
    postgres.execute(
        f'create schema "My.Shop x"; create table {table} ("Id.n" int primary key, "select" int, "a""b" text, '
        f'"{long}" int);'
        f"insert into {table} values (1, 1, 'x', 1), (2, 1, '', 2)",
        "unusual",
    )
    with loading(tmp_path, dsn, 'My.Shop x.Or.ders "q"') as loads:
        loads.load()
        postgres.execute(f'update {table} set "select" = 9 where "Id.n" = 2', "unusual")
        loads.load()
        assert loads.rows(f'"Id.n", "select", "a""b", "{long}"') == [(1, 1, "x", 1), (2, 9, "", 2)]
    (tmp_path / "quoted").mkdir()
    with (
        loading(tmp_path / "quoted", dsn, '"Order"') as loads,
        pytest.raises(SourceUnavailable, match="as it is written there, capital letters too"),
    ):
        loads.load()


def test_a_table_that_was_empty_at_first(postgres: Postgres, tmp_path: Path) -> None:
    dsn = postgres.fresh_database("unusual")
    postgres.execute("create table it (id int primary key, n numeric(10,2), d date)", "unusual")
    with loading(tmp_path, dsn, "it") as loads:
        loads.load()
        assert loads.rows("id") == []
        postgres.execute("insert into it values (1, 1.5, '2024-02-29')", "unusual")
        loads.load()
        assert [str(cell) for cell in loads.rows("id, n, d")[0]] == ["1", "1.50", "2024-02-29"]


@pytest.mark.parametrize("kind", ["postgres", "mysql"])
@pytest.mark.parametrize("capture", ["snapshot", "changes"])
def test_times_around_the_change_of_clocks(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, capture: str
) -> None:
    """An hour that comes twice is taken for the second, one that is left out for the one behind it."""
    server: Any = request.getfixturevalue("postgres" if kind == "postgres" else "mariadb")
    monkeypatch.setenv("CLOCKS", server.fresh_database("clocks"))
    plain, zoned = ("timestamp", "timestamptz") if kind == "postgres" else ("datetime", "timestamp")
    server.execute(
        f"create table t (id int primary key, w {plain}, z {zoned}, who text, amount numeric(10,2))", "clocks"
    )
    zone = "set timezone = 'UTC'" if kind == "postgres" else "set time_zone = '+00:00'"
    server.execute(
        f"{zone}; insert into t values (1, '2026-03-29 01:59:59', '2026-03-29 00:59:59', 'c', 1),"
        "(2, '2026-03-29 02:30:00', '2026-03-29 01:00:00', 'c', 1),"
        "(3, '2026-10-25 02:30:00', '2026-10-25 00:30:00', 'c', 1),"
        "(4, '2026-10-25 00:10:00', '2026-10-25 01:30:00', 'c', 1)",
        "clocks",
    )
    wanted = {
        "w": ["2026-03-29 00:59:59", "2026-03-29 01:30:00", "2026-10-25 01:30:00", "2026-10-24 22:10:00"],
        "z": ["2026-03-29 00:59:59", "2026-03-29 01:00:00", "2026-10-25 00:30:00", "2026-10-25 01:30:00"],
    }
    warehouse = Warehouse(tmp_path)
    try:
        for column, instants in wanted.items():
            settings = {
                "kind": kind, "connection": "${CLOCKS}", "capture": capture, "table": "t", "provides": "order_lines",
                "columns": {"order_id": "id", "ordered_at": column, "customer_id": "who", "amount": "amount"},
            }  # fmt: skip
            warehouse.load_all({"s": settings}, time_zone="Europe/Berlin")
            found = warehouse.rows("select ordered_at::varchar from mapped.order_lines order by order_id")
            assert [row[0] for row in found] == instants
    finally:
        warehouse.con.close()
        server.fresh_database("clocks")


def test_text_keys_of_any_collation(mariadb: MariaDB, tmp_path: Path) -> None:
    dsn = mariadb.fresh_database("unusual")
    mariadb.execute(
        "create table t (a varchar(9) collate utf8mb4_general_ci, b varchar(9) collate utf8mb4_bin, "
        "c char(3) character set latin1, n int, primary key (a, b, c));"
        "insert into t select if(seq % 2, 'a', 'B'), concat('b', seq % 3), 'ü', seq from seq_1_to_6;"
        "insert into t values ('', '', '', 0), ('É', 'x', 'z', 8), ('ß', 'x ', 'z', 8), ('e\\t', 'x', 'z', 8)",
        "unusual",
    )
    with loading(tmp_path, dsn, "t", range_rows=3) as loads:
        loads.load()
        mariadb.execute(
            "update t set n = n + 1 where n > 2; update t set a = 'A' where b = 'b1' and a = 'a'", "unusual"
        )
        loads.load()
        rows = mariadb.execute("select a, b, c, n from t", "unusual")
        assert sorted(loads.rows("a, b, c, n")) == sorted(rows)
