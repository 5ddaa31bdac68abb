"""The same scores from 1 M to 100 M order lines with 2 GB of engine memory: time, spill and linearity.

`python -m benchmarks.scale PARQUET FOLDER` measures one size in this process.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks import data
from benchmarks.measure import fresh, spill_watched, tell, timed
from evervalue.core.progress import Silent
from evervalue.library.session import settings
from evervalue.pipeline.from_orders import score_orders
from evervalue.warehouse.duckdb import connect, literal

LIMIT = "2GB"
ABOUT = """\
The file is read from disk, tables are written to a database file, and everything is checked as in a run. Ties are
parted by name.

| lines | customers | seconds | seconds a million lines | most spilled | peak memory of the process | High, Mid, Low |
| ---: | ---: | ---: | ---: | ---: | ---: | --- |"""
SIZES = ((1_000_000, 100_000), (10_000_000, 1_000_000), (30_000_000, 3_000_000), (100_000_000, 10_000_000))


def section(folder: Path, say: Callable[[str], None], *, quick: bool) -> str:
    """The section of the report: each size in a fresh process."""
    rows = []
    for lines, customers in SIZES[:1] if quick else SIZES:
        path = data.parquet(folder, lines, customers)
        result = fresh("benchmarks.scale", str(path), str(folder))
        say(f"{lines:,} lines: {result.seconds:.1f} s, spill {result.more['spill_mb']:,.0f} MB")
        rows.append(
            f"| {lines:,} | {customers:,} | {result.seconds:.1f} | {1e6 * result.seconds / lines:.2f} "
            f"| {result.more['spill_mb']:,.0f} MB | {result.peak_mb:,.0f} MB | {result.more['tiers']} |"
        )
        if lines > 10_000_000:
            path.unlink()
    return "\n".join(
        [
            f"## From Parquet to tiers under {LIMIT} of engine memory",
            "",
            ABOUT,
            *rows,
            "",
        ]
    )


def main() -> None:
    path, folder = Path(sys.argv[1]), Path(sys.argv[2])
    work = Path(tempfile.mkdtemp(prefix="scale-", dir=folder))
    spill = work / "spill"
    spill.mkdir()
    try:
        con = connect(work / "scores.duckdb", memory_limit=LIMIT, temp_directory=spill)
        con.execute(f"create view lines as select * from read_parquet({literal(str(path))})")
        with spill_watched(spill) as most:
            _, took = timed(
                lambda: score_orders(con, "lines", settings({}), "customers.lrfm", progress=Silent())
            )
            spilled = most()
        tiers = con.execute(
            "select count(*) from customers.lrfm group by customer_value order by customer_value = 'Low-Value', "
            "customer_value"
        ).fetchall()
        tell(took, spill_mb=spilled, tiers=", ".join(f"{n:,}" for (n,) in tiers))
    finally:
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()
