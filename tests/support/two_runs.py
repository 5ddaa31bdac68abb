"""A small company, published twice: between the two, customers joined, left, rose and fell, and a setting changed."""

from __future__ import annotations

import datetime as dt
import functools
import shutil
from pathlib import Path

from evervalue.core.clock import FixedClock
from evervalue.core.progress import Silent
from evervalue.pipeline.run import run
from evervalue.pipeline.settings import read_project
from tests.support.projects import LINES, NOON, project
from tests.support.site import _folder

HEAD = "order,date,customer,amount"
STEADY = [f"s{n}{k},2024-0{k}-{n:02},steady{n:02},{10 * n + k}" for n in range(1, 13) for k in (1, 2)]
OLD = [*STEADY, "a1,2024-01-03,leaver,75.25", "b1,2024-01-04,riser,5"]
NEW = [
    *STEADY,
    "b1,2024-01-04,riser,5",
    *(f"b{n},2024-03-{n:02},riser,{100 * n}.10" for n in range(2, 8)),
    "c1,2024-03-09,joiner,44.40",
    "d1,2024-03-10,steady12,-80",
]
TOML = LINES + '[sources.sales.kinds]\nreturn = { column = "amount", below = 0 }\n'


def two_runs(folder: Path) -> Path:
    """The data directory of the company in `folder`; the second run is the one that readers see."""
    project(folder, {"sales.csv": "\n".join([HEAD, *OLD]) + "\n"}, TOML)
    _run(folder, NOON)
    (folder / "sales.csv").write_text("\n".join([HEAD, *NEW]) + "\n", "utf-8")
    toml = folder / "evervalue.toml"
    toml.write_text(toml.read_text("utf-8").replace("[lrfm]\n", "[lrfm]\nmid_value_at = 9\n"), "utf-8")
    _run(folder, NOON + dt.timedelta(days=1))
    return read_project(folder).data_dir


@functools.cache
def shared_two_runs() -> Path:
    """The same, published once a test session and only read."""
    return two_runs(_folder("two-runs") / "project")


def own_two_runs(folder: Path) -> Path:
    """A copy that a test may change."""
    shutil.copytree(shared_two_runs() / "runs", folder / "runs")
    shutil.copy(shared_two_runs() / "current", folder / "current")
    return folder


def _run(folder: Path, at: dt.datetime) -> None:
    run(read_project(folder), clock=FixedClock(at), progress=Silent())
