"""Changes a second from a real PostgreSQL into the raw zone, memory of one great transaction, lag in steady writes.

`python -m benchmarks.changes` prints the table; the server is the one that the tests start.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.measure import Result, fresh
from tests.support.postgres import Postgres

SETUP = """
create table measured (id bigint primary key, n numeric(12,2), note text, at timestamptz default now(), flag boolean);
insert into measured select g, g * 1.25, md5(g::text), now(), g % 3 = 0 from generate_series(1, {rows}) as g
"""


TEXT = """\
## Following a database

A table of {rows:,} rows and five columns in PostgreSQL 18 on the same machine, over TCP. One process follows it into
the raw zone; every batch is committed with its position, and every version of a row is kept.

| what | seconds | rows or changes a second | peak memory |
| --- | ---: | ---: | ---: |
{pieces}

Steady load: {rate:,.0f} changes a second were written in small transactions for {seconds:.0f} s, and {changes:,}
applied in {batches:,} batches. When a batch was committed, its newest change was {p50:.2f} s old at the median,
{p95:.2f} s at the 95th percentile and {max:.2f} s at most; peak memory {peak:,.0f} MB.

Peers. dlt's source for PostgreSQL replication (`pg_replication`) is no package of the index that this repository
installs from but source to be copied into a project, so it was not run. Debezium needs Kafka Connect or a server of its
own and was not run either. Neither documentation gives changes a second that could stand here; what they document of
behaviour is told in [docs/sources/changes.md](sources/changes.md).
"""


def section(_folder: Path, say: Callable[[str], None], *, quick: bool = False) -> str:
    """The section of the report."""
    rows, changes = (20_000, 20_000) if quick else (1_000_000, 1_000_000)
    with tempfile.TemporaryDirectory(prefix="benchmarks-changes-") as folder:
        found = measure(Path(folder), rows, changes, 10 if quick else 60, say)
    lag, steady = found["steady"].more, found["steady"]
    pieces = [
        f"| {what} | {result.seconds:.1f} | {n / result.seconds:,.0f} | {result.peak_mb:,.0f} MB |"
        for what, result, n in found["pieces"]
    ]
    return TEXT.format(
        rows=rows,
        pieces="\n".join(pieces),
        rate=found["rate"],
        seconds=steady.seconds,
        peak=steady.peak_mb,
        **lag,
    )


def measure(
    folder: Path, rows: int, changes: int, seconds: int, say: Callable[[str], None]
) -> dict[str, Any]:
    """Every piece, measured."""
    server = Postgres().start()
    try:
        dsn = server.fresh_database("bench")
        server.execute(SETUP.format(rows=rows), "bench")
        warehouse = folder / "warehouse.duckdb"
        (folder / "tmp").mkdir()
        arguments = (dsn, str(warehouse), str(folder / "tmp"))
        pieces: list[tuple[str, Result, int]] = []

        def piece(what: str, n: int, statement: str | None) -> None:
            say(what)
            if statement:
                with server.connected("bench") as con:
                    for one in statement.split(";;"):
                        con.execute(one.encode())
            result = fresh("benchmarks.changes_work", "bring", *arguments)
            (there,) = server.execute("select count(*) from measured", "bench")[0]
            assert result.more["rows"] == there
            pieces.append((what, result, n))

        piece("first copy", rows, None)
        piece(
            f"one transaction of {changes:,} updates",
            changes,
            f"update measured set n = n + 1, note = md5(note) where id <= {changes}",
        )
        half = changes // 2
        piece(
            f"{half:,} inserts and {half:,} updates, a transaction a thousand",
            2 * half,
            f"""do $$ begin for k in 0..{half // 500 - 1} loop
                insert into measured select {rows} + k * 500 + g, g, md5(g::text), now(), true
                    from generate_series(1, 500) as g;
                update measured set n = n + 1 where id > k * 500 and id <= (k + 1) * 500; commit; end loop; end $$""",
        )
        say("steady load")
        stop = threading.Event()
        written = [0]
        writer = threading.Thread(target=_write, args=(dsn, stop, written, rows))
        writer.start()
        steady = fresh("benchmarks.changes_work", "steady", *arguments, str(seconds))
        stop.set()
        writer.join()
        return {
            "pieces": pieces,
            "steady": steady,
            "rate": written[0] / written[1],
        }
    finally:
        server.remove()


def _write(dsn: str, stop: threading.Event, written: list[int], rows: int) -> None:
    """A hundred transactions a second of twenty changes, as far as the server keeps up."""
    start = time.perf_counter()
    done = 0
    with psycopg.connect(dsn, autocommit=True) as con:
        while not stop.is_set():
            first = done * 10 % rows
            con.execute(
                f"begin; update measured set n = n + 1 where id > {first} and id <= {first + 10}; "
                f"insert into measured select {10_000_000 + done * 10} + g, 0, 'new', now(), false "
                "from generate_series(1, 10) as g; commit"
            )
            done += 1
            written[0] = done * 20
            time.sleep(max(0.0, start + done / 100 - time.perf_counter()))
    written.append(int(time.perf_counter() - start))


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--quick", action="store_true")
    print(section(Path(), print, quick=options.parse_args().quick))
