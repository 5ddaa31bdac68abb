"""What can be wrong with a database, and what is said of it: what, where, and the mend; never a password."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from evervalue.core.errors import EvervalueError, MissingColumns, SettingsError, SourceUnavailable
from evervalue.sources.databases.connection import Address, address
from tests.support.table_feeds import WHERE, loading, reader_of
from tests.support.unprivileged import free_port

if TYPE_CHECKING:
    from tests.support.mariadb import MariaDB
    from tests.support.postgres import Postgres

SECRET = "hunter2 is/secret"


def refused(dsn: str, table: str = "orders") -> str:
    """What is said when the table is looked at."""
    reader = reader_of(dsn)
    with pytest.raises(EvervalueError) as caught:
        reader.describe(table)
    reader.close()
    said = str(caught.value)
    assert said.startswith("sources.shop")
    for secret in ("hunter2", "a secret of the tests", "a%20secret"):
        assert secret not in said
    return said


@pytest.fixture(scope="module")
def pg(postgres: Postgres) -> Postgres:
    postgres.fresh_database("shop")
    postgres.execute(
        "create table orders (id int primary key, amount numeric(12, 2)); insert into orders values (1, 1.5);"
        'create table "Order Details" (id int primary key); create schema erp; create table erp.costs (id int)',
        "shop",
    )
    postgres.fresh_user("nobody_special")
    return postgres


@pytest.fixture(scope="module")
def my(mariadb: MariaDB) -> MariaDB:
    mariadb.fresh_database("shop")
    mariadb.execute("create table orders (id int primary key); insert into orders values (1)", "shop")
    mariadb.fresh_user("nobody_special")
    return mariadb


def test_postgres_wrong_password(pg: Postgres) -> None:
    assert refused(pg.dsn("shop", password=SECRET)) == (
        'sources.shop: the database does not let us in (password authentication failed for user "postgres"). Check the '
        "user and the password in sources.shop.connection; in a URL, @ / # : in a password are written with %."
    )


def test_postgres_no_database(pg: Postgres) -> None:
    assert refused(pg.dsn("shpo")) == (
        'sources.shop: database "shpo" does not exist. The server answers, but has no such database; check the name at '
        "the end of sources.shop.connection."
    )


def test_postgres_unreachable(pg: Postgres) -> None:
    said = refused(pg.dsn("shop").replace(f":{pg.port}/", f":{free_port()}/"))
    assert "the database cannot be reached (" in said
    assert "Check host and port in sources.shop.connection" in said
    assert "the host is not known" in refused(f"postgresql://u:{SECRET.split()[0]}@nowhere.invalid/shop")


def test_postgres_nonsense(pg: Postgres) -> None:
    assert "cannot be understood" in refused("postgresql://u:hunter2@h:port/shop")
    assert "cannot be understood" in refused("postgresql://u:hunter2@h/shop?colour=blue")


def test_postgres_no_rights(pg: Postgres) -> None:
    assert refused(pg.dsn("shop", "nobody_special")) == (
        "sources.shop: the user nobody_special may not read public.orders. Let an administrator run: "
        'GRANT SELECT ON "public"."orders" TO "nobody_special";'
    )
    assert 'GRANT USAGE ON SCHEMA "erp" TO "nobody_special";' in refused(
        pg.dsn("shop", "nobody_special"), "erp.costs"
    )


def test_postgres_no_table(pg: Postgres) -> None:
    assert refused(pg.dsn("shop"), "public.ordres") == (
        "sources.shop: the database shop has no table public.ordres (did you mean 'public.orders'?), or the user "
        "postgres may not see it. Name it with its schema, as it is written there, capital letters too."
    )
    assert "did you mean 'public.Order Details'" in refused(pg.dsn("shop"), "order_details")


def test_postgres_table_dropped_while_it_is_read(pg: Postgres, tmp_path: Path) -> None:
    """The snapshot is older than the drop, but PostgreSQL keeps no table for it."""
    pg.execute("create table gone (id int primary key); insert into gone values (1)", "shop")
    reader = reader_of(pg.dsn("shop"))
    reader.open()
    table = reader.describe("orders")
    pg.execute("drop table gone", "shop")
    with pytest.raises(SourceUnavailable, match="has no table gone"):
        reader.describe("gone")
    assert reader.count(table) == 1
    reader.close()


def test_postgres_a_mapped_column_is_dropped(pg: Postgres, tmp_path: Path) -> None:
    pg.execute("create table shrunk (id int primary key, v text, w text)", "shop")
    with loading(tmp_path, pg.dsn("shop"), "shrunk", wanted={"columns.amount": "v"}) as loads:
        loads.load()
        pg.execute("alter table shrunk drop v", "shop")
        with pytest.raises(MissingColumns, match=r"public.shrunk lacks the column 'v' \(columns.amount\)"):
            loads.load()
        assert loads.types() == {"id": "INTEGER", "v": "VARCHAR", "w": "VARCHAR"}  # nothing was changed


def test_postgres_changes_that_cannot_be_captured(pg: Postgres) -> None:
    pg.execute("create table keyless (n int); grant select on keyless to nobody_special", "shop")
    reader = reader_of(pg.dsn("shop", "nobody_special"))
    with pytest.raises(SourceUnavailable) as caught:
        reader.check("keyless", changes=True)
    reader.close()
    assert 'the user nobody_special may not replicate: ALTER ROLE "nobody_special" REPLICATION;' in str(
        caught.value
    )
    assert "public.keyless has no primary key" in str(caught.value)


def test_postgres_check_says_what_is_there(pg: Postgres) -> None:
    reader = reader_of(pg.dsn("shop"))
    said = reader.check("orders", changes=True)
    reader.close()
    assert said[0].startswith("PostgreSQL 18")
    assert said[1].startswith("public.orders: 2 columns, key id")
    assert said[-1] == "its changes can be captured"


def test_postgres_some_columns_are_hidden(pg: Postgres, tmp_path: Path) -> None:
    pg.execute(
        "create table partly (id int primary key, salary int, name text); insert into partly values (1, 2, 'x');"
        "grant select (id, name) on partly to nobody_special",
        "shop",
    )
    with loading(tmp_path, pg.dsn("shop", "nobody_special"), "partly") as loads:
        done = loads.load()
        assert "may not read salary of public.partly; the other columns are read" in done.report.said[0]
        assert loads.rows() == [(1, "x")]


def test_postgres_row_level_security_is_told(pg: Postgres, tmp_path: Path) -> None:
    pg.execute(
        "create table tenants (id int primary key, who text); insert into tenants values (1, 'a'), (2, 'b');"
        "alter table tenants enable row level security; create policy p on tenants using (who = 'a');"
        "grant select on tenants to nobody_special",
        "shop",
    )
    with loading(tmp_path, pg.dsn("shop", "nobody_special"), "tenants") as loads:
        assert (
            "row level security of public.tenants shows the user nobody_special some rows only"
            in (loads.load().report.said[0])
        )


def test_mariadb_wrong_password(my: MariaDB) -> None:
    said = refused(my.dsn("shop", password=SECRET))
    assert said.startswith("sources.shop: the database does not let us in (Access denied for user 'root'")


def test_mariadb_no_database_no_table_no_rights(my: MariaDB) -> None:
    assert "Unknown database 'shpo'. The server answers, but has no such database" in refused(my.dsn("shpo"))
    assert "the database shop has no table ordres (did you mean 'orders'?)" in refused(
        my.dsn("shop"), "ordres"
    )
    said = refused(my.dsn("", "nobody_special"), "shop.orders")
    assert "GRANT SELECT ON `shop`.`orders` TO nobody_special;" in said
    assert "Access denied for user 'nobody_special'@'%' to database 'shop'" in refused(
        my.dsn("shop", "nobody_special")
    )


def test_mariadb_unreachable(my: MariaDB) -> None:
    said = refused(my.dsn("shop").replace(f":{my.port}/", f":{free_port()}/"))
    assert "the database cannot be reached (Can't connect to MySQL server" in said
    assert "the host is not known" in refused("mysql://u:hunter2@nowhere.invalid/shop")


def test_mariadb_changes_that_cannot_be_captured(my: MariaDB) -> None:
    my.execute("create table keyless (n int); grant select on shop.* to nobody_special", "shop")
    reader = reader_of(my.dsn("shop", "nobody_special"))
    with pytest.raises(SourceUnavailable) as caught:
        reader.check("keyless", changes=True)
    reader.close()
    said = str(caught.value)
    assert "may not follow the log: GRANT REPLICATION SLAVE ON *.* TO nobody_special@%;" in said
    assert "shop.keyless has no primary key" in said
    reader = reader_of(my.dsn("shop"))
    assert reader.check("orders", changes=True)[-1] == "its changes can be captured"
    reader.close()


def test_a_variable_that_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SHOP_DSN", raising=False)
    monkeypatch.setenv("SHOP_PASSWORD", "hunter2")
    with pytest.raises(SettingsError) as caught:
        address("${SHOP_DSN}", WHERE)
    assert "sources.shop.connection names ${SHOP_DSN}, which the environment does not set" in str(
        caught.value
    )
    assert address("postgresql://u:${SHOP_PASSWORD}@h/d", WHERE).text == "postgresql://u:hunter2@h/d"


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://u:hunter2@h/d",
        "postgresql://u:hunter%32@h/d",
        "postgresql://u:hunter2/#@h/d",
        "host=h user=u password=hunter2 dbname=d",
        "host=h password='hunter2' dbname=d",
        "postgresql://h/d?user=u&password=hunter2",
    ],
)
def test_no_password_is_ever_shown(text: str) -> None:
    found = Address(WHERE, text)
    assert "hunter2" not in found.shown() + repr(found) + found.redacted(f"failed: {text} (hunter2)")
    assert "***" in found.shown()
