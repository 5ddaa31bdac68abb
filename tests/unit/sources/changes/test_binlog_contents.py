"""What a log may hold besides plain changes of rows: rows equal the server's all the same, or it is refused."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from evervalue.core.errors import SourceUnavailable
from evervalue.core.progress import Silent
from evervalue.sources import raw_zone
from evervalue.sources.changes.binlog import BinlogChanges
from evervalue.sources.changes.binlog_server import BinlogServer
from evervalue.sources.changes.stage import Shape, Stage
from evervalue.sources.changes.wanted import Wanted
from evervalue.sources.databases.connection import Address
from tests.support.mariadb import MariaDB
from tests.unit.sources.changes.test_binlog import Source

ORDERS = "create table orders (id int primary key, n int); insert into orders values (1, 1), (2, 2)"


@pytest.fixture
def source(mariadb: MariaDB, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Source]:
    made = Source(mariadb, "log_" + request.node.name.split("[")[0][5:35], tmp_path)
    yield made
    made.con.close()


def ids(source: Source, table: str = "orders") -> list[Any]:
    return [
        row[0]
        for row in source.con.execute(f'select id from raw."{source.name}.{table}" order by 1').fetchall()
    ]


class Heard(Silent):
    """Keeps what is told."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[str] = []

    def step(self, says: str, *, detail: str = "") -> None:
        self.steps.append(f"{says} {detail}")


@contextmanager
def set_to(source: Source, setting: str, value: str, usual: str) -> Iterator[None]:
    value, usual = (word if word.isdigit() else f"'{word}'" for word in (value, usual))
    source.sql(f"set global {setting} = {value}")
    try:
        yield
    finally:
        source.sql(f"set global {setting} = {usual}")


def test_rows_that_go_by_foreign_keys_are_not_in_the_log(source: Source) -> None:
    source.sql(
        "create table regions (id int primary key);"
        "create table customers (id int primary key, region int, "
        "foreign key (region) references regions (id) on delete cascade);"
        "create table orders (id int primary key, customer int, n int, "
        "foreign key (customer) references customers (id) on delete cascade on update cascade);"
        "insert into regions values (1), (2), (3); insert into customers values (1, 1), (2, 2), (3, 3), (4, 3);"
        "insert into orders values (1, 1, 0), (2, 2, 0), (3, 3, 0), (4, 4, 0)"
    )
    source.bring()  # neither customers nor regions are followed
    source.sql("delete from customers where id = 1; update customers set id = 20 where id = 2")
    source.bring()
    assert source.assert_equal() == 3
    source.sql("delete from regions where id = 3; insert into orders values (9, 20, 1)")
    source.bring()
    assert source.assert_equal() == 2
    source.progress = heard = Heard()
    source.sql("update customers set region = null where id = 20; insert into regions values (7)")
    source.bring()  # nothing hangs on what changed
    assert not heard.steps


def test_a_table_that_rows_hang_on_must_be_seen(source: Source) -> None:
    source.sql(
        "create table customers (id int primary key);"
        "create table orders (id int primary key, c int, foreign key (c) references customers (id) on delete cascade)"
    )
    source.server.fresh_user("log_reader", rights="replication slave, binlog monitor")
    source.sql(f"grant select on {source.name}.orders to log_reader@'%'")
    source.dsn = source.server.dsn(source.name, "log_reader")
    with pytest.raises(SourceUnavailable, match="GRANT SELECT ON `.*`.`customers`"):
        source.bring()


def test_a_table_is_emptied_however_it_is_written(source: Source) -> None:
    statements = (
        "/* nightly */ truncate table {}",
        "/*!50000 truncate table {} */",
        "-- nightly\ntruncate `{}`",
        "set statement max_statement_time = 9 for truncate table {}",
        "begin not atomic truncate {}; end",
    )
    tables = [f"t{n}" for n in range(len(statements))]
    for table in tables:
        source.sql(f"create table {table} (id int primary key); insert into {table} values (1), (2)")
    source.bring(*tables)
    for table, statement in zip(tables, statements, strict=True):
        source.sql(f"{statement.format(table)}; insert into {table} values (3)")
    source.bring(*tables)
    assert [ids(source, table) for table in tables] == [[3]] * len(tables)


def test_tables_of_the_same_name_elsewhere_are_others(source: Source) -> None:
    source.sql(
        f"{ORDERS}; create table Orders (id int primary key, n int); create or replace database log_elsewhere;"
        "create table log_elsewhere.orders (id int primary key); insert into log_elsewhere.orders values (1)"
    )
    source.bring()
    source.sql("truncate log_elsewhere.orders; insert into Orders values (7, 7); truncate Orders")
    source.bring()
    assert source.assert_equal() == 2


def test_prepared_transactions_count_when_they_are_committed(source: Source) -> None:
    source.sql(ORDERS)
    source.bring()
    prepared = "xa start '{0}'; insert into orders values ({1}, 0); xa end '{0}'; xa prepare '{0}'"
    source.sql(prepared.format("one", 3))
    source.bring()
    assert ids(source) == [1, 2]
    source.sql(f"xa rollback 'one'; insert into orders values (5, 0); {prepared.format('two', 4)}")
    source.bring()
    assert ids(source) == [1, 2, 5]
    source.sql(
        "xa commit 'two'; xa start 'six'; insert into orders values (6, 0); xa end 'six'; xa commit 'six' one phase"
    )
    source.bring()
    assert ids(source) == [1, 2, 4, 5, 6]
    source.assert_equal()


def test_savepoints_do_not_end_a_transaction(source: Source) -> None:
    source.sql(f"{ORDERS}; create table kept (id int) engine = MyISAM")
    source.bring()
    source.sql(
        "begin; insert into orders values (3, 0); savepoint a; insert into orders values (4, 0); commit"
    )
    follower = BinlogChanges(
        source.name, Address("sources.x", source.dsn), {f"{source.name}.orders": Wanted("orders")},
        temp=source.temp, progress=source.progress, batch_rows=1,
    )  # fmt: skip
    try:
        follower.open(source.con, run_id="whole", full_refresh=False, commit=lambda: None)
        assert follower.read(until=1, seconds=1)
        assert follower.stage.rows == 2  # never a part of it, however small a batch is
    finally:
        follower.close()
    source.sql(
        "begin; insert into orders values (5, 0); savepoint a; insert into kept values (1);"
        "insert into orders values (6, 0); rollback to a; insert into orders values (7, 0); commit"
    )
    source.bring()
    assert source.assert_equal() == 6


def test_statements_in_place_of_rows(source: Source) -> None:
    source.sql(ORDERS)
    source.bring()
    source.sql(
        "set session binlog_format = 'STATEMENT';"
        "insert into orders values (3, 3); update orders set n = 9 where id = 1"
    )
    source.bring()
    assert source.assert_equal() == 3
    assert any("writes statements into the log" in says for says in source.progress.warnings)


@pytest.mark.parametrize(
    ("setting", "value", "usual"),
    [
        ("binlog_format", "MIXED", "ROW"),
        ("binlog_row_image", "MINIMAL", "FULL"),
        ("binlog_row_metadata", "NO_LOG", "FULL"),
        ("log_bin_compress", "1", "0"),
    ],
)
def test_a_log_that_does_not_hold_all_is_refused(
    source: Source, setting: str, value: str, usual: str
) -> None:
    source.sql(ORDERS)
    with (
        set_to(source, setting, value, usual),
        pytest.raises(SourceUnavailable, match=f"{setting} is .*SET GLOBAL {setting} = .*--full-refresh"),
    ):
        source.bring()


def test_what_was_compressed_meanwhile_is_lost(source: Source) -> None:
    source.sql("create table orders (id int primary key, note text)")
    source.bring()
    with set_to(source, "log_bin_compress", "1", "0"):
        source.sql("insert into orders values (1, repeat('x', 2000))")
    with pytest.raises(SourceUnavailable, match="compressed events.*--full-refresh"):
        source.bring()
    source.bring(full_refresh=True)
    assert source.assert_equal() == 1


def test_texts_in_any_character_set_come_as_the_server_reads_them(source: Source) -> None:
    sets = (
        "latin1",
        "cp1250",
        "cp866",
        "hebrew",
        "macce",
        "utf16",
        "ucs2",
        "utf16le",
        "utf32",
        "gbk",
        "utf8mb3",
    )
    columns = ", ".join(f"{name} varchar(300) character set {name}" for name in sets)
    source.sql(
        f"create table orders (id int primary key, {columns}, e enum('ä') character set utf8mb4, b binary(4) unique)"
    )
    source.bring()
    texts = "x'81', 'Łż', 'Привет', 'שלום', 'Čž', '日本ü', 'ж', '中', '😀', '中文', 'é'"
    listed = ", ".join(sets)
    source.sql(f"insert ignore into orders (id, {listed}, e, b) values (1, {texts}, 'ä', x'0100')")
    every = "x'" + "".join(f"{byte:02x}" for byte in range(128, 256)) + "'"
    source.sql(
        f"insert into orders (id, latin1, cp1250, cp866, macce) values (2, {every}, {every}, {every}, {every})"
    )
    source.bring()
    assert source.assert_equal() == 2


def test_keys_that_end_in_zeros(source: Source) -> None:
    source.sql(
        "create table orders (id binary(4) primary key, n int); insert into orders values (x'01020000', 1)"
    )
    source.bring()
    source.sql(
        "update orders set n = 2; insert into orders values (x'00000000', 0); delete from orders where n = 0"
    )
    source.bring()
    assert source.assert_equal() == 1


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (
            "create table t (id int primary key); create view orders as select * from t",
            "is a view.*follow the tables",
        ),
        ("create table orders (id int primary key) with system versioning", "with its history by the server"),
        ("create table orders (id int primary key, t text character set sjis)", "t in sjis.*utf8mb4"),
        (
            "create table orders (id int primary key, e enum('ü') character set latin1)",
            "e in latin1.*utf8mb4",
        ),
        ("create table orders (id int primary key, t text compressed)", "t text .*compressed.*snapshot"),
    ],
    ids=["view", "versioned", "sjis", "enum", "compressed"],
)
def test_what_the_log_cannot_tell_is_refused(source: Source, made: str, says: str) -> None:
    source.sql(made)
    with pytest.raises(SourceUnavailable, match=says):
        source.bring()


def test_times_as_old_servers_wrote_them_are_refused(source: Source) -> None:
    """The reader of the log takes their bytes for others."""
    with set_to(source, "mysql56_temporal_format", "0", "1"):
        source.sql("create table orders (id int primary key, at datetime(3))")
    source.sql("insert into orders values (1, '2024-02-29 10:11:12.345')")
    with pytest.raises(
        SourceUnavailable, match="cannot be read from the log .at datetime.*ALTER TABLE .* FORCE"
    ):
        source.bring()
    source.sql("alter table orders force")
    source.bring()
    source.sql("insert into orders values (2, '2024-02-29 10:11:12.345')")
    source.bring()
    assert source.assert_equal() == 2


def test_a_transaction_that_never_ended_is_taken_back(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    shape, other = Shape(("id",), ("id",)), Shape(("id",), ("id", "n"))
    stage.add(stage.segment("a", shape), b"i", 1, 1, [b"1"])
    mark = stage.mark()
    stage.add(stage.segment("a", shape), b"i", 2, 1, [b"2"])
    stage.add(stage.segment("a", other), b"i", 2, 2, [b"2", b"3"])
    stage.back(mark)
    stage.add(stage.segment("a", other), b"i", 3, 1, [b"4", b"5"])
    stage.close()
    assert [(one.rows, one.path.read_bytes()) for one in stage.filled()] == [
        (1, b'i,1,1,,,"1"\n'),
        (1, b'i,3,1,,,"4","5"\n'),
    ]
    assert (stage.rows, stage.bytes) == (2, sum(len(one.path.read_bytes()) for one in stage.filled()))


def test_the_log_is_read_encrypted_where_the_connection_says_so() -> None:
    assert "ssl" in BinlogServer(Address("sources.x", "mysql://u:p@host/shop?ssl=true")).settings()
    assert "ssl" not in BinlogServer(Address("sources.x", "mysql://u:p@host/shop")).settings()


@pytest.mark.parametrize(
    "statements",
    [
        "create or replace table orders (id int primary key, n int); insert into orders values (7, 7)",
        "create table fresh like orders; insert into fresh values (5, 5); rename table orders to old, fresh to orders",
        "drop table orders; create table orders (n int, id int primary key); insert into orders values (7, 7)",
    ],
    ids=["replaced", "renamed", "made anew"],
)
def test_another_table_under_the_name(source: Source, statements: str) -> None:
    source.sql(ORDERS)
    source.bring()
    source.sql(f"update orders set n = 5; {statements}; insert into orders (id) values (100)")
    source.bring()
    assert source.assert_equal() == 2


def test_a_full_refresh_that_breaks_off_loses_nothing(source: Source) -> None:
    """The server keeps its log whoever reads it, so what is stored can be gone on from."""
    source.sql(ORDERS)
    source.bring()
    source.sql("insert into orders values (3, 3); delete from orders where id = 1")
    follower = BinlogChanges(
        source.name, Address("sources.x", source.dsn), {f"{source.name}.orders": Wanted("orders")},
        temp=source.temp, progress=source.progress,
    )  # fmt: skip
    source.con.execute("begin transaction")
    follower.open(source.con, run_id="broken", full_refresh=True, commit=lambda: None)
    source.con.execute("rollback")
    follower.close()
    source.sql("update orders set n = 9 where id = 2")
    made = source.bring()[f"{source.name}.orders"]
    assert (made.read, made.inserted, made.updated, made.deleted) == (3, 1, 1, 1)
    assert source.assert_equal() == 2


@pytest.mark.slow
def test_a_run_beside_a_follower_of_the_same_log(source: Source) -> None:
    """Both keep their positions in one warehouse; whoever is behind brings what is there already."""
    source.sql(
        "create table parents (id int primary key);"
        "create table orders (id int primary key, p int, n int default 0, "
        "foreign key (p) references parents (id) on delete cascade);"
        "insert into parents select seq from seq_1_to_50;"
        "insert into orders select seq, 1 + seq % 50, 0 from seq_1_to_300"
    )
    source.bring()
    rng = random.Random(3)
    (source.temp / "beside").mkdir()

    def made() -> BinlogChanges:
        follower = BinlogChanges(
            source.name, Address("sources.x", source.dsn), {f"{source.name}.orders": Wanted("orders")},
            temp=source.temp / "beside", progress=source.progress,
        )  # fmt: skip
        with raw_zone.transaction(source.con):
            follower.open(source.con, run_id=f"o{rng.random()}", full_refresh=False, commit=lambda: None)
        return follower

    beside = made()
    for turn in range(20):
        for _ in range(rng.randint(1, 4)):
            k = rng.randint(1, 50)
            source.sql(
                rng.choice(
                    [
                        f"delete from parents where id = {k}",
                        f"update orders set n = n + 1 where id % 7 = {k % 7}",
                        f"insert ignore into parents values ({k})",
                        f"insert ignore into orders (id, p) select {k * 7 % 300}, id from parents where id = {k}",
                        f"delete from orders where id = {k}",
                        f"update ignore orders set id = id + 1000 where id = {k}",
                    ]
                )
            )
        if turn % 9 == 0:
            source.sql(f"alter table orders add column c{turn} int default 3")
        if rng.random() < 0.5:
            source.bring()
        if rng.random() < 0.6 and beside.read(until=None, seconds=0.1):
            with raw_zone.transaction(source.con):
                beside.apply(source.con, run_id=f"w{turn}")
            beside.done(committed=True)
        if rng.random() < 0.15:
            beside.close()
            beside = made()
    beside.close()
    source.bring()
    assert source.assert_equal() > 0
