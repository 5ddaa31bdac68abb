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


NO_VALUE = '\n[value]\nmodel = "none"\n'
"""Fits and backtests take most of a small run's time; tests of something else do without."""


def project(
    folder: Path, files: Mapping[str, str], toml: str = LINES, *, basis: str = "revenue", value: bool = False
) -> Path:
    """The folder, with the files and the settings written into it; `value` predicts lifetime value too."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text, "utf-8")
    lrfm = "" if "[lrfm]" in toml else f'[lrfm]\nmonetary = "{basis}"\n'
    without = "" if value or "[value]" in toml else NO_VALUE
    (folder / "evervalue.toml").write_text(f"{toml}\n{lrfm}{without}", "utf-8")
    return folder


def saas_project(folder: Path, *, value: bool = False) -> Path:
    """A copy of the SaaS example; `value` predicts lifetime value too."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("SaaS-Sales.csv", "evervalue.toml"):
        shutil.copy(SAAS / name, folder / name)
    if not value:
        with (folder / "evervalue.toml").open("a", encoding="utf-8") as toml:
            toml.write(NO_VALUE)
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
