"""How far behind a followed source is: asked of real servers, in runs and while it is followed."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from evervalue.core.clock import SystemClock
from evervalue.core.errors import EvervalueError, StorageError
from evervalue.core.progress import Silent
from evervalue.sources import raw_zone
from evervalue.sources.changes import standing
from evervalue.sources.changes.followers import followed
from evervalue.sources.changes.watch import Lag, watch
from evervalue.sources.load import load
from evervalue.sources.report import LoadReport
from evervalue.sources.systems import System, system
from evervalue.warehouse.duckdb import Connection, connect
from tests.support.mariadb import MariaDB
from tests.support.postgres import Postgres

NAME = "lag"


class Shop:
    """A database, the settings that follow it, and a warehouse in a file."""

    def __init__(self, server: Postgres | MariaDB, folder: Path) -> None:
        self.server, self.folder = server, folder
        self.path = folder / "warehouse.duckdb"
        self.kind = "postgres" if isinstance(server, Postgres) else "mysql"
        self.runs = 0
        self.sql(
            "create table orders (id int primary key, placed date, who varchar(9), amount numeric(10,2))"
        )
        self.sql("insert into orders values (1, '2025-01-01', 'c1', 5), (2, '2025-01-01', 'c2', 6)")

    def sql(self, statement: str) -> None:
        self.server.execute(statement, NAME)

    @property
    def system(self) -> System:
        return system("shop", {
            "kind": self.kind, "connection": "${LAG_DSN}", "capture": "changes", "on_failure": "skip",
            "tables": {"orders": {}},
            "outputs": {"lines": {"from": "orders", "provides": "order_lines", "columns": {
                "order_id": "id", "ordered_at": "placed", "customer_id": "who", "amount": "amount"}}},
        })  # fmt: skip

    def load(self, **options: Any) -> LoadReport:
        self.runs += 1
        con = connect(self.path, threads=1)
        try:
            return load(
                con, {"shop": self.system}, base=self.folder, project_currency="USD", time_zone="UTC",
                run_id=f"r{self.runs}", progress=Silent(),
                known_at=SystemClock().now().replace(tzinfo=None), **options,
            )  # fmt: skip
        finally:
            con.close()

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        con = connect(self.path, threads=1)
        try:
            return con.execute(query).fetchall()
        finally:
            con.close()

    def behind(self) -> float | None:
        """What the last load noted of its output."""
        found = (
            "select behind_seconds from raw.volumes where source = 'shop.lines' order by read_at desc limit 1"
        )
        ((seconds,),) = self.rows(found)
        return None if seconds is None else float(seconds)

    @contextmanager
    def watched(self, *, ends: type[EvervalueError] | None = None) -> Iterator[list[Lag]]:
        """Followed while the block lasts; what was told."""
        told: list[Lag] = []
        stop = threading.Event()
        failed: list[BaseException] = []

        def follow() -> None:
            try:
                watch(
                    followed({"shop": self.system}), warehouse=self.path, temp=self.folder, clock=SystemClock(),
                    progress=Silent(), tell=told.append, stop=stop, batch_seconds=0.1, idle_seconds=0.3,
                    standings=self.folder / standing.FOLDER,
                )  # fmt: skip
            except BaseException as error:
                failed.append(error)

        thread = threading.Thread(target=follow)
        thread.start()
        try:
            until(lambda: bool(told) or bool(failed))
            yield told
            if ends is not None:
                until(lambda: bool(failed))
        finally:
            stop.set()
            thread.join(30)
        assert not thread.is_alive()
        if ends is None:
            assert not failed, failed
        else:
            assert isinstance(failed[0], ends), failed
            self.failed = str(failed[0])

    def standing(self) -> standing.Standing:
        return standing.read(self.folder / standing.FOLDER)["shop"]


def until(true: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.fixture
def pg(postgres: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    monkeypatch.setenv("LAG_DSN", postgres.fresh_database(NAME))
    yield Shop(postgres, tmp_path)
    postgres.fresh_database(NAME)


@pytest.fixture
def my(mariadb: MariaDB, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    monkeypatch.setenv("LAG_DSN", mariadb.fresh_database(NAME))
    return Shop(mariadb, tmp_path)


def test_a_run_tells_how_far_behind_it_is_and_where_it_cannot_how_far_it_was(pg: Shop) -> None:
    check_runs(pg, "alter table orders rename to hidden")


def test_a_run_over_a_binary_log_tells_it_too(my: Shop) -> None:
    check_runs(my, "rename table orders to hidden")


def check_runs(shop: Shop, break_it: str) -> None:
    first = shop.load().sources
    assert {name: one.behind_seconds for name, one in first.items()}.keys() == {"shop.orders", "shop.lines"}
    seconds = shop.behind()
    assert seconds is not None
    assert 0 <= seconds < 5
    shop.sql("insert into orders values (3, '2025-01-02', 'c3', 7)")
    shop.load()
    assert shop.rows('select count(*) from raw."shop.orders"') == [(3,)]
    seconds = shop.behind()
    assert seconds is not None
    assert 0 <= seconds < 5
    ((current, committed),) = shop.rows("select current_to, committed_at from raw.positions where feed = ''")
    now = dt.datetime.now(dt.UTC).replace(tzinfo=None)
    assert dt.timedelta() <= now - current < dt.timedelta(seconds=30), "in UTC, whatever the server's zone is"
    assert dt.timedelta() <= now - committed < dt.timedelta(seconds=30)
    # What cannot be read keeps no good figure: it is as old as what was applied last.
    shop.rows("update raw.positions set current_to = current_to - interval 3 hour, "
              "committed_at = committed_at - interval 2 hour where feed = ''")  # fmt: skip
    shop.sql(break_it)
    report = shop.load().sources["shop.lines"]
    assert report.failed
    seconds = shop.behind()
    assert seconds is not None
    assert 7200 <= seconds < 7260


def test_who_follows_says_how_far_behind_it_is_and_that_it_ended(pg: Shop) -> None:
    check_watch(pg)


def test_who_follows_a_binary_log_says_it_too(my: Shop) -> None:
    check_watch(my)


def check_watch(shop: Shop) -> None:
    with shop.watched() as told:
        until(lambda: told[-1].seconds == 0)
        assert shop.standing().state == "following"
        shop.sql("insert into orders values (4, '2025-01-02', 'c4', 7)")
        until(lambda: any(lag.changes == 1 for lag in told) and told[-1].seconds == 0)
        asked = shop.standing().asked_at
        assert asked is not None
        until(lambda: (shop.standing().asked_at or asked) > asked)
        held = shop.standing()
        assert (held.behind_seconds, held.behind_bytes, held.says) == (0, 0, "")
    assert shop.standing().state == "stopped"
    assert shop.rows('select count(*) from raw."shop.orders"') == [(3,)]


def test_a_server_that_is_away_is_told_and_the_lag_grows(pg: Shop) -> None:
    with pg.watched() as told:
        until(lambda: told[-1].seconds == 0)
        pg.server.stop()
        until(lambda: pg.standing().state == "retrying")
        held = pg.standing()
        assert "sources.shop" in held.says
        seen = standing.seen(held, held.told_at + dt.timedelta(seconds=30))
        assert seen is not None
        assert (seen.followed, seen.state) == ("retrying", "watch")
        assert seen.seconds is not None
        assert seen.seconds >= 30
        pg.server.start()
        until(lambda: pg.standing().state == "following" and pg.standing().behind_seconds == 0)


def test_a_run_beside_who_follows_tells_how_far_that_one_is(pg: Shop) -> None:
    pg.load()
    with pg.watched():
        pg.sql("insert into orders values (5, '2025-01-02', 'c5', 7)")
        until(lambda: pg.standing().behind_seconds == 0)
        until(lambda: _free(pg.load) is not None)
        found: list[float] = []

        def look() -> bool:
            if (seconds := _free(pg.behind)) is not None:
                found.append(seconds)
            return bool(found)

        until(look)
        assert 0 <= found[0] < 5


def _free(ask: Callable[[], Any]) -> Any:
    """The answer, where no other process or thread holds the warehouse just now."""
    try:
        return ask()
    except EvervalueError:
        time.sleep(0.05)
        return None


def test_the_tables_of_the_warehouse_are_made_once(pg: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Connection] = []
    real = raw_zone.ensure

    def ensure(con: Connection) -> None:
        made.append(con)
        real(con)

    monkeypatch.setattr(raw_zone, "ensure", ensure)
    with pg.watched() as told:
        for n in (10, 11, 12):
            changes = sum(lag.changes for lag in told)
            pg.sql(f"insert into orders values ({n}, '2025-01-02', 'c', 1)")
            until(lambda before=changes: sum(lag.changes for lag in told) > before)  # type: ignore[misc]
    assert len(made) == 1


@pytest.mark.parametrize("how", ["deleted", "replaced", "set back"])
def test_a_warehouse_that_goes_beneath_who_follows_is_told(pg: Shop, how: str) -> None:
    pg.load()
    before = pg.path.read_bytes()
    pg.sql("insert into orders values (6, '2025-01-02', 'c6', 7)")
    with pg.watched(ends=StorageError) as told:
        until(lambda: told[-1].seconds == 0 and sum(lag.changes for lag in told) == 1)
        if how == "set back":
            until(lambda: _free(lambda: pg.rows("select 1")) is not None)
            pg.path.write_bytes(before)
        elif how == "deleted":
            pg.path.unlink()
        else:
            (other := pg.folder / "other.duckdb").write_bytes(before)
            other.replace(pg.path)
        pg.sql("insert into orders values (7, '2025-01-02', 'c7', 7)")
    words = {"deleted": "was deleted", "replaced": "was replaced", "set back": "an older one"}
    assert words[how] in pg.failed
    assert "evervalue run --full-refresh" in pg.failed
    held = pg.standing()
    assert (held.state, held.says) == ("failed", pg.failed)
    if how == "deleted":
        assert not pg.path.exists(), "no empty one was put in its place"
