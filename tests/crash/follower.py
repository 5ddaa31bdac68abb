"""The process that is killed: follows tables into a warehouse until SIGTERM; the arguments are those of `main`."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

from evervalue.core.clock import SystemClock
from evervalue.core.progress import Progress
from evervalue.sources.changes.binlog import BinlogChanges
from evervalue.sources.changes.feed import Follower
from evervalue.sources.changes.postgres_follow import PostgresChanges
from evervalue.sources.changes.wanted import Wanted
from evervalue.sources.changes.watch import Lag, watch
from evervalue.sources.databases.connection import Address


class Told:
    """Says on standard error what happens."""

    def step(self, says: str, *, detail: str = "") -> None:
        print("step", says, detail, file=sys.stderr, flush=True)

    def doing(self, says: str) -> None:
        pass

    def warn(self, says: str) -> None:
        print("warning", says, file=sys.stderr, flush=True)


def main(dsn: str, warehouse: str, folder: str, rows: str, seconds: str, *tables: str) -> None:
    def make(temp: Path, progress: Progress) -> Follower:
        kind = BinlogChanges if dsn.startswith("mysql") else PostgresChanges
        return kind(
            "shop",
            Address("sources.shop", dsn),
            {f"shop.{name}": Wanted(name) for name in tables},
            temp=temp,
            progress=progress,
            batch_rows=int(rows),
        )

    def tell(lag: Lag) -> None:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        print(f"lag {lag.bytes} {lag.seconds} {lag.changes} {peak}", flush=True)

    watch(
        {"shop": make},
        warehouse=Path(warehouse),
        temp=Path(folder),
        clock=SystemClock(),
        progress=Told(),
        tell=tell,
        batch_seconds=float(seconds),
        idle_seconds=1.0,
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
