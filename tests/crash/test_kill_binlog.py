"""Our process is killed at random while it follows MariaDB's log, the server restarted; then all rows are its own."""

from __future__ import annotations

import random
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pymysql  # type: ignore[import-untyped]
import pytest

from evervalue.sources.keyed import KeyedTable
from evervalue.warehouse.duckdb import connect, quoted
from tests.crash.test_kill import TABLES, Following
from tests.crash.workload_mariadb import SETUP, Workload
from tests.support.mariadb import MariaDB

DATABASE = "crash"
KEYS = {"items": ["id"], "pairs": ["b", "a"]}


def run(
    mariadb: MariaDB, folder: Path, *, changes: int, kills: int, restarts: int, seed: int
) -> dict[str, Any]:
    """The workload with kills and restarts; what it came to."""
    dsn = mariadb.fresh_database(DATABASE)
    mariadb.execute(SETUP.format(rows=2000), DATABASE)
    (folder / "tmp").mkdir(parents=True)
    following = Following(dsn, folder)
    rng = random.Random(seed)
    done = threading.Event()
    failed: list[BaseException] = []
    server = threading.Lock()
    state = {"killed": 0}
    total = {"changes": 0, "transactions": 0, "reshaped": 0}

    def write() -> None:
        try:
            con = _connected(mariadb)
            work = Workload(con, seed, 2000)
            while work.changes < changes:
                if (
                    work.changes / changes > (state["killed"] + 1) / kills
                ):  # kills are spread over all changes
                    time.sleep(0.05)
                    continue
                with server:
                    try:
                        con.ping(reconnect=False)
                    except pymysql.err.MySQLError:  # the server was restarted
                        con = work.con = _connected(mariadb)
                    work.transaction(max(20, changes // 3000))
                    if work.changes / changes > (work.reshaped + 1) / 13:
                        work.reshape()
                    if work.changes / changes > (work.emptied + 1) / 5:
                        work.truncate()
            total.update(changes=work.changes, transactions=work.transactions, reshaped=work.reshaped)
            con.close()
        except BaseException as error:
            failed.append(error)
        finally:
            done.set()

    writer = threading.Thread(target=write)
    following.start()
    writer.start()
    restarted = 0
    try:
        while state["killed"] < kills or not done.is_set():
            if rng.random() < 0.6:
                following.told_something()
            time.sleep(rng.uniform(0.0, 1.5))
            if state["killed"] < kills:
                following.kill()
                state["killed"] += 1
                if restarted < restarts and rng.random() < restarts / kills * 2:
                    with server:
                        mariadb.restart(immediate=rng.random() < 0.5)
                    restarted += 1
                following.start()
            elif done.is_set():
                break
            if restarted < restarts and rng.random() < 0.3:  # while our process follows
                with server:
                    mariadb.restart(immediate=rng.random() < 0.5)
                restarted += 1
        writer.join()
        assert not failed, failed
        _caught_up(mariadb, following)
        assert following.stop() == 0, following.said.read_text()[-3000:]
    finally:
        with suppress(Exception):
            following.kill()
    rows = assert_equal(mariadb, following.warehouse)
    return {
        **total,
        "kills": state["killed"],
        "restarts": restarted,
        "rows": rows,
        "peak_mb": following.peak_mb(),
    }


def _connected(mariadb: MariaDB) -> Any:
    return pymysql.connect(
        host=mariadb.host, port=mariadb.port, user=mariadb.user, password=mariadb.password, database=DATABASE,
        autocommit=True,
    )  # fmt: skip


def _caught_up(mariadb: MariaDB, following: Following, seconds: float = 300) -> None:
    """Waits until it says twice that nothing is left to read."""
    mark = len(following.said.read_bytes())
    end = time.monotonic() + seconds
    while following.said.read_bytes()[mark:].count(b"lag 0 ") < 2:
        assert following.process is not None
        assert following.process.poll() is None, following.said.read_text()[-3000:]
        assert time.monotonic() < end, following.said.read_text()[-3000:]
        time.sleep(0.1)


def assert_equal(mariadb: MariaDB, warehouse: Path) -> dict[str, int]:
    """Every row and column of the source is live, and nothing else; no change is there twice. Rows a table."""
    con = connect(warehouse)
    found = {}
    for name in TABLES:
        columns = [str(row[0]) for row in mariadb.execute(f"describe {name}", DATABASE)]
        listed = ", ".join(f"`{c}`" for c in columns)
        source = mariadb.execute(f"select {listed} from {name}", DATABASE)
        types = {str(r[0]): str(r[1]) for r in con.execute(f'describe raw."shop.{name}"').fetchall()}
        table = KeyedTable(con, f"shop.{name}", KEYS[name], [(k, types[k]) for k in KEYS[name]])
        named = ", ".join(map(quoted, columns))
        ours = con.execute(f"select {named} from {table.live}").fetchall()
        assert len(ours) == len(source), (name, len(ours), len(source))
        assert sorted(ours, key=repr) == sorted(source, key=repr), name
        content = f"select count(*), bit_xor(hash({named})) from "
        live = con.execute(content + table.live).fetchall()
        assert con.execute(f"{content} ({table.rebuilt()})").fetchall() == live
        assert table.state()["live_rows"] == len(ours)
        assert con.execute(f"select count(distinct _line) from {table.live}").fetchone() == (len(ours),)
        twice = con.execute(
            f"select _lsn, _ordinal from (select _lsn, _ordinal, _op from {table.live} union all select _lsn, "
            f"_ordinal, _op from {table.past}) where _op in ('i', 'u') and _ordinal > 0 and _lsn > 0 "
            "group by all having count(*) > 1"
        ).fetchall()
        assert not twice, (name, twice[:3])
        found[name] = len(ours)
    con.close()
    return found


@pytest.mark.slow
def test_killed_a_few_times_while_it_follows_a_log(mariadb: MariaDB, tmp_path: Path) -> None:
    found = run(mariadb, tmp_path / "small", changes=6_000, kills=3, restarts=2, seed=1)
    assert found["changes"] >= 6_000
    assert found["kills"] == 3


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_killed_many_times_in_many_changes_of_a_log(
    mariadb: MariaDB, tmp_path: Path, full_proof: bool
) -> None:
    changes, kills = (1_000_000, 100) if full_proof else (60_000, 8)
    found = run(
        mariadb, tmp_path / "large", changes=changes, kills=kills, restarts=max(2, kills // 10), seed=7
    )
    print(found)
    assert found["kills"] == kills
