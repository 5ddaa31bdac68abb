"""A real MariaDB is followed through its binary log: rows equal the source's, and what is lost is refused."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evervalue.core.errors import SourceUnavailable
from evervalue.core.progress import Silent
from evervalue.sources import raw_zone
from evervalue.sources.applied import Applied
from evervalue.sources.changes.binlog import BinlogChanges
from evervalue.sources.changes.feed import bring_up
from evervalue.sources.changes.wanted import Wanted
from evervalue.sources.databases.connection import Address
from evervalue.warehouse.duckdb import Connection, connect
from tests.support.mariadb import MariaDB

TABLE = """
create table orders (id int unsigned primary key, amount decimal(12,4), note text, kind enum('a', 'b, c'),
    tags set('x', 'y', 'z'), made date, at datetime(3), seen timestamp(6) null, took time(2), raw varbinary(20),
    bits bit(12), ratio float, big bigint unsigned, blank char(5), doc json, long_raw blob) charset utf8mb4
"""


class Source:
    """A database and a warehouse."""

    def __init__(self, mariadb: MariaDB, name: str, temp: Path) -> None:
        self.server = mariadb
        self.name = name
        self.dsn = mariadb.fresh_database(name)
        self.temp = temp
        self.con = connect(threads=1)
        raw_zone.ensure(self.con)
        self.runs = 0
        self.progress = Silent()

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        return self.server.execute("set sql_mode = ''; " + statement, self.name)

    def bring(self, *tables: str, full_refresh: bool = False) -> dict[str, Applied]:
        self.runs += 1
        follower = BinlogChanges(
            self.name,
            Address(f"sources.{self.name}", self.dsn),
            {f"{self.name}.{t}": Wanted(t) for t in tables or ("orders",)},
            temp=self.temp,
            progress=self.progress,
        )
        with raw_zone.transaction(self.con):
            return bring_up(
                follower, self.con, f"r{self.runs}", full_refresh=full_refresh, progress=self.progress
            )

    def assert_equal(self, table: str = "orders") -> int:
        """Every cell, as the server writes it."""
        columns = [row[0] for row in self.sql(f"describe {table}")]
        fresh = Source.__new__(Source)
        fresh.__dict__ |= self.__dict__ | {"con": connect(threads=1), "runs": 0}
        raw_zone.ensure(fresh.con)
        fresh.bring(table)
        listed = ", ".join(f'"{c}"::varchar' for c in columns)
        rows = [
            _rows(con, f'select {listed} from raw."{self.name}.{table}"') for con in (self.con, fresh.con)
        ]
        assert rows[0] == rows[1]
        found = self.con.execute(
            f"select live_rows from raw.keyed where feed = '{self.name}.{table}'"
        ).fetchone()
        assert found == (len(rows[0]),)
        return len(rows[0])


def _rows(con: Connection, query: str) -> list[Any]:
    return sorted(con.execute(query).fetchall(), key=repr)


@pytest.fixture
def source(mariadb: MariaDB, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Source]:
    made = Source(mariadb, "cdc_" + request.node.name.split("[")[0][5:35], tmp_path)
    yield made
    made.con.close()


def test_every_type_comes_through_the_log_as_through_a_copy(source: Source) -> None:
    source.sql(TABLE)
    source.bring()
    source.sql(
        """insert into orders values
        (1, 12.3456, 'it''s "ü"\n', 'b, c', 'z,x', '2024-02-29', '2024-01-01 10:00:00.123', '2024-06-01 10:00:00.5',
         '-12:34:56.78', x'00ff22', b'101', 0.1, 18446744073709551615, 'ab', '{"a": [1, 2.5]}', 'plain text'),
        (4294967295, null, '', 'a', '', '0000-00-00', '0000-00-00', 0, '800:00:00', '', 0, -1.5e10, 0, '',
         null, x'fffe00')"""
    )
    assert source.bring()[f"{source.name}.orders"].inserted == 2
    assert source.assert_equal() == 2
    assert any("zeros" in says for says in source.progress.warnings)


@pytest.mark.slow
def test_random_changes_in_batches(source: Source) -> None:
    source.sql("create table orders (id int primary key, n int, note varchar(50))")
    source.sql("create table pairs (a int, b varchar(10), v double, primary key (b, a))")
    rng = random.Random(5)
    for batch in range(5):
        for _ in range(12):
            k = rng.randint(1, 60)
            source.sql(
                rng.choice(
                    [
                        f"insert ignore into orders values ({k}, {rng.randint(0, 9)}, 'n')",
                        f"update orders set n = n + 1 where id between {k} and {k + 9}",
                        f"delete from orders where id = {k}",
                        f"update ignore orders set id = id + 100 where id = {k}",
                        f"insert ignore into pairs select id, 'p', n / 7 from orders where id < {k}",
                        f"begin; update orders set n = -1 where id < {k}; rollback",
                        f"begin; delete from pairs where a < {k}; insert into pairs values ({k}, 'q', 1); commit",
                    ]
                )
            )
        if batch == 2:
            source.sql("truncate table pairs; insert into pairs values (1, 'after', 2)")
        if batch == 3:
            source.server.restart(immediate=True)
        source.bring("orders", "pairs")
    assert source.assert_equal("orders") > 0
    assert source.assert_equal("pairs") > 0
    assert not source.bring("orders", "pairs").get(f"{source.name}.orders", Applied()).read


def test_columns_that_change_are_followed(source: Source) -> None:
    source.sql("create table orders (id int primary key, n int); insert into orders values (1, 1), (2, 2)")
    source.bring()
    source.sql("alter table orders add column more int default 7; update orders set n = 9 where id = 1")
    source.bring()
    source.assert_equal()
    source.sql(
        "alter table orders change n renamed bigint, drop column more; insert into orders values (3, 5)"
    )
    source.bring()
    source.assert_equal()
    source.sql("alter table orders add column late text default 'x'")
    source.bring()
    assert source.assert_equal() == 3


def test_a_purged_log_is_refused(source: Source) -> None:
    source.sql("create table orders (id int primary key)")
    source.bring()
    source.sql(
        "insert into orders values (1); flush binary logs; insert into orders values (2); flush binary logs"
    )
    last = source.sql("show master status")[0][0]
    end = time.monotonic() + 20
    while (
        source.sql("show binary logs")[0][0] != last and time.monotonic() < end
    ):  # a log in use is not purged
        source.sql(f"purge binary logs to '{last}'")
        time.sleep(0.1)
    with pytest.raises(SourceUnavailable, match="--full-refresh") as told:
        source.bring()
    assert "is purged or was reset" in str(told.value)
    source.bring(full_refresh=True)
    assert source.assert_equal() == 2


def test_a_log_that_was_reset_is_refused(source: Source) -> None:
    source.sql("reset master; create table orders (id int primary key)")
    source.bring()
    source.sql("reset master; create table other (id int primary key, long_enough text)")
    source.sql("insert into other select seq, repeat('x', 500) from seq_1_to_50")
    with pytest.raises(SourceUnavailable, match="another one than was followed"):
        source.bring()


def test_global_transaction_ids_lead_to_another_server(source: Source) -> None:
    source.sql("create table orders (id int primary key, n int); insert into orders values (1, 1)")
    source.bring()
    source.sql("insert into orders values (2, 2); update orders set n = 5 where id = 1")
    # The server takes another identity, as one that takes the place of the first has.
    source.sql("set global server_id = 77")
    try:
        source.bring()
        assert source.assert_equal() == 2
        source.sql("delete from orders where id = 1")
        source.bring()
        assert source.assert_equal() == 1
    finally:
        source.sql("set global server_id = 1")


def test_tables_without_a_key_are_refused(source: Source) -> None:
    source.sql("create table orders (id int, n int)")
    with pytest.raises(SourceUnavailable, match="has no key"):
        source.bring()
