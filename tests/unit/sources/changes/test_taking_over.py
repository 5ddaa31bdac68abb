"""What was followed, read otherwise, left out, dropped or made anew between loads: rows equal the source's again."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evervalue.core.errors import InputError, SourceUnavailable
from evervalue.core.progress import Silent
from evervalue.sources import raw_zone
from evervalue.sources.changes.postgres_follow import PostgresChanges
from evervalue.sources.changes.postgres_stream import Stream
from evervalue.sources.changes.wanted import Wanted
from evervalue.sources.databases.connection import Address
from evervalue.sources.databases.feed import TableFeed
from evervalue.warehouse.duckdb import connect
from tests.support.postgres import Postgres
from tests.support.sources import Warehouse

NAME = "taking_over"


class Shop:
    """A database and a warehouse that reads its table `orders`."""

    def __init__(self, postgres: Postgres, folder: Path) -> None:
        self.postgres, self.warehouse = postgres, Warehouse(folder)
        self.sql("create table orders (id int primary key, placed date, who text, amount numeric(10,2))")
        self.sql("insert into orders select g, '2025-01-01', 'c' || g, g from generate_series(1, 5) as g")

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        return self.postgres.execute(statement, NAME)

    def load(self, capture: str = "changes", **options: Any) -> Any:
        settings = {
            "kind": "postgres", "connection": "${TAKING_DSN}", "capture": capture,
            "tables": {"orders": {**({"cursor": "id"} if capture == "cursor" else {}), **options.pop("table", {})},
                **options.pop("tables", {})},
            "outputs": {"lines": {"from": "orders", "provides": "order_lines", "columns": {
                "order_id": "id", "ordered_at": "placed", "customer_id": "who", "amount": "amount"}}}
                | options.pop("outputs", {}),
        }  # fmt: skip
        return self.warehouse.load_all({"shop": settings}, **options)

    def assert_equal(self, columns: str = "id, who, amount") -> None:
        source = sorted(self.sql(f"select {columns} from orders"))
        assert sorted(self.warehouse.rows(f'select {columns} from raw."shop.orders"')) == source
        assert sorted(self.warehouse.mapped("order_id::int, customer_id, amount")) == sorted(
            self.sql("select id, who, amount from orders")
        )


@pytest.fixture
def shop(postgres: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    monkeypatch.setenv("TAKING_DSN", postgres.fresh_database(NAME))
    yield Shop(postgres, tmp_path)
    postgres.fresh_database(NAME)


@pytest.mark.parametrize("between", ["snapshot", "cursor"])
def test_changes_are_taken_up_again_after_another_way_of_reading(shop: Shop, between: str) -> None:
    shop.load()
    shop.sql("update orders set amount = 10 where id = 1; delete from orders where id = 2")
    shop.load(between, full_refresh=between == "cursor")
    shop.assert_equal()
    shop.sql(
        "update orders set amount = 11 where id = 1; insert into orders values (6, '2025-01-02', 'c6', 6)"
    )
    shop.sql("delete from orders where id = 3; insert into orders values (2, '2025-01-02', 'c2', 22)")
    shop.load(between, full_refresh=between == "cursor")
    shop.assert_equal()
    shop.load()
    shop.assert_equal()
    shop.sql("update orders set amount = 12 where id = 1; delete from orders where id = 6")
    shop.load()
    shop.assert_equal()


def test_a_table_that_was_left_out_of_the_settings_is_read_again(shop: Shop) -> None:
    shop.sql("create table others (id int primary key, n int); insert into others values (1, 1), (2, 2)")
    columns = {"customer_id": "id", "customer_name": "n"}
    output = {"from": "others", "provides": "customers", "columns": columns}
    both: dict[str, Any] = {"tables": {"others": {}}, "outputs": {"others": output}}
    shop.load(**both)
    shop.load()
    shop.sql("update others set n = 10 where id = 1; delete from others where id = 2")
    shop.load()
    shop.load(**both)
    assert shop.warehouse.rows('select id, n from raw."shop.others"') == [(1, 10)]


def test_rows_of_a_table_that_was_dropped_do_not_come_into_its_successor(shop: Shop) -> None:
    shop.load()
    shop.sql("insert into orders values (7, '2025-01-02', 'gone', 7)")
    shop.sql("drop table orders")
    shop.sql("create table orders (id int primary key, placed date, who text, amount numeric(10,2))")
    shop.sql("insert into orders values (1, '2025-01-02', 'new', 1)")
    shop.load()
    shop.assert_equal()


def test_rows_of_a_table_that_was_renamed_do_not_come_into_its_successor(shop: Shop) -> None:
    shop.load()
    shop.sql("insert into orders values (7, '2025-01-02', 'gone', 7)")
    shop.sql("alter table orders rename to orders_old")
    shop.sql("create table orders (id int primary key, placed date, who text, amount numeric(10,2))")
    shop.sql("insert into orders values (1, '2025-01-02', 'new', 1)")
    shop.load()
    shop.sql("insert into orders_old values (9, '2025-01-02', 'old', 7)")
    shop.load()
    shop.assert_equal()


def test_a_table_made_anew_under_a_publication_of_all_tables(shop: Shop) -> None:
    shop.sql("create publication evervalue_shop for all tables")
    shop.load()
    shop.sql("drop table orders")
    shop.sql("create table orders (id int primary key, placed date, who text, amount numeric(10,2))")
    shop.sql("insert into orders values (1, '2025-01-02', 'new', 1)")
    shop.load()
    shop.assert_equal()


def test_another_key_of_a_followed_table(shop: Shop) -> None:
    shop.sql("alter table orders alter who set not null; alter table orders add unique (who)")
    shop.sql("alter table orders replica identity full")
    shop.load()
    with pytest.raises(InputError, match="filled under the key .*--full-refresh"):
        shop.load(table={"key": ["who"]})
    shop.load(table={"key": ["who"]}, full_refresh=True)
    shop.assert_equal()
    shop.sql("update orders set amount = 99 where id = 1")
    shop.load(table={"key": ["who"]})
    shop.assert_equal()


def test_a_table_named_twice(shop: Shop) -> None:
    columns = {"customer_id": "id", "customer_name": "who"}
    output = {"from": "again", "provides": "customers", "columns": columns}
    twice: dict[str, Any] = {"tables": {"again": {"table": "public.orders"}}, "outputs": {"others": output}}
    with pytest.raises(InputError, match="are one table, public.orders"):
        shop.load(**twice)


def test_a_publication_of_some_rows(shop: Shop) -> None:
    shop.sql("create publication evervalue_shop for table orders where (id > 2)")
    with pytest.raises(SourceUnavailable, match=r"rows of .*orders.* with \(id > 2\) alone"):
        shop.load()


def test_ranges_of_a_key_that_is_sorted_otherwise(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """9 is before 10 as a number and behind it as text, so ranges of the one hold rows of several of the other."""
    defaults = TableFeed.__init__.__kwdefaults__ or {}
    monkeypatch.setitem(defaults, "range_rows", 7)
    shop.sql("insert into orders select g, '2025-01-01', 'c' || g, g from generate_series(6, 120) as g")
    shop.load("snapshot")
    assert shop.warehouse.rows("select count(*) from raw.files")[0][0] > 10
    shop.sql("alter table orders alter id type text")
    for _ in range(2):
        shop.load("snapshot")
        assert shop.warehouse.rows('select id::varchar from raw."shop.orders" order by 1') == sorted(
            shop.sql("select id from orders")
        )
        assert shop.warehouse.rows("select count(*) from mapped.order_lines") == [(120,)]


def test_a_run_beside_somebody_elses_stream_is_refused(
    shop: Shop, postgres: Postgres, tmp_path: Path
) -> None:
    """Two projects on one slot, and a table that the process which follows does not know."""
    shop.load()
    other = Shop.__new__(Shop)
    other.postgres, other.warehouse = postgres, Warehouse(tmp_path / "other")
    other.warehouse.folder.mkdir()
    shop.sql("insert into orders values (6, '2025-01-02', 'c6', 6)")
    other.load()
    shop.sql("insert into orders values (7, '2025-01-02', 'c7', 7)")
    other.load()
    follower = PostgresChanges(
        "shop", Address("sources.shop", postgres.dsn(NAME)), {"shop.orders": Wanted("orders")}, temp=tmp_path,
        progress=Silent(),
    )  # fmt: skip
    with raw_zone.transaction(other.warehouse.con):
        follower.open(other.warehouse.con, run_id="w", full_refresh=False, commit=lambda: None)
    try:
        other.load()
        with pytest.raises(SourceUnavailable, match="Give every project a slot of its own"):
            shop.load()
        more = {"others": {"from": "others", "provides": "customers", "columns": {"customer_id": "id"}}}
        shop.sql("create table others (id int primary key)")
        with pytest.raises(SourceUnavailable, match="shop.others is not among the tables that are followed"):
            other.load(tables={"others": {}}, outputs=more)
    finally:
        follower.close()


def test_a_slot_that_was_just_let_go_is_waited_for(shop: Shop) -> None:
    shop.load()
    address, name = Address("sources.shop", shop.postgres.dsn(NAME)), "evervalue_shop"
    first = Stream(address, name, name, 0)
    later = threading.Timer(0.5, first.close)
    later.start()
    Stream(address, name, name, 0).close()
    later.join()


def test_partitions_that_come_and_go_with_their_rows(shop: Shop) -> None:
    shop.sql(
        "create table parted (like orders including all) partition by range (id);"
        "create table low partition of parted for values from (0) to (3);"
        "create table high partition of parted for values from (3) to (100);"
        "insert into parted select * from orders; drop table orders; alter table parted rename to orders"
    )
    shop.load()
    shop.assert_equal()
    shop.sql(
        "alter table orders detach partition low; create table more (like orders including all);"
        "insert into more values (250, '2025-01-01', 'x', 1);"
        "alter table orders attach partition more for values from (200) to (300)"
    )
    shop.load()
    shop.assert_equal()
    shop.sql("update orders set amount = 9; insert into orders values (251, '2025-01-01', 'y', 1)")
    shop.load()
    shop.assert_equal()


def test_a_publication_that_names_partitions_is_refused_with_the_mend(shop: Shop) -> None:
    shop.sql(
        "alter table orders rename to plain;"
        "create table parted (like plain including all) partition by range (id);"
        "create table low partition of parted for values from (0) to (1000);"
        "insert into parted select * from plain; alter table parted rename to orders;"
        "create publication evervalue_shop for table orders"
    )
    with pytest.raises(SourceUnavailable, match="publish_via_partition_root = true") as error:
        shop.load()
    mend = str(error.value).split("run: ")[1].split(";")[0]
    shop.sql(mend)
    shop.load()
    shop.assert_equal()


def test_a_warehouse_set_back_to_an_older_copy_is_refused_with_the_mend(shop: Shop, tmp_path: Path) -> None:
    shop.load()
    con = shop.warehouse.con
    (own,) = con.execute("select current_database()").fetchone() or ("",)
    con.execute(f"attach '{tmp_path / 'older.duckdb'}' as older")
    con.execute(f"copy from database {own} to older")
    con.execute("detach older")
    shop.sql("update orders set amount = 77 where id = 1; delete from orders where id = 2")
    shop.load()
    shop.warehouse.con = connect(tmp_path / "older.duckdb")
    with pytest.raises(SourceUnavailable, match=r"Changes between the two are lost.*--full-refresh"):
        shop.load()
    shop.load(full_refresh=True)
    shop.assert_equal()


def test_a_new_warehouse_beside_the_slot_of_the_old_one(shop: Shop) -> None:
    shop.load()
    shop.sql("update orders set amount = 77 where id = 1; delete from orders where id = 2")
    shop.warehouse.con = connect()
    try:
        shop.load()
    except SourceUnavailable as error:
        assert "--full-refresh" in str(error) or "pg_drop_replication_slot" in str(error)  # noqa: PT017
        shop.load(full_refresh=True)
    shop.assert_equal()
    shop.sql("insert into orders values (9, '2025-01-02', 'z', 5)")
    shop.load()
    shop.assert_equal()


def test_what_is_looked_up_in_a_followed_table_follows_it(shop: Shop) -> None:
    shop.sql("create table people (who text primary key, name text); insert into people values ('c1', 'Ada')")
    named = {
        "named": {
            "from": "orders", "lookups": {"people": {"who": "who"}},
            "columns": {
                "order_id": "id", "ordered_at": "placed", "customer_id": "who", "customer_name": "people.name",
                "amount": "amount",
            },
        }
    }  # fmt: skip
    names = (
        "select customer_name from mapped.order_lines where source = 'shop.named' "
        "and order_id in ('1', '3') order by 1"
    )
    shop.load(tables={"people": {}}, outputs=named)
    assert shop.warehouse.rows(names) == [("Ada",), (None,)]
    shop.sql("update people set name = 'Eve' where who = 'c1'; insert into people values ('c3', 'Bob')")
    shop.load(tables={"people": {}}, outputs=named)
    assert shop.warehouse.rows(names) == [("Bob",), ("Eve",)]
    shop.sql("delete from people where who = 'c1'")
    shop.load(tables={"people": {}}, outputs=named)
    assert shop.warehouse.rows(names) == [("Bob",), (None,)]
