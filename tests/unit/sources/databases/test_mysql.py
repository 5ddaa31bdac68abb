"""MySQL and MariaDB: ranges, snapshots by one connection or several, what cannot be parted."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from evervalue.core.errors import SettingsError, SourceUnavailable
from evervalue.sources.databases.connection import Address
from evervalue.sources.databases.mysql import MySqlReader
from tests.support.table_feeds import loading

if TYPE_CHECKING:
    from tests.support.mariadb import MariaDB

ORDERS = """
create table orders (
    id bigint primary key, customer varchar(20), placed timestamp null, amount decimal(12, 2), note text);
insert into orders select seq, concat('c', seq % 50), '2025-01-01' + interval seq hour, seq / 100,
    case seq % 5 when 0 then null when 1 then '' when 2 then 'two\nlines, "quoted"' else concat('note ', seq) end
from seq_1_to_3000;
"""
CHECKSUM = "select count(*), sum(id), sum(amount), sum(length(note)), count(note), max(placed) from orders"


def shop(mariadb: MariaDB, statement: str = ORDERS) -> str:
    dsn = mariadb.fresh_database("shop")
    mariadb.execute(statement, "shop")
    return dsn


def test_ranges_that_did_not_change_are_not_read_again(mariadb: MariaDB, tmp_path: Path) -> None:
    with loading(tmp_path, shop(mariadb), "orders") as loads:
        first = loads.load()
        assert len(first.report.files_new) == 4
        assert not loads.load().brought.changed
        mariadb.execute(
            "update orders set note = 'changed' where id = 1500; delete from orders where id = 3;"
            "insert into orders values (9000, 'c2', null, 1, 'x')",
            "shop",
        )
        third = loads.load()
        assert (len(third.report.files_replaced), len(third.report.files_unchanged)) == (3, 1)
        assert len(third.touched) == 3
        assert loads.past("id, note") == [(3, "note 3"), (1500, None)]
        here = loads.con.execute(
            'select count(*), sum(id), sum(amount), sum(strlen(note)), count(note), max(placed) from raw."shop.it"'
        ).fetchall()
        there = mariadb.execute("set time_zone = '+00:00'; " + CHECKSUM, "shop")
        assert [*here[0][:5], here[0][5].replace(tzinfo=None)] == list(there[0])
        mariadb.execute("insert into orders (id) select seq from seq_10001_to_13000", "shop")
        loads.load()
        assert len(loads.parts()) == 7
        assert (
            loads.rows("count(*)") == [(5998 + 2,)] == mariadb.execute("select count(*) from orders", "shop")
        )


@pytest.mark.parametrize(
    ("made", "parts"),
    [
        (("create table it (a varchar(10), b int, primary key (a, b)); "
         "insert into it select concat('K', seq % 7), seq from seq_1_to_2500"), 3),
        (("create table it (a varchar(10) character set latin1 collate latin1_german2_ci primary key); "
         "insert into it select concat('ä''\\\\', seq) from seq_1_to_2500"), 3),
        ("create table it (a decimal(12, 4) primary key); insert into it select seq / 7 from seq_1_to_2500", 3),
        (("create table it (a datetime(6) primary key); "
         "insert into it select '2024-01-01' + interval seq * 1001 microsecond from seq_1_to_2500"), 3),
        (("create table it (a timestamp(6) primary key); "
         "insert into it select '2024-01-01' + interval seq * 1001 microsecond from seq_1_to_2500"), 3),
        ("create table it (a uuid primary key); insert into it select uuid() from seq_1_to_2500", 3),
        ("create table it (a varbinary(16) primary key); insert into it select unhex(md5(seq)) from seq_1_to_2500", 3),
        (("create table it (a enum('z', 'y', 'x'), b int, primary key (a, b)); "
         "insert into it select 1 + seq % 3, seq from seq_1_to_2500"), 1),
        ("create table it (a int, b int); insert into it select seq % 5, 1 from seq_1_to_2500", 1),
        (("create table it (a int not null, b int, unique (b), unique (a)); "
         "insert into it select seq, null from seq_1_to_2500"), 3),
    ],
    ids=["composite", "latin1", "decimal", "datetime", "timestamp", "uuid", "binary", "enum", "none", "unique"],
)  # fmt: skip
def test_any_key_will_do(mariadb: MariaDB, tmp_path: Path, made: str, parts: int) -> None:
    with loading(tmp_path, shop(mariadb, made), "it") as loads:
        loads.load()
        assert len(loads.parts()) == parts
        assert sum(n for _, n in loads.parts()) == 2500 == len(loads.rows("1"))
        mariadb.execute("delete from it limit 3", "shop")
        done = loads.load()
        assert len(loads.rows("1")) == 2497
        assert len(done.touched) == 3
        assert not loads.load().brought.changed


def test_another_collation_of_the_key_parts_the_table_anew(mariadb: MariaDB, tmp_path: Path) -> None:
    """B is before a in the one and behind it in the other."""
    dsn = shop(
        mariadb,
        "create table orders (code varchar(20) collate utf8mb4_bin primary key, n int);"
        "insert into orders select concat(char(if(seq % 2, 65, 97) + seq % 26 using utf8mb4), seq), seq "
        "from seq_1_to_3000",
    )
    with loading(tmp_path, dsn, "orders") as loads:
        loads.load()
        assert len(loads.parts()) == 4
        mariadb.execute("alter table orders modify code varchar(20) collate utf8mb4_general_ci", "shop")
        mariadb.execute("update orders set n = n + 1", "shop")
        for _ in range(2):
            loads.load()
            assert loads.rows("count(*), sum(n)") == mariadb.execute(
                "select count(*), sum(n) from orders", "shop"
            )


def test_several_connections_read_one_snapshot_where_tables_may_be_locked(mariadb: MariaDB) -> None:
    dsn = shop(mariadb)
    mariadb.fresh_user("reader", rights="select")
    for user, workers in (("root", 3), ("reader", 1)):
        reader = MySqlReader(Address("sources.shop", mariadb.dsn("shop", user=user)))
        reader.open()
        assert reader.workers == workers
        mariadb.execute("update orders set amount = amount + 1 where id = 1", "shop")
        table = reader.describe("orders")
        before = reader.count(table)
        mariadb.execute("delete from orders order by id desc limit 10", "shop")
        assert reader.count(table) == before
        reader.close()
    assert dsn.startswith("mysql://")


def test_a_table_without_snapshots_is_told(mariadb: MariaDB, tmp_path: Path) -> None:
    dsn = shop(mariadb, "create table it (id int primary key) engine = MyISAM; insert into it values (1)")
    with loading(tmp_path, dsn, "it") as loads:
        assert "is kept by MyISAM, which has no snapshots" in loads.load().report.said[0]


def test_an_unknown_option_is_refused() -> None:
    reader = MySqlReader(Address("sources.shop", "mysql://u:p@127.0.0.1:1/shop?sslmode=require"))
    with pytest.raises(SettingsError, match="has the options sslmode, which are not known"):
        reader.open()


def test_names_that_differ_by_capital_letters_are_told_apart(mariadb: MariaDB) -> None:
    names = ("orders", "Orders", "ORDERS", "oRders")
    made = "".join(
        f"create table {name} (id int primary key, {name}_{n} int);" for n, name in enumerate(names)
    )
    reader = MySqlReader(Address("sources.shop", shop(mariadb, made)), 1)
    reader.open()
    try:
        for n, name in enumerate(names):
            table = reader.describe(name)
            assert table.name == f"shop.{name}"
            assert [column.name for column in table.columns] == ["id", f"{name}_{n}"]
            assert table.key == ("id",)
        with pytest.raises(SourceUnavailable, match="has no table orderS .did you mean"):
            reader.describe(
                "orderS"
            )  # several differ by capital letters alone, so which one is meant is not known
        mariadb.execute("drop table Orders; drop table ORDERS; drop table oRders", "shop")
        assert reader.describe("orderS").name == "shop.orders"
    finally:
        reader.close()


def test_a_table_that_is_just_being_altered_is_found(mariadb: MariaDB) -> None:
    """A copying ALTER swaps two tables, and between the two the catalogue shows neither."""
    address = Address("sources.shop", shop(mariadb))
    done = threading.Event()
    altered = []

    def alter() -> None:
        with mariadb.connected("shop") as con, con.cursor() as cursor:
            while not done.is_set():
                cursor.execute("alter table orders modify note varchar(100), algorithm = copy")
                cursor.execute("alter table orders modify note text, algorithm = copy")
                altered.append(1)

    mariadb.execute("delete from orders where id > 3", "shop")
    thread = threading.Thread(target=alter)
    thread.start()
    try:
        for _ in range(100):
            reader = MySqlReader(address, 1)
            try:
                table = reader.describe("orders")
                assert (len(table.columns), table.key) == (5, ("id",))
            finally:
                reader.close()
    finally:
        done.set()
        thread.join()
    assert len(altered) > 10
