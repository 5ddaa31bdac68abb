"""Our process is killed at random, the server restarted while it is written to; then all rows are the source's."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest

from evervalue.sources.keyed import KeyedTable
from evervalue.warehouse.duckdb import connect, quoted
from tests.crash.workload import SETUP, Workload
from tests.support.postgres import Postgres

TABLES = ("items", "pairs")
ROOT = Path(__file__).resolve().parents[2]


class Following:
    """The process under test."""

    def __init__(self, dsn: str, folder: Path, *, rows: int = 50_000, seconds: float = 0.3) -> None:
        self.folder = folder
        self.warehouse = folder / "warehouse.duckdb"
        self.command = [
            *(sys.executable, "-m", "tests.crash.follower", dsn, str(self.warehouse), str(folder / "tmp")),
            *(str(rows), str(seconds), *TABLES),
        ]
        self.said = folder / "said"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.before = self.said.stat().st_size if self.said.exists() else 0
        with self.said.open("ab") as out:
            self.process = subprocess.Popen(
                self.command,
                cwd=ROOT,
                stdout=out,
                stderr=out,
                env={**os.environ, "EVERVALUE_MEMORY_LIMIT": "1GB"},
            )

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)

    def caught_up(self, con: Any, seconds: float = 900) -> None:
        """Waits until the slot was acknowledged up to where the source stands now."""
        (target,) = con.execute("select pg_current_wal_flush_lsn()").fetchone()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            assert self.process is not None
            assert self.process.poll() is None, self.said.read_text()[-3000:]
            row = con.execute(
                "select confirmed_flush_lsn >= %s::pg_lsn from pg_replication_slots where slot_name = 'evervalue_shop'",
                [target],
            ).fetchone()
            if row and row[0]:
                return
            time.sleep(0.1)
        raise AssertionError(self.said.read_text()[-3000:])

    def told_something(self, seconds: float = 6) -> None:
        """Waits until a batch was applied since the start."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and b"lag " not in self.said.read_bytes()[self.before :]:
            time.sleep(0.02)

    def said_idle(self) -> None:
        """Waits until it has looked twice at tables that nothing is written to."""
        mark = len(self.said.read_bytes())
        end = time.monotonic() + 60
        while time.monotonic() < end and self.said.read_bytes()[mark:].count(b"lag 0 0.0 0") < 2:
            time.sleep(0.05)

    def peak_mb(self) -> int:
        lines = [line for line in self.said.read_text().splitlines() if line.startswith("lag ")]
        return max(int(line.split()[-1]) for line in lines)


def assert_equal(postgres: Postgres, database: str, warehouse: Path) -> dict[str, int]:
    """Every row and column of the source is live, and nothing else; live is what a rebuild gives. Rows a table."""
    con = connect(warehouse)
    found = {}
    for name in TABLES:
        columns = [
            r[0]
            for r in postgres.execute(
                f"select attname from pg_attribute where attrelid = '{name}'::regclass and attnum > 0 "
                "and not attisdropped order by attnum",
                database,
            )
        ]
        key = ["id"] if name == "items" else ["b", "a"]
        table = KeyedTable(con, f"shop.{name}", key, [(k, t) for k, t in _types(con, name) if k in key])
        cells = ", ".join(_shown(quoted(c), t) for c, t in _types(con, name, columns))
        source = postgres.psql(
            "select " + ", ".join(_as_text(c) for c in columns) + f" from {name}", database
        )
        ours = [
            ["<null>" if v is None else v for v in row]
            for row in con.execute(f"select {cells} from {table.live}").fetchall()
        ]
        assert len(ours) == len(source), (name, len(ours), len(source))
        assert sorted(ours) == sorted(source), name
        live = con.execute(
            f"select count(*), bit_xor(hash({', '.join(map(quoted, columns))})) from {table.live}"
        ).fetchall()
        rebuilt = con.execute(
            f"select count(*), bit_xor(hash({', '.join(map(quoted, columns))})) from ({table.rebuilt()})"
        ).fetchall()
        assert rebuilt == live
        assert table.state()["live_rows"] == len(ours)
        lines = con.execute(f"select count(distinct _line) from {table.live}").fetchone()
        assert lines == (len(ours),)
        found[name] = len(ours)
    con.close()
    return found


def _types(con: Any, name: str, columns: list[str] | None = None) -> list[tuple[str, str]]:
    held = {str(r[0]): str(r[1]) for r in con.execute(f'describe raw."shop.{name}"').fetchall()}
    return [(c, held[c]) for c in columns or [c for c in held if not c.startswith("_")]]


def _as_text(column: str) -> str:
    return f"case when {column} is null then '<null>' else rtrim({column}::text) end"


def _shown(cell: str, type: str) -> str:
    if type == "TIMESTAMP WITH TIME ZONE":
        return f"regexp_replace(strftime({cell}, '%Y-%m-%d %H:%M:%S.%f'), '\\.?0+$', '') || '+00'"
    if type == "DOUBLE":
        return f"regexp_replace({cell}::varchar, '\\.0$', '')"
    return f"rtrim({cell}::varchar)"


def run(
    postgres: Postgres, folder: Path, *, changes: int, kills: int, restarts: int, seed: int
) -> dict[str, Any]:
    """The workload with kills and restarts; what it came to."""
    database = "crash"
    dsn = postgres.fresh_database(database)
    postgres.execute(SETUP.format(rows=2000), database)
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
            con = psycopg.connect(dsn, autocommit=True)
            work = Workload(con, seed, 2000)
            while work.changes < changes:
                if (
                    work.changes / changes > (state["killed"] + 1) / kills
                ):  # kills are spread over all changes
                    time.sleep(0.05)
                    continue
                with server:
                    try:
                        con.execute("select 1")
                    except psycopg.OperationalError:  # the server was restarted
                        con = work.con = psycopg.connect(dsn, autocommit=True)
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
    while state["killed"] < kills or not done.is_set():
        if rng.random() < 0.6:
            following.told_something()
        time.sleep(rng.uniform(0.0, 1.5))
        if state["killed"] < kills:
            following.kill()
            state["killed"] += 1
            if restarted < restarts and rng.random() < restarts / kills * 2:
                with server:
                    postgres.restart(immediate=rng.random() < 0.5)
                restarted += 1
            following.start()
        elif done.is_set():
            break
    writer.join()
    assert not failed, failed
    with postgres.connected(database) as con:
        following.caught_up(con)
        following.said_idle()
        assert following.stop() == 0, following.said.read_text()[-3000:]
    rows = assert_equal(postgres, database, following.warehouse)
    return {
        **total,
        "kills": state["killed"],
        "restarts": restarted,
        "rows": rows,
        "peak_mb": following.peak_mb(),
    }


@pytest.mark.slow
def test_killed_a_few_times_nothing_is_lost(postgres: Postgres, tmp_path: Path) -> None:
    found = run(postgres, tmp_path / "small", changes=8_000, kills=3, restarts=1, seed=1)
    assert found["changes"] >= 8_000
    assert found["kills"] == 3


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_killed_a_hundred_times_in_a_million_changes_nothing_is_lost(
    postgres: Postgres, tmp_path: Path, full_proof: bool
) -> None:
    changes, kills = (1_000_000, 100) if full_proof else (100_000, 12)
    found = run(postgres, tmp_path / "large", changes=changes, kills=kills, restarts=kills // 10, seed=7)
    print(found)
    assert found["kills"] == kills
