"""A whole run with file reading: CSV to published snapshot, every table, check and reconciliation.

`python -m benchmarks.full_run PROJECT` measures one project in this process.
"""

from __future__ import annotations

import datetime as dt
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks import data
from benchmarks.measure import fresh, tell, timed
from evervalue.core.clock import FixedClock
from evervalue.core.progress import Silent
from evervalue.pipeline.run import run
from evervalue.pipeline.settings import read_project

TOML = """
[project]
name = "Made-up sales"
[sources.sales]
path = "sales.csv"
[sources.sales.columns]
order_id = "order_id"
ordered_at = "order_date"
customer_id = "customer_id"
amount = "monetary"
[lrfm]
monetary = "revenue"
ties = "share"
"""
ROOT = Path(__file__).parents[1]
SIZES = ((1_000_000, 100_000), (10_000_000, 1_000_000))


def section(folder: Path, say: Callable[[str], None], *, quick: bool) -> str:
    """The section of the report: real and made-up files, each in a fresh process."""
    rows = []
    for name, made in _projects(folder, quick=quick):
        work = Path(tempfile.mkdtemp(prefix="full-", dir=folder))
        try:
            project = made(work)
            size = sum(f.stat().st_size for f in project.iterdir() if f.name != "evervalue.toml") / 1e6
            result = fresh("benchmarks.full_run", str(project))
        finally:
            shutil.rmtree(work, ignore_errors=True)
        say(f"{name}: {result.seconds:.1f} s")
        lines = result.more["lines"]
        rows.append(
            f"| {name} | {lines:,} | {size:,.0f} MB | {result.seconds:.1f} | {1e6 * result.seconds / lines:.1f} "
            f"| {result.peak_mb:,.0f} MB |"
        )
    return "\n".join(
        [
            "## A whole run, from file to published snapshot",
            "",
            "Reading, typing by evidence, quarantine, every table, checks and reconciliation.",
            "",
            "| file | lines | size | seconds | seconds a million lines | peak memory of the process |",
            "| --- | ---: | ---: | ---: | ---: | ---: |",
            *rows,
            "",
        ]
    )


def _projects(folder: Path, *, quick: bool) -> list[tuple[str, Callable[[Path], Path]]]:
    def example(work: Path) -> Path:
        return Path(shutil.copytree(ROOT / "examples" / "saas", work / "saas"))

    def retail(work: Path) -> Path:
        return Path(shutil.copytree(ROOT / "tests" / "data" / "online_retail", work / "retail"))

    def made_up(lines: int, customers: int) -> Callable[[Path], Path]:
        def make(work: Path) -> Path:
            path = data.csv(folder, lines, customers)
            (work / "evervalue.toml").write_text(TOML, "utf-8")
            path.rename(work / "sales.csv")  # as large as it is, it is moved and not kept
            return work

        return make

    sizes = ((100_000, 10_000),) if quick else SIZES
    return [
        ("SaaS example, CSV", example),
        ("UCI Online Retail, Parquet", retail),
        *(
            (f"made up, {lines // 1000:,} k lines, CSV", made_up(lines, customers))
            for lines, customers in sizes
        ),
    ]


def main() -> None:
    project = read_project(Path(sys.argv[1]))
    clock = FixedClock(dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
    result, took = timed(lambda: run(project, clock=clock, progress=Silent()))
    tell(took, lines=sum(source.rows_read for source in result.report.sources.values()))


if __name__ == "__main__":
    main()
