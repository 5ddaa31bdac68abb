"""A real PostgreSQL is followed: rows equal the source's, and what would lose changes is refused with its mend."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evervalue.core.clock import SystemClock
from evervalue.core.errors import SourceUnavailable
from evervalue.core.progress import Silent
from evervalue.sources import raw_zone
from evervalue.sources.applied import Applied
from evervalue.sources.changes import postgres_slot as slots
from evervalue.sources.changes.feed import bring_up
from evervalue.sources.changes.positions import Position
from evervalue.sources.changes.postgres_follow import PostgresChanges
from evervalue.sources.changes.wanted import Wanted
from evervalue.sources.changes.watch import Lag, watch
from evervalue.sources.databases.connection import Address
from evervalue.sources.keyed import KeyedTable
from evervalue.sources.load import load
from evervalue.sources.systems import system
from evervalue.warehouse.duckdb import connect
from tests.support.postgres import Postgres
from tests.support.server import PASSWORD

HERE = "sources.shop"


class Source:
    """A database and a warehouse."""

    def __init__(self, postgres: Postgres, name: str, temp: Path) -> None:
        self.server, self.name, self.temp = postgres, name, temp
        self.dsn = postgres.fresh_database(name)
        self.con = connect(threads=1)
        raw_zone.ensure(self.con)
        self.runs = 0
        self.progress = Silent()

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        return self.server.execute(statement, self.name)

    def follower(
        self, *tables: str, dsn: str | None = None, key: tuple[str, ...] = (), **options: Any
    ) -> PostgresChanges:
        wanted = {f"shop.{t}": Wanted(t, key) for t in tables or ("orders",)}
        return PostgresChanges(
            "shop", Address(HERE, dsn or self.dsn), wanted, temp=self.temp, progress=self.progress,
            slot=self.name, **options,
        )  # fmt: skip

    def bring(self, *tables: str, full_refresh: bool = False, **options: Any) -> dict[str, Applied]:
        self.runs += 1
        follower = self.follower(*tables, **options)
        with raw_zone.transaction(self.con):
            return bring_up(
                follower, self.con, f"r{self.runs}", full_refresh=full_refresh, progress=self.progress
            )

    def rows(self, columns: str, table: str = "orders") -> list[tuple[Any, ...]]:
        return self.con.execute(f'select {columns} from raw."shop.{table}" order by all').fetchall()

    def assert_equal(self, columns: str, table: str = "orders") -> int:
        """Cells as text."""
        shown = ", ".join(f"{c}::varchar" for c in columns.split(", "))
        source = self.sql(f"select {shown.replace('varchar', 'text')} from {table}")
        assert sorted(self.rows(shown, table), key=repr) == sorted(source, key=repr)
        held = KeyedTable(self.con, f"shop.{table}", ["id"], [("id", "INTEGER")])
        assert held.state()["live_rows"] == len(source)
        rebuilt = self.con.execute(f"select {shown} from ({held.rebuilt()}) order by all").fetchall()
        assert rebuilt == self.rows(shown, table)
        return len(source)


@pytest.fixture
def source(postgres: Postgres, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Source]:
    made = Source(postgres, "cdc_" + request.node.name.split("[")[0][5:35], tmp_path)
    yield made
    made.con.close()
    postgres.execute(
        "select pg_drop_replication_slot(slot_name) from pg_replication_slots where database = "
        f"'{made.name}' and not active"
    )


def test_long_values_keys_that_change_and_computed_columns(source: Source) -> None:
    source.sql(
        "create table orders (id int primary key, long text, n numeric, c char(8), twice int generated always as "
        "(id * 2) stored, raw bytea, tags text[]);"
        "alter table orders alter column long set storage external;"
        "insert into orders (id, long, n, c, raw, tags) "
        "select g, repeat(md5(g::text), 400), g, 'c', '\\x00ff', '{a,\"b,c\"}' "
        "from generate_series(1, 20) as g"
    )
    source.bring()
    assert source.assert_equal("id, long, n, raw, tags") == 20
    source.sql(
        "update orders set n = n + 0.5 where id < 10; update orders set id = id + 100 where id between 5 and 12;"
        "update orders set n = 7 where id = 105; update orders set long = repeat('new', 4000) where id = 106;"
        "update orders set c = 'x' where id = 106; delete from orders where id = 1;"
        "update orders set n = null where id = 2"
    )
    made = source.bring()["shop.orders"]
    assert (made.refused, made.late, made.repeated) == (0, 0, 0)
    assert source.assert_equal("id, long, n, raw, tags") == 19
    assert "twice" not in dict(
        source.con.execute('select column_name, 1 from (describe raw."shop.orders")').fetchall()
    )


def test_a_table_without_a_key_column_in_its_updates(source: Source) -> None:
    source.sql(
        "create table orders (id int not null unique, code text not null unique, n int);"
        "alter table orders replica identity full; insert into orders values (1, 'a', 1), (2, 'b', 2)"
    )
    source.bring()
    source.sql(
        "update orders set n = 5 where id = 1; update orders set id = 3 where id = 2; delete from orders where id = 1"
    )
    source.bring()
    assert source.assert_equal("id, code, n") == 1


def test_columns_that_come_with_values_and_nothing_written_since(source: Source) -> None:
    source.sql(
        "create table orders (id int primary key, v text);"
        "insert into orders select g, 'v' from generate_series(1, 9) as g"
    )
    source.bring()
    source.sql("alter table orders add column given int default 7")
    source.bring()
    assert source.assert_equal("id, v, given") == 9
    source.sql(
        "alter table orders alter column v type varchar(5) using upper(v); alter table orders rename given to named"
    )
    source.bring()
    assert source.assert_equal("id, v, named") == 9
    read = source.bring()["shop.orders"].read if source.bring() else 0
    assert read == 0


def test_a_load_broken_off_in_the_middle_of_the_copies_converges(source: Source) -> None:
    source.sql(
        "create table orders (id int primary key, long text, n int); create table other (id int primary key, n int);"
        "alter table orders alter column long set storage external;"
        "insert into orders select g, repeat(md5(g::text), 400), 0 from generate_series(1, 50) as g;"
        "insert into other select g, 0 from generate_series(1, 50) as g"
    )
    follower = source.follower("orders", "other")
    source.con.execute("begin transaction")
    follower.open(source.con, run_id="broken", full_refresh=False, commit=lambda: None)
    source.con.execute("rollback")
    follower.close()
    # The slot stands; everything below is in its log and in the copies that come now.
    source.sql(
        "update orders set n = 1 where id < 20; update orders set id = id + 100 where id between 5 and 9;"
        "update orders set n = 2 where id = 105; delete from orders where id = 106;"
        "insert into orders values (5, 'x', 3);"
        "update orders set id = 200 where id = 30; delete from other; insert into other values (1, 5);"
        "alter table other add column late int default 3"
    )
    made = source.bring("orders", "other")
    assert made["shop.orders"].read > 50
    source.assert_equal("id, long, n")
    assert source.assert_equal("id, n, late", "other") == 1
    assert not any("read again" in w for w in source.progress.warnings)


def test_a_table_named_later_is_copied_then_followed(source: Source) -> None:
    source.sql(
        "create table orders (id int primary key); create table other (id int primary key);"
        "insert into other values (1)"
    )
    source.bring()
    source.sql("insert into orders values (1); insert into other values (2)")
    source.bring("orders", "other")
    source.sql("insert into orders values (2); insert into other values (3)")
    source.bring("orders", "other")
    assert source.assert_equal("id") == 2
    assert source.assert_equal("id", "other") == 3


def test_a_table_taken_out_of_the_publication_and_put_back_is_read_again(source: Source) -> None:
    source.sql("create table orders (id int primary key)")
    source.bring()
    source.sql(
        f"alter publication {source.name} drop table orders; insert into orders values (1);"
        f"alter publication {source.name} add table orders; insert into orders values (2)"
    )
    source.bring()
    assert source.assert_equal("id") == 2
    assert any("put back" in w for w in source.progress.warnings)


def test_a_slot_that_is_dropped_or_made_anew_is_refused(source: Source) -> None:
    source.sql("create table orders (id int primary key)")
    source.bring()
    source.sql(f"select pg_drop_replication_slot('{source.name}'); insert into orders values (1)")
    with pytest.raises(SourceUnavailable, match="is gone.*--full-refresh"):
        source.bring()
    source.sql(f"select pg_create_logical_replication_slot('{source.name}', 'pgoutput')")
    with pytest.raises(SourceUnavailable, match="made anew.*somebody else reads.*--full-refresh"):
        source.bring()
    source.bring(full_refresh=True)
    assert source.assert_equal("id") == 1
    source.sql("insert into orders values (2)")
    source.bring()
    assert source.assert_equal("id") == 2


def stored(server: str, lsn: int) -> Position:
    return Position("postgres", server=server, timeline=1, next_lsn=lsn)


@pytest.mark.parametrize(
    ("held", "history", "slot", "says"),
    [
        (stored("1", 50), "", slots.Slot(50, False, ""), ""),
        (stored("2", 50), "", slots.Slot(50, False, ""), "another database server"),
        (stored("1", 500), "", slots.Slot(50, False, ""), "earlier state"),
        (stored("1", 50), "1\t0/20\tfork", slots.Slot(50, False, ""), "earlier state"),
        (stored("1", 50), "1\t0/40\tfork", slots.Slot(50, False, ""), ""),
        (stored("1", 50), "", slots.Slot(50, False, "wal_removed"), "invalidated"),
        (stored("1", 50), "", slots.Slot(60, False, ""), "made anew"),
        (stored("1", 50), "", None, "is gone"),
    ],
)  # fmt: skip
def test_what_is_stored_must_go_on_where_the_slot_stands(
    held: Position, history: str, slot: slots.Slot | None, says: str
) -> None:
    server = slots.Server("1", 2 if history else 1, 100)
    if not says:
        slots.verify(slot, held, server, "s", HERE, history)
        return
    with pytest.raises(SourceUnavailable, match=f"{says}.*--full-refresh"):
        slots.verify(slot, held, server, "s", HERE, history)


def test_rights_keys_and_slots_that_are_missing(source: Source) -> None:
    source.sql("create table orders (id int, n int)")
    with pytest.raises(SourceUnavailable, match="has no key.*REPLICA IDENTITY FULL"):
        source.bring()
    source.sql("alter table orders add primary key (id); alter table orders replica identity nothing")
    with pytest.raises(SourceUnavailable, match="REPLICA IDENTITY"):
        source.bring()
    source.sql("alter table orders replica identity default")
    source.server.fresh_user("cdc_reader")
    source.sql(f"grant select on orders to cdc_reader; create publication {source.name} for table orders")
    dsn = source.server.dsn(source.name, "cdc_reader", PASSWORD)
    with pytest.raises(SourceUnavailable, match="(?i)replication") as told:
        source.bring(dsn=dsn)
    assert PASSWORD not in str(told.value)
    source.sql("alter role cdc_reader replication")
    source.bring(dsn=dsn)
    source.sql("create table other (id int primary key); grant select on other to cdc_reader")
    with pytest.raises(SourceUnavailable, match="ALTER PUBLICATION .* ADD TABLE"):
        source.bring("orders", "other", dsn=dsn)
    source.sql("drop owned by cdc_reader")


def test_all_slots_taken(source: Source) -> None:
    source.sql("create table orders (id int primary key)")
    (most,) = source.sql(
        "select current_setting('max_replication_slots')::int - count(*) from pg_replication_slots"
    )[0]
    taken = [f"taken_{n}" for n in range(most)]
    for name in taken:
        source.sql(f"select pg_create_physical_replication_slot('{name}')")
    try:
        with pytest.raises(SourceUnavailable, match="max_replication_slots|slots are in use"):
            source.bring()
    finally:
        for name in taken:
            source.sql(f"select pg_drop_replication_slot('{name}')")


def test_a_followed_database_in_a_load(
    source: Source, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    source.sql(
        "create table orders (id int primary key, customer text, made date, amount numeric(12,2));"
        "insert into orders select g, 'c' || g % 3, date '2024-01-01' + g, g * 1.5 from generate_series(1, 30) as g"
    )
    monkeypatch.setenv("SHOP", source.dsn)
    settings = system(
        "shop",
        {
            "kind": "postgres", "connection": "${SHOP}", "capture": "changes", "slot": source.name,
            "provides": "order_lines", "table": "orders",
            "columns": {"order_id": "id", "customer_name": "customer", "ordered_at": "made", "amount": "amount"},
        },
    )  # fmt: skip

    def run(name: str) -> Any:
        return load(
            source.con, {"shop": settings}, base=tmp_path, project_currency="EUR", time_zone="UTC", run_id=name,
            progress=source.progress, known_at=dt.datetime(2024, 1, 1), temp_directory=tmp_path,
        ).sources["shop"]  # fmt: skip

    first = run("a")
    assert (first.rows_read, first.rows_mapped, first.changes["inserted"]) == (30, 30, 30)
    source.sql("update orders set amount = 100 where id = 3; delete from orders where id = 4")
    second = run("b")
    assert (second.rows_read, second.rows_mapped) == (29, 29)
    assert (second.changes["updated"], second.changes["deleted"]) == (1, 1)
    acknowledged = source.sql(
        f"select confirmed_flush_lsn from pg_replication_slots where slot_name = '{source.name}'"
    )
    stored = source.con.execute("select next_lsn from raw.positions where feed = ''").fetchone()
    assert stored == (slots.number(acknowledged[0][0]),)
    assert not run("c").remapped
    # A batch of `watch` between two runs.
    source.sql("update orders set amount = 200 where id = 3; delete from orders where id = 5")
    with raw_zone.transaction(source.con):
        raw_zone.note_load(source.con, "w", dt.datetime(2024, 1, 2), "watch")
        follower = source.follower("orders")
        follower.tables.wanted = {"shop": Wanted("orders")}
        bring_up(follower, source.con, "w", full_refresh=False, progress=source.progress)
    fourth = run("d")
    assert (fourth.rows_read, fourth.rows_mapped, fourth.remapped) == (28, 28, True)
    amounts = source.con.execute(
        "select amount::text from mapped.order_lines where order_id = '3'"
    ).fetchall()
    assert amounts == [("200.0000",)]


def test_a_run_beside_a_watch_takes_what_the_watch_brought(source: Source) -> None:
    source.sql("create table orders (id int primary key); insert into orders values (1)")
    source.bring()
    other = source.follower()
    with raw_zone.transaction(source.con):
        other.open(source.con, run_id="w", full_refresh=False, commit=lambda: None)
    try:
        assert source.follower().followed_elsewhere(source.con)
        source.con.execute("update raw.positions set next_lsn = next_lsn + 1000000 where feed <> ''")
        with pytest.raises(SourceUnavailable, match="Run again in a minute"):
            source.follower().followed_elsewhere(source.con)
        with pytest.raises(SourceUnavailable, match="somebody else reads"):
            source.bring()
    finally:
        other.close()


class Busy:
    """Another process that holds the warehouse."""

    def __init__(self, path: Path, seconds: float) -> None:
        program = (
            "import sys, time\nfrom evervalue.warehouse.duckdb import connect\nfrom pathlib import Path\n"
            f"con = connect(Path({str(path)!r}))\nprint('held', flush=True)\ntime.sleep({seconds})\n"
        )
        self.process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
        assert self.process.stdout
        assert self.process.stdout.readline() == b"held\n"


def test_watch_follows_waits_for_the_warehouse_and_ends(source: Source, tmp_path: Path) -> None:
    source.sql("create table orders (id int primary key); insert into orders values (1)")
    path, stop, told = tmp_path / "warehouse.duckdb", threading.Event(), []
    failed: list[BaseException] = []

    def tell(lag: Lag) -> None:
        told.append(lag)

    def follow() -> None:
        try:
            watch(
                {"shop": lambda temp, progress: source.follower()}, warehouse=path, temp=tmp_path, clock=SystemClock(),
                progress=Silent(), tell=tell, stop=stop, batch_seconds=0.1, idle_seconds=0.3,
            )  # fmt: skip
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=follow)
    thread.start()
    _wait(lambda: bool(told), failed)
    other = Busy(path, 1.5)
    source.sql("insert into orders values (2)")
    assert other.process.wait() == 0
    assert other.process.stdout
    other.process.stdout.close()
    _wait(lambda: any(lag.changes == 1 for lag in told), failed)
    source.server.restart()
    source.sql("insert into orders values (3)")
    _wait(lambda: sum(lag.changes for lag in told) == 2 and told[-1].bytes == 0, failed)
    stop.set()
    thread.join(20)
    assert not thread.is_alive()
    assert not failed
    con = connect(path)
    assert con.execute('select id from raw."shop.orders" order by 1').fetchall() == [(1,), (2,), (3,)]
    kinds = con.execute("select distinct kind from raw.loads").fetchall()
    con.close()
    assert kinds == [("watch",)]


def _wait(until: Any, failed: list[BaseException], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not until():
        assert not failed, failed
        assert time.monotonic() < end
        time.sleep(0.05)
