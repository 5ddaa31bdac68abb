"""Runs after the first: what it costs to take in a delivery, by its size, beside reading everything again.

`python -m benchmarks.incremental LINES FOLDER` measures one project in this process.
"""

from __future__ import annotations

import datetime as dt
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import data
from benchmarks.measure import fresh, tell, timed
from evervalue.core.clock import FixedClock
from evervalue.core.progress import Silent
from evervalue.pipeline.run import run
from evervalue.pipeline.settings import read_project
from evervalue.warehouse.duckdb import connect, literal

TOML = """
[project]
name = "Made-up sales"
[sources.sales]
path = "in"
[sources.sales.columns]
order_id = "order_id"
ordered_at = "order_date"
customer_id = "customer_id"
amount = "monetary"
[lrfm]
monetary = "revenue"
ties = "share"
[value]
model = "none"
"""
FILE_LINES = 100_000
SAYS = (
    f"A folder of files of {FILE_LINES:,} lines, a customer to ten of them. Loading (finding what changed, reading, "
    "mapping, accounting for every row) and the tables of lines cost what changed, and a table of which nothing that "
    "it reads changed costs nothing. What is left is linear in customers, whose scores and ranks hang on one another "
    "and on the cutoff, and in the two checks that hold conservation."
)
DELIVERIES = (1_000, 10_000, 100_000)
SIZES = (1_000_000, 5_000_000)


def section(folder: Path, say: Callable[[str], None], *, quick: bool) -> str:
    """The section of the report."""
    rows = []
    for lines in (200_000,) if quick else SIZES:
        result = fresh("benchmarks.incremental", str(lines), str(folder))
        for step in result.more["steps"]:
            say(f"{lines:,} lines, {step['what']}: load {step['load']:.2f} s, tables {step['tables']:.2f} s")
            rows.append(f"| {lines:,} | {step['what']} | {step['load']:.2f} | {step['tables']:.2f} |")
    return "\n".join(
        [
            "## Taking in what is new",
            "",
            SAYS,
            "",
            "| lines there | run | seconds to load | seconds to build and check the tables |",
            "| ---: | --- | ---: | ---: |",
            *rows,
            "",
        ]
    )


def measure(lines: int, folder: Path) -> list[dict[str, float | str]]:
    """Seconds of the first run, of runs with deliveries of several sizes, of one without, and of a full refresh."""
    work = Path(tempfile.mkdtemp(prefix="incremental-", dir=folder))
    try:
        (work / "in").mkdir()
        (work / "evervalue.toml").write_text(TOML)
        whole = data.parquet(folder, lines + sum(DELIVERIES), max(lines // 10, 1))
        _part(whole, work / "in", 0, lines, FILE_LINES)
        steps = [_step(work, "first", 0)]
        at = lines
        for n, size in enumerate(DELIVERIES, 1):
            _part(whole, work / "in", at, at + size, size)
            at += size
            steps.append(_step(work, f"{size:,} lines more", n))
        steps.append(_step(work, "nothing new", len(DELIVERIES) + 1))
        steps.append(_step(work, "everything again", len(DELIVERIES) + 2, full_refresh=True))
        return steps
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _part(whole: Path, target: Path, first: int, last: int, size: int) -> None:
    con = connect()
    for start in range(first, last, size):
        file = literal(str(target / f"{start:012}.csv"))
        con.execute(
            f"copy (select * from read_parquet({literal(str(whole))}, file_row_number = true) "
            f"where file_row_number >= {start} and file_row_number < {min(start + size, last)}) to {file} (header)"
        )
    con.close()


def _step(work: Path, what: str, day: int, *, full_refresh: bool = False) -> dict[str, float | str]:
    clock = FixedClock(dt.datetime(2024, 3, 1, 12, tzinfo=dt.UTC) + dt.timedelta(days=day))
    start = time.perf_counter()
    done = run(read_project(work), clock=clock, progress=Silent(), full_refresh=full_refresh)
    seconds = time.perf_counter() - start
    tables = sum(b.seconds for b in done.built)
    return {"what": what, "load": seconds - tables, "tables": tables}


def main() -> None:
    steps, took = timed(lambda: measure(int(sys.argv[1]), Path(sys.argv[2])))
    tell(took, steps=steps)


if __name__ == "__main__":
    main()
