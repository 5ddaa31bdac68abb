"""One measured piece of following a database, in a process of its own: prints what it took as JSON."""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path

from benchmarks.measure import Took, tell, timed
from evervalue.core.clock import SystemClock
from evervalue.core.progress import Silent
from evervalue.sources import raw_zone
from evervalue.sources.changes.feed import bring_up
from evervalue.sources.changes.postgres_follow import PostgresChanges
from evervalue.sources.changes.wanted import Wanted
from evervalue.sources.changes.watch import Lag, watch
from evervalue.sources.databases.connection import Address
from evervalue.sources.keyed import Applied
from evervalue.warehouse.duckdb import connect

TABLE = "measured"


def follower(dsn: str, folder: Path) -> PostgresChanges:
    """What follows the measured table."""
    return PostgresChanges(
        "bench",
        Address("sources.bench", dsn),
        {"bench.measured": Wanted(TABLE)},
        temp=folder,
        progress=Silent(),
    )


def bring(dsn: str, warehouse: str, folder: str) -> None:
    """Everything that waits, in one load."""
    con = connect(Path(warehouse))
    raw_zone.ensure(con)
    one = follower(dsn, Path(folder))

    def work() -> dict[str, Applied]:
        with raw_zone.transaction(con):
            return bring_up(one, con, f"r{time.perf_counter_ns()}", full_refresh=False, progress=Silent())

    made, took = timed(work)
    told = made.get("bench.measured")
    (rows,) = con.execute('select count(*) from raw."bench.measured"').fetchone() or (0,)
    tell(took, changes=told.read if told else 0, rows=rows)


def steady(dsn: str, warehouse: str, folder: str, seconds: str) -> None:
    """Lag while the source is written to: of every batch, seconds since its newest commit."""
    lags: list[float] = []
    changes = 0
    stop = threading.Event()

    def note(lag: Lag) -> None:
        nonlocal changes
        changes += lag.changes
        if lag.changes and lag.seconds is not None:
            lags.append(lag.seconds)

    threading.Timer(float(seconds), stop.set).start()
    watch(
        {"bench": lambda temp, progress: follower(dsn, temp)},
        warehouse=Path(warehouse),
        temp=Path(folder),
        clock=SystemClock(),
        progress=Silent(),
        tell=note,
        stop=stop,
        batch_seconds=0.2,
    )
    lags.sort()
    tell(
        Took(float(seconds), sum(os.times()[:4])),
        changes=changes,
        batches=len(lags),
        p50=lags[len(lags) // 2],
        p95=lags[int(len(lags) * 0.95)],
        max=lags[-1],
    )


if __name__ == "__main__":
    if sys.argv[1] == "bring":
        bring(*sys.argv[2:])
    else:
        steady(*sys.argv[2:])
