"""A table of PostgreSQL into the warehouse: all of it, nothing new, a little new; beside COPY, ConnectorX and dlt.

`python -m benchmarks.full_load DSN FOLDER full|again` measures one load in this process.
"""

from __future__ import annotations

import datetime as dt
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.measure import Result, fresh, tell, timed
from evervalue.core.progress import Silent
from evervalue.sources import raw_zone
from evervalue.sources.databases.connection import Address
from evervalue.sources.databases.feed import Snapshot, TableFeed
from evervalue.sources.databases.postgres import PostgresReader
from evervalue.sources.feed import Context
from evervalue.sources.report import SourceReport
from evervalue.warehouse.duckdb import connect
from tests.support.postgres import Postgres

ROWS = 10_000_000
PEERS = Path(__file__).parents[1] / ".venv-peers" / "bin" / "python"
MADE = """
create table orders (
    id bigint primary key, customer_id integer not null, placed_at timestamptz not null, status text not null,
    amount numeric(12, 2) not null, note text);
insert into orders select g, (g::bigint * 7919) % 1000000, timestamptz '2020-01-01 00:00+00' + g * interval '7 seconds',
    (array['new', 'paid', 'sent'])[1 + g % 3], (g % 100000)::numeric / 100, case when g % 4 = 0 then 'note ' || g end
from generate_series(1, {rows}) as g;
vacuum analyze orders;
"""
CHANGED = "update orders set amount = amount + 1 where id between {start} and {end}"
ABOUT = """\
Rows of six columns (two integers, a timestamp, a text of three values, a decimal, a text that is often null) of a
PostgreSQL server on the same machine, so that both share its cores. COPY writes CSV to a file and does nothing else.
Evervalue takes one snapshot, has every range of the key hashed by the server, copies, types and stores it in the
warehouse, with rows counted on every side. ConnectorX and dlt take each column as the type they find; ConnectorX ends
with Arrow in memory, dlt (through ConnectorX) with a DuckDB file. Memory is the most that the process held, beside the
server's and psql's.

| what | seconds | rows a second | processor seconds | peak memory of the process |
| --- | ---: | ---: | ---: | ---: |"""


def section(folder: Path, say: Callable[[str], None], *, quick: bool, rows: int = ROWS) -> str:
    """The section of the report: each load in a fresh process."""
    rows = 200_000 if quick else rows
    server = Postgres().start()
    work = Path(tempfile.mkdtemp(prefix="full-load-", dir=folder))
    lines = []

    def took(name: str, result: Result | str, read: int = rows) -> None:
        if isinstance(result, str):
            lines.append(f"| {name} | {result} | | | |")
        else:
            lines.append(
                f"| {name} | {result.seconds:.1f} | {read / result.seconds:,.0f} | {result.cpu_seconds:.1f} "
                f"| {result.peak_mb:,.0f} MB |"
            )
        say(lines[-1])

    try:
        dsn = server.fresh_database("bench")
        server.execute(MADE.format(rows=rows).replace("vacuum analyze orders;", ""), "bench")
        server.execute("vacuum analyze orders", "bench")
        module = "benchmarks.full_load"
        took("COPY to CSV, by psql", fresh(module, dsn, str(work), "copy", str(server.bin)))
        took("Evervalue, all of it", fresh(module, dsn, str(work), "full"))
        took("Evervalue, nothing has changed", fresh(module, dsn, str(work), "again"))
        server.execute(CHANGED.format(start=rows // 2, end=rows // 2 + rows // 1000), "bench")
        took(
            f"Evervalue, {rows // 1000:,} rows side by side have changed",
            fresh(module, dsn, str(work), "again"),
        )
        for peer, name in (("connectorx", "ConnectorX, to Arrow in memory"), ("dlt", "dlt, to DuckDB")):
            took(name, _peer(peer, dsn, work))
    finally:
        server.remove()
        shutil.rmtree(work, ignore_errors=True)
    return "\n".join([f"## A table of {rows:,} rows out of PostgreSQL", "", ABOUT, *lines, ""])


def _peer(name: str, dsn: str, work: Path) -> Result | str:
    if not PEERS.exists():
        return "not here; make peers"
    try:
        return fresh("benchmarks.full_load_peers", name, dsn, str(work), python=PEERS, timeout=3600)
    except (RuntimeError, subprocess.TimeoutExpired) as error:
        return "failed: " + str(error).strip().splitlines()[-1][:120]


def load(dsn: str, folder: Path) -> int:
    """Rows that the warehouse holds after one load."""
    con = connect(folder / "warehouse.duckdb", temp_directory=folder / "spill")
    feed = TableFeed(
        "shop.orders",
        system="shop",
        table="orders",
        snapshot=Snapshot(PostgresReader(Address("sources.shop", dsn))),
    )
    report = SourceReport("shop.orders", "")
    with raw_zone.transaction(con):
        raw_zone.ensure(con)
        feed.bring(Context(con, folder, "run", dt.datetime(2026, 1, 1), Silent(), folder), report)
    feed.settle()
    found = con.execute('select count(*) from raw."shop.orders"').fetchone()
    con.close()
    return int(found[0]) if found else 0


def main() -> None:
    dsn, folder, what, *more = sys.argv[1:]
    if what == "copy":
        with (Path(folder) / "orders.csv").open("wb") as out:
            asked = "copy orders to stdout (format csv)"
            _, took = timed(
                lambda: subprocess.run([f"{more[0]}/psql", "-Xqc", asked, dsn], stdout=out, check=True)
            )
        (Path(folder) / "orders.csv").unlink()
        tell(took)
        return
    rows: Any
    rows, took = timed(lambda: load(dsn, Path(folder)))
    tell(took, rows=rows)


if __name__ == "__main__":
    main()
