"""What a load brings is one snapshot: while others write, over crashes, and over all tables of a system."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pymysql  # type: ignore[import-untyped]
import pytest

from evervalue.core.errors import SourceUnavailable
from evervalue.sources import raw_zone
from evervalue.sources.databases.feed import Snapshot, TableFeed
from evervalue.sources.databases.reader import Copied, Range, Reader
from evervalue.sources.databases.tables import Table
from evervalue.sources.feed import Context
from evervalue.sources.report import SourceReport
from tests.support.table_feeds import loading, reader_of

if TYPE_CHECKING:
    from tests.support.mariadb import MariaDB
    from tests.support.postgres import Postgres

ACCOUNTS = 4000
ROOT = Path(__file__).parents[4]


@contextmanager
def writing(connect: Callable[[], Any], folder: Path) -> Iterator[list[int]]:
    """Moves money between accounts, and accounts to other keys, until the block ends; yields a count of commits."""
    del folder
    stop = threading.Event()
    done = [0]

    def write() -> None:
        rng = random.Random(7)
        con = connect()
        try:
            while not stop.is_set():
                with con.cursor() as cursor:
                    cents = rng.randint(1, 500)
                    for sign in (1, -1):
                        cursor.execute(
                            f"update accounts set cents = cents + {sign * cents} where nr = {rng.randint(1, ACCOUNTS)}"
                        )
                    cursor.execute(
                        f"update accounts set id = {rng.randint(1, 10**9)} where nr = {rng.randint(1, ACCOUNTS)}"
                    )
                con.commit()
                done[0] += 1
        finally:
            con.close()

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield done
    finally:
        stop.set()
        thread.join()


class Slow:
    """A reader that takes its time over every range, so that somebody can write meanwhile."""

    def __init__(self, reader: Any) -> None:
        self._reader = reader
        self.copied: list[Range] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reader, name)

    def copy(self, table: Table, range: Range, path: Path, *, most: int | None = None) -> Copied:
        time.sleep(0.02)
        self.copied.append(range)
        copied: Copied = self._reader.copy(table, range, path, most=most)
        return copied


def slow(reader: Reader) -> Any:
    return Slow(reader)


def test_postgres_is_read_as_of_one_instant_while_others_write(postgres: Postgres, tmp_path: Path) -> None:
    dsn = postgres.fresh_database("bank")
    postgres.execute(
        "create table accounts (id bigint primary key, nr int unique, cents bigint);"
        f"insert into accounts select g * 1000, g, 0 from generate_series(1, {ACCOUNTS}) as g",
        "bank",
    )
    with loading(tmp_path, dsn, "accounts", range_rows=500) as loads:
        with writing(lambda: psycopg.connect(dsn), tmp_path) as commits:
            for _ in range(2):
                before = commits[0]
                loads.load(slow(reader_of(dsn)))
                assert loads.rows("count(*), count(distinct nr), sum(cents)") == [(ACCOUNTS, ACCOUNTS, 0)]
                assert commits[0] > before
        loads.load()
        told = postgres.execute("select count(*), sum(id), sum(cents * nr) from accounts", "bank")
        assert loads.rows("count(*), sum(id), sum(cents * nr)") == told


def test_mariadb_is_read_as_of_one_instant_while_others_write(mariadb: MariaDB, tmp_path: Path) -> None:
    dsn = mariadb.fresh_database("bank")
    mariadb.execute(
        "create table accounts (id bigint primary key, nr int unique, cents bigint);"
        f"insert into accounts select seq * 1000, seq, 0 from seq_1_to_{ACCOUNTS}",
        "bank",
    )

    def connect() -> Any:
        return pymysql.connect(
            host=mariadb.host, port=mariadb.port, user="root", password=mariadb.password, database="bank"
        )

    with loading(tmp_path, dsn, "accounts", range_rows=500) as loads:
        with writing(connect, tmp_path) as commits:
            for _ in range(2):
                before = commits[0]
                loads.load(slow(reader_of(dsn)))
                assert loads.rows("count(*), count(distinct nr), sum(cents)") == [(ACCOUNTS, ACCOUNTS, 0)]
                assert commits[0] > before
        loads.load()
        told = mariadb.execute("select count(*), sum(id), sum(cents * nr) from accounts", "bank")
        assert loads.rows("count(*), sum(id), sum(cents * nr)") == [tuple(map(int, told[0]))]


def test_all_tables_of_a_system_are_of_one_instant(postgres: Postgres, tmp_path: Path) -> None:
    """An order is never seen without its lines, whatever is written between the reading of both tables."""
    dsn = postgres.fresh_database("shop")
    postgres.execute(
        "create table orders (id int primary key); create table lines (id serial primary key, order_id int);"
        "insert into orders select g from generate_series(1, 500) g;"
        "insert into lines (order_id) select id from orders",
        "shop",
    )
    with loading(tmp_path, dsn, "orders") as loads:
        snapshot = Snapshot(reader_of(dsn))
        feeds = [
            TableFeed(f"shop.{name}", system="shop", table=name, snapshot=snapshot)
            for name in ("orders", "lines")
        ]
        with raw_zone.transaction(loads.con):
            raw_zone.ensure(loads.con)
            context = Context(loads.con, tmp_path, "run", raw_time(), loads.progress, tmp_path)
            feeds[0].bring(context, SourceReport("shop.orders", ""))
            postgres.execute(
                "insert into orders values (501); insert into lines (order_id) values (501)", "shop"
            )
            feeds[1].bring(context, SourceReport("shop.lines", ""))
        counts = loads.con.execute(
            'select (select count(*) from raw."shop.orders"), count(*) from raw."shop.lines"'
        )
        assert counts.fetchall() == [(500, 500)]


def raw_time() -> Any:
    import datetime as dt

    return dt.datetime(2026, 1, 1)


def big(postgres: Postgres, rows: int) -> str:
    dsn = postgres.fresh_database("big")
    postgres.execute(
        "create table big (id int primary key, v text, n numeric(12, 2));"
        f"insert into big select g, md5(g::text), g / 100.0 from generate_series(1, {rows}) as g",
        "big",
    )
    return dsn


SUMS = "count(*), sum(id), sum(n), md5(string_agg(v, '' order by id))"


@pytest.mark.slow
def test_a_load_that_is_killed_goes_on_where_it_was(postgres: Postgres, tmp_path: Path) -> None:
    """The process is killed at random instants, and the table is written to between: the result is one snapshot's."""
    rows = 150_000
    dsn = big(postgres, rows)
    rng = random.Random(11)
    killed = 0
    for attempt in range(12):
        child = subprocess.Popen(
            [sys.executable, "-m", "tests.support.table_feeds", str(tmp_path), dsn, "big", "5000"], cwd=ROOT
        )
        try:
            child.wait(0.4 + rng.random() * 0.6)
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGKILL)
            child.wait()
            killed += 1
        else:
            assert child.returncode == 0
        postgres.execute(
            f"update big set v = 'w{attempt}' where id = {rng.randint(1, rows)};"
            f"delete from big where id = {rng.randint(1, rows)}",
            "big",
        )
    assert killed >= 3
    kept = list((tmp_path / "staged" / "shop.it").glob("*.json"))
    with loading(tmp_path, dsn, "big", range_rows=5000) as loads:
        reader = slow(reader_of(dsn))
        loads.load(reader)
        assert loads.rows(SUMS) == postgres.execute(f"select {SUMS} from big", "big")
        if len(kept) > 10:
            assert len(reader.copied) <= 30 - len(kept) + 12 + 1
        assert sum(n for _, n in loads.parts()) == loads.rows("count(*)")[0][0]


def test_ranges_that_were_copied_before_a_crash_are_copied_again_only_where_they_changed(
    postgres: Postgres, tmp_path: Path
) -> None:
    dsn = big(postgres, 5000)

    class Broken(Slow):
        def copy(self, table: Table, range: Range, path: Path, *, most: int | None = None) -> Copied:
            if range.lower == ("3000",):
                raise SourceUnavailable("sources.shop: the connection was lost")
            return super().copy(table, range, path, most=most)

    with loading(tmp_path, dsn, "big") as loads:
        with pytest.raises(SourceUnavailable, match="connection was lost"):
            loads.load(Broken(reader_of(dsn, workers=1)))
        assert loads.con.execute(
            "select count(*) from duckdb_tables() where table_name = 'shop.it'"
        ).fetchone() == (0,)
        postgres.execute("update big set n = n + 1 where id = 1500", "big")
        reader = slow(reader_of(dsn))
        loads.load(reader)
        copied = {range.lower for range in reader.copied}
        assert ("1000",) in copied  # changed since
        assert ("3000",) in copied  # was not copied
        assert None not in copied
        assert ("2000",) not in copied
        assert loads.rows(SUMS) == postgres.execute(f"select {SUMS} from big", "big")
        assert not (tmp_path / "staged").exists()


def test_a_damaged_copy_is_made_again(postgres: Postgres, tmp_path: Path) -> None:
    dsn = big(postgres, 3000)
    with loading(tmp_path, dsn, "big") as loads:
        loads.load(settle=False)
        loads.con.execute(
            'drop table raw."shop.it"; delete from raw.ranges; delete from raw.files; delete from raw.columns'
        )
        staged = sorted((tmp_path / "staged" / "shop.it").glob("*.csv.zst"))
        staged[0].write_bytes(staged[1].read_bytes()[:-200])
        reader = slow(reader_of(dsn))
        loads.load(reader)
        assert len(reader.copied) == 1
        assert loads.rows(SUMS) == postgres.execute(f"select {SUMS} from big", "big")


def test_a_server_that_dies_in_the_middle_of_a_copy(postgres: Postgres, tmp_path: Path) -> None:
    dsn = big(postgres, 20_000)

    class Dying(Slow):
        def copy(self, table: Table, range: Range, path: Path, *, most: int | None = None) -> Copied:
            if range.lower == ("10000",):
                postgres.stop(immediate=True)
            return super().copy(table, range, path, most=most)

    with loading(tmp_path, dsn, "big") as loads:
        try:
            with pytest.raises(SourceUnavailable) as caught:
                loads.load(Dying(reader_of(dsn)))
        finally:
            postgres.start()
        assert "the connection was lost while" in str(caught.value)
        assert "Run again: ranges that were read whole are kept" in str(caught.value)
        reader = slow(reader_of(dsn))
        loads.load(reader)
        assert 0 < len(reader.copied) < 20
        assert loads.rows(SUMS) == postgres.execute(f"select {SUMS} from big", "big")


def test_mariadb_dies_in_the_middle_of_a_copy(mariadb: MariaDB, tmp_path: Path) -> None:
    dsn = mariadb.fresh_database("big")
    mariadb.execute(
        "create table big (id int primary key, v text); insert into big select seq, md5(seq) from seq_1_to_9000",
        "big",
    )

    class Dying(Slow):
        def copy(self, table: Table, range: Range, path: Path, *, most: int | None = None) -> Copied:
            if range.lower == ("5000",):
                mariadb.stop(immediate=True)
            return super().copy(table, range, path, most=most)

    with loading(tmp_path, dsn, "big") as loads:
        try:
            with pytest.raises(SourceUnavailable, match="the connection was lost while"):
                loads.load(Dying(reader_of(dsn)))
        finally:
            mariadb.start()
        loads.load()
        assert loads.rows("count(*), sum(id)") == [(9000, 9000 * 9001 // 2)]
