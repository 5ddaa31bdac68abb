"""A followed PostgreSQL that cannot be read: nothing of it is published, what it brought stays, then it catches up."""

from __future__ import annotations

import datetime as dt
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from evervalue.core.clock import FixedClock
from evervalue.core.errors import SourceUnavailable
from evervalue.core.progress import Silent
from evervalue.pipeline.run import RunResult, run
from evervalue.pipeline.settings import read_project
from evervalue.warehouse.duckdb import connect
from tests.support.postgres import Postgres
from tests.support.projects import project, published
from tests.support.server import PASSWORD

SETTINGS = """
[sources.shop]
kind = "postgres"
connection = "${FOLLOWED_SHOP}"
capture = "changes"
on_failure = "%s"
[sources.shop.tables.orders]
[sources.shop.outputs.lines]
provides = "order_lines"
from = "orders"
columns = { order_id = "id", ordered_at = "placed", customer_id = "who", amount = "amount" }

[sources.market]
path = "market*.csv"
customer_keys = "shop"
[sources.market.columns]
order_id = "order"
ordered_at = "date"
customer_id = "customer"
amount = "amount"
"""
NAME = "followed_fails"
START = dt.datetime(2024, 3, 1, 12, tzinfo=dt.UTC)


class Shop:
    """A project over a database that is followed and files."""

    def __init__(self, postgres: Postgres, folder: Path, patch: pytest.MonkeyPatch, failing: str) -> None:
        self.postgres, self.patch = postgres, patch
        patch.setenv("FOLLOWED_SHOP", postgres.fresh_database(NAME))
        postgres.execute(
            "create table orders (id int primary key, placed date, who text, amount numeric(10,2), note text);"
            "insert into orders select g, date '2024-01-01' + g % 28, 'c' || g % 9, g, '' "
            "from generate_series(1, 60) as g",
            NAME,
        )
        self.folder = project(folder, {}, SETTINGS % failing)
        self.runs = 0
        self.sold()
        self.run()
        self.assert_equal()

    def sold(self) -> None:
        """The market sends a file with an order."""
        file = self.folder / f"market{self.runs}.csv"
        file.write_text(f"order,date,customer,amount\nm{self.runs},2024-02-0{self.runs + 1},c1,5\n", "utf-8")

    def run(self, **options: Any) -> RunResult:
        self.runs += 1
        clock = FixedClock(START + dt.timedelta(hours=self.runs))
        return run(read_project(self.folder), clock=clock, progress=Silent(), **options)

    def write(self) -> None:
        """Rows come, change and go."""
        self.postgres.execute(
            "insert into orders select max(id) + 1, '2024-02-20', 'new', 77 from orders;"
            "update orders set amount = amount + 1 where id % 7 = 0; delete from orders where id in "
            "(select min(id) from orders)",
            NAME,
        )

    def state(self) -> str:
        """What readers see of the source."""
        return str(published(self.folder, "select state from run.sources where source = 'shop.lines'")[0][0])

    def lines(self, source: str = "shop.lines") -> list[tuple[Any, ...]]:
        return published(
            self.folder,
            "select order_id, amount::varchar from curated.order_lines where source = "
            f"'{source}' order by order_id::varchar",
        )

    def assert_equal(self) -> None:
        """What is published is what the database holds, each row once."""
        rows = [(str(a), str(b)) for a, b in self.postgres.execute("select id, amount from orders", NAME)]
        found = [(str(a), f"{float(b):.2f}") for a, b in self.lines()]
        assert sorted(found) == sorted(rows)
        con = connect(read_project(self.folder).data_dir / "warehouse.duckdb")
        raw = con.execute('select count(*), count(distinct id) from raw."shop.orders"').fetchone()
        con.close()
        assert raw == (len(rows), len(rows))


@pytest.fixture
def made(
    postgres: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[str], Shop]]:
    yield lambda failing: Shop(postgres, tmp_path / "project", monkeypatch, failing)
    postgres.start()
    postgres.fresh_database(NAME)


def lose(postgres: Postgres) -> None:
    """The server removes the log that the slot needs, as it does where nobody reads for long."""
    postgres.execute("alter system set max_slot_wal_keep_size = '1MB'")
    postgres.execute("select pg_reload_conf()")
    try:
        end = time.monotonic() + 30
        while postgres.execute("select wal_status from pg_replication_slots") != [("lost",)]:
            assert time.monotonic() < end
            postgres.execute("create table if not exists filler (n int); insert into filler values (1)", NAME)
            postgres.execute("select pg_switch_wal()")
            postgres.execute("checkpoint")
    finally:
        postgres.execute("alter system reset max_slot_wal_keep_size")
        postgres.execute("select pg_reload_conf()")


@pytest.mark.slow
def test_a_slot_that_the_server_lost(made: Callable[[str], Shop]) -> None:
    shop = made("stop")
    before = shop.lines()
    shop.write()
    lose(shop.postgres)
    shop.sold()
    with pytest.raises(SourceUnavailable, match="was invalidated .*max_slot_wal_keep_size.*--full-refresh"):
        shop.run()
    assert shop.lines() == before  # nothing of this run is published, of no source
    assert len(shop.lines("market")) == 1
    shop.run(full_refresh=True)
    shop.assert_equal()
    shop.write()
    shop.run()
    shop.assert_equal()
    assert len(shop.lines("market")) == 2


@pytest.mark.slow
def test_a_server_that_is_down_is_caught_up_with(made: Callable[[str], Shop]) -> None:
    shop = made("skip")
    shop.write()
    shop.postgres.stop()
    kept = shop.lines()
    shop.sold()
    told = shop.run().report.sources["shop.lines"]
    assert "cannot be reached" in told.failed
    assert shop.state() == "alarm"
    assert (shop.lines(), len(shop.lines("market"))) == (kept, 2)
    shop.postgres.start()
    shop.write()
    shop.sold()
    assert shop.run().report.sources["shop.lines"].failed == ""
    assert shop.state() != "alarm"
    shop.assert_equal()
    assert len(shop.lines("market")) == 3


@pytest.mark.slow
def test_a_password_that_is_wrong_and_a_slot_that_is_gone(made: Callable[[str], Shop]) -> None:
    shop = made("skip")
    kept = shop.lines()
    shop.write()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FOLLOWED_SHOP", shop.postgres.dsn(NAME, password="wrong one"))
        shop.sold()
        told = shop.run().report.sources["shop.lines"]
    assert "does not let us in" in told.failed
    assert "wrong one" not in told.failed
    assert PASSWORD not in told.failed
    assert (shop.state(), shop.lines()) == ("alarm", kept)
    shop.run()
    shop.assert_equal()
    shop.postgres.execute("select pg_drop_replication_slot('evervalue_shop')")
    shop.write()
    kept = shop.lines()
    told = shop.run().report.sources["shop.lines"]
    assert "is gone" in told.failed
    assert (shop.state(), shop.lines()) == ("alarm", kept)
    shop.run(full_refresh=True)
    shop.assert_equal()
    shop.write()
    shop.run()
    shop.assert_equal()


@pytest.mark.slow
@pytest.mark.parametrize("late", [False, True])
def test_a_full_refresh_that_was_killed(made: Callable[[str], Shop], late: bool) -> None:
    """It drops the slot before all else, so what is stored cannot be gone on from; the message says why."""
    shop = made("stop")
    kept = shop.lines()
    shop.postgres.execute(
        "insert into orders select g, '2024-02-01', 'many', 1, repeat(md5(g::text), 200) "
        "from generate_series(1001, 13000) as g",
        NAME,
    )
    with shop.postgres.connected(NAME) as con, shop.postgres.connected(NAME) as other:
        if not late:  # a transaction that has begun keeps a new slot from being made
            other.autocommit = False
            other.execute("create table unfinished (n int)")
        (first,) = con.execute("select confirmed_flush_lsn from pg_replication_slots").fetchone() or ("",)
        process = subprocess.Popen(
            [sys.executable, "-c", "from evervalue.cli import main; main()", "run", "--full-refresh"],
            cwd=shop.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        end = time.monotonic() + 60
        while time.monotonic() < end and process.poll() is None:
            row = con.execute("select confirmed_flush_lsn from pg_replication_slots").fetchone()
            if (row != (first,) and not late) or (row and row[0] and row[0] != first):
                break
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert process.returncode == -signal.SIGKILL
        assert process.stdout is not None
        process.stdout.close()
        if not late:
            other.rollback()
        end = time.monotonic() + 30  # until the server has seen that we are gone
        while con.execute("select 1 from pg_stat_activity where application_name = 'evervalue'").fetchone():
            assert time.monotonic() < end
    assert shop.lines() == kept
    with pytest.raises(SourceUnavailable, match="broken off.*evervalue run --full-refresh") as told:
        shop.run()
    assert ("made anew" if late else "is gone") in str(told.value)
    assert shop.lines() == kept
    shop.run(full_refresh=True)
    shop.assert_equal()
    shop.write()
    shop.run()
    shop.assert_equal()
