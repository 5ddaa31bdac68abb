"""Small projects for tests: a folder with an evervalue.toml and the files it reads, and how to run one."""

from __future__ import annotations

import datetime as dt
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evervalue.core.clock import FixedClock
from evervalue.core.progress import Silent
from evervalue.pipeline.run import RunResult, run
from evervalue.pipeline.settings import read_project
from evervalue.warehouse.publish import Publisher

ROOT = Path(__file__).parents[2]
SAAS = ROOT / "examples" / "saas"
NOON = dt.datetime(2024, 3, 1, 12, tzinfo=dt.UTC)

LINES = """
[sources.sales]
path = "sales.csv"
[sources.sales.columns]
order_id = "order"
ordered_at = "date"
customer_id = "customer"
amount = "amount"
"""


def project(folder: Path, files: Mapping[str, str], toml: str = LINES, *, basis: str = "revenue") -> Path:
    """The folder, with the files and the settings written into it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text, "utf-8")
    lrfm = "" if "[lrfm]" in toml else f'[lrfm]\nmonetary = "{basis}"\n'
    (folder / "evervalue.toml").write_text(f"{toml}\n{lrfm}", "utf-8")
    return folder


def saas_project(folder: Path) -> Path:
    """A copy of the SaaS example."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("SaaS-Sales.csv", "evervalue.toml"):
        shutil.copy(SAAS / name, folder / name)
    return folder


def run_project(folder: Path, **options: Any) -> RunResult:
    """The result of a run, with a clock that stands still."""
    return run(
        read_project(folder), clock=FixedClock(NOON), progress=options.pop("progress", Silent()), **options
    )


def published(folder: Path, query: str) -> list[tuple[Any, ...]]:
    """The rows of a query over what the folder's readers see."""
    con = Publisher(read_project(folder).data_dir).current().open()
    try:
        return con.execute(query).fetchall()
    finally:
        con.close()


def evervalue(*args: str | Path, cwd: Path, **options: Any) -> subprocess.CompletedProcess[str]:
    """The command line, run as a user would."""
    command = [sys.executable, "-c", "from evervalue.cli import main; main()", *map(str, args)]
    return subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, timeout=300, check=False, **options
    )
