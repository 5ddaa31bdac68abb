"""Databases as the settings name them: from evervalue.toml to mapped rows, again and again."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from evervalue.core.errors import InputError, SettingsError, SourceUnavailable
from evervalue.sources.feeds import feeds_of
from evervalue.sources.systems import system
from tests.support.sources import Warehouse

if TYPE_CHECKING:
    from tests.support.mariadb import MariaDB
    from tests.support.postgres import Postgres

TABLES = """
create table customers (id int primary key, name varchar(40), region varchar(10));
create table orders (id int primary key, customer int, placed date, status varchar(10));
create table items (
    order_id int, nr int, product varchar(10), quantity int, price decimal(10, 2), primary key (order_id, nr));
insert into customers values (1, 'Ada', 'north'), (2, 'Bob', null);
insert into orders values (10, 1, '2025-01-01', 'won'), (11, 2, '2025-01-02', 'lost'), (12, 2, '2025-01-03', 'won');
insert into items values (10, 1, 'x', 2, 1.50), (10, 2, 'y', 1, 4.00), (11, 1, 'x', 1, 1.50), (12, 1, 'z', 3, 0.10);
"""


def shop(kind: str) -> dict[str, Any]:
    return {
        "kind": kind,
        "connection": "${SHOP_DSN}",
        "tables": {"customers": {}, "orders": {}, "lines": {"table": "items"}},
        "outputs": {
            "lines": {
                "from": "lines",
                "lookups": {"orders": {"order_id": "id"}, "customers": {"orders.customer": "id"}},
                "only": {"column": "orders.status", "in": ["won"]},
                "columns": {
                    "order_id": "order_id",
                    "ordered_at": "orders.placed",
                    "customer_id": "orders.customer",
                    "customer_name": "customers.name",
                    "product_id": "product",
                    "quantity": "quantity",
                    "unit_price": "price",
                },
            }
        },
    }


def check(warehouse: Warehouse, kind: str, execute: Any) -> None:
    report = warehouse.load_all({"shop": shop(kind)})
    columns = "order_id, customer_id, customer_name, amount"
    assert warehouse.mapped(columns) == [
        ("10", "1", "Ada", Decimal("3.0000")),
        ("10", "1", "Ada", Decimal("4.0000")),
        ("12", "2", "Bob", Decimal("0.3000")),
    ]
    assert report.sources["shop.lines"].rows_set_aside == 1
    assert not warehouse.load_all({"shop": shop(kind)}).changed
    execute("update orders set status = 'won' where id = 11; update items set price = 2 where nr = 2")
    warehouse.load_all({"shop": shop(kind)})
    assert sorted(warehouse.mapped(columns)) == [
        ("10", "1", "Ada", Decimal("2.0000")),
        ("10", "1", "Ada", Decimal("3.0000")),
        ("11", "2", "Bob", Decimal("1.5000")),
        ("12", "2", "Bob", Decimal("0.3000")),
    ]
    assert warehouse.rows('select count(*) from raw."shop.lines~past"') == [(1,)]


def test_postgres_from_settings_to_mapped_rows(
    postgres: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_DSN", postgres.fresh_database("shop"))
    postgres.execute(TABLES, "shop")
    check(Warehouse(tmp_path), "postgres", lambda sql: postgres.execute(sql, "shop"))


def test_mariadb_from_settings_to_mapped_rows(
    mariadb: MariaDB, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_DSN", mariadb.fresh_database("shop"))
    mariadb.execute(TABLES, "shop")
    check(Warehouse(tmp_path), "mysql", lambda sql: mariadb.execute(sql, "shop"))


def test_sqlite_from_settings_to_mapped_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sqlite3
    from contextlib import closing

    monkeypatch.setenv("SHOP_DSN", f"sqlite:///{tmp_path / 'shop.db'}")
    with closing(sqlite3.connect(tmp_path / "shop.db", isolation_level=None)) as con:
        con.executescript(TABLES)
        check(Warehouse(tmp_path), "sql", con.executescript)


def test_each_feed_says_what_is_there(
    postgres: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_DSN", postgres.fresh_database("shop"))
    postgres.execute(TABLES, "shop")
    feeds = feeds_of(system("shop", shop("postgres")))
    assert list(feeds) == ["shop.customers", "shop.orders", "shop.lines"]
    assert "public.items: 5 columns, key order_id, nr" in feeds["shop.lines"].check(tmp_path)
    postgres.execute("drop table orders", "shop")
    with pytest.raises(SourceUnavailable, match="has no table orders"):
        feeds["shop.orders"].check(tmp_path)
    assert "public.items" in feeds["shop.lines"].check(tmp_path)


def test_a_failure_leaves_everything_as_it_was(
    postgres: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_DSN", postgres.fresh_database("shop"))
    postgres.execute(TABLES, "shop")
    warehouse = Warehouse(tmp_path)
    warehouse.load_all({"shop": shop("postgres")})
    before = warehouse.mapped("*")
    postgres.execute("update customers set name = 'Eve'; alter table items drop product", "shop")
    with pytest.raises(InputError, match=r"public.items lacks the column 'product'"):
        warehouse.load_all({"shop": shop("postgres")})
    assert warehouse.mapped("*") == before
    assert warehouse.rows('select name from raw."shop.customers" order by id') == [("Ada",), ("Bob",)]


def test_a_variable_that_is_not_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SHOP_DSN", raising=False)
    with pytest.raises(SettingsError, match=r"sources.shop.connection names \$\{SHOP_DSN\}"):
        Warehouse(tmp_path).load_all({"shop": shop("postgres")})


def test_from_snapshots_to_changes_and_back(
    postgres: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each way of reading takes over all rows from the other: none is lost, none is there twice."""
    monkeypatch.setenv("SHOP_DSN", postgres.fresh_database("shop"))
    postgres.execute(TABLES, "shop")
    warehouse = Warehouse(tmp_path)
    for capture in ("snapshot", "changes", "snapshot"):
        warehouse.load_all({"shop": {**shop("postgres"), "capture": capture}})
        assert warehouse.rows("select count(*), sum(amount) from mapped.order_lines") == [
            (3, Decimal("7.3000"))
        ]
        for table, rows in (("customers", 2), ("orders", 3), ("lines", 4)):
            assert warehouse.rows(f'select count(*) from raw."shop.{table}"') == [(rows,)]
            read = f"select sum(rows_read) from raw.files where source = 'shop.{table}' and status = 'loaded'"
            assert warehouse.rows(read) == [(rows,)]


def test_a_table_that_may_be_missing_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sqlite3

    monkeypatch.setenv("SHOP_DSN", f"sqlite:///{tmp_path / 'shop.sqlite'}")
    con = sqlite3.connect(tmp_path / "shop.sqlite")
    con.executescript(TABLES + "drop table customers;")
    con.close()
    warehouse = Warehouse(tmp_path)
    told = shop("sql")
    told["tables"]["customers"] = {"optional": True}
    told["outputs"]["lines"]["optional"] = ["customer_name"]
    report = warehouse.load_all({"shop": told})
    assert len(warehouse.mapped("amount")) == 3
    assert any("shop.customers is left out" in says for says in report.warnings)
    told["tables"]["customers"] = {}
    with pytest.raises(SourceUnavailable, match="customers"):
        warehouse.load_all({"shop": told})
