"""What was followed, read otherwise, left out, dropped or made anew between loads: rows equal the source's again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evervalue.core.errors import InputError, SourceUnavailable
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
    both: dict[str, Any] = {"tables": {"others": {}}, "outputs": {"others": {"from": "others", "provides": "customers", "columns": {
        "customer_id": "id", "customer_name": "n"}}}}  # fmt: skip
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
    twice: dict[str, Any] = {"tables": {"again": {"table": "public.orders"}}, "outputs": {"others": {"from": "again", "provides":
        "customers", "columns": {"customer_id": "id", "customer_name": "who"}}}}  # fmt: skip
    with pytest.raises(InputError, match="are one table, public.orders"):
        shop.load(**twice)


def test_a_publication_of_some_rows(shop: Shop) -> None:
    shop.sql("create publication evervalue_shop for table orders where (id > 2)")
    with pytest.raises(SourceUnavailable, match=r"rows of .*orders.* with \(id > 2\) alone"):
        shop.load()
