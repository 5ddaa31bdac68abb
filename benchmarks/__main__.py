"""Runs the comparisons and writes docs/benchmarks.md: `python -m benchmarks --date 2026-11-22`.

`--only lrfm` replaces that section alone; `--quick` shows that everything runs, on small data, and writes nothing.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import re
import sys
import tempfile
from pathlib import Path

from benchmarks import (
    changes,
    collector,
    collector_soak,
    full_load,
    full_run,
    identity,
    incremental,
    live,
    lrfm,
    models,
    scale,
)

REPORT = Path(__file__).parents[1] / "docs" / "benchmarks.md"
SECTIONS = {
    "lrfm": lrfm.section,
    "scale": scale.section,
    "full_run": full_run.section,
    "incremental": incremental.section,
    "full_load": full_load.section,
    "changes": changes.section,
    "collector": collector.section,
    "collector_soak": collector_soak.section,
    "live": live.section,
    "identity": identity.section,
    "models": models.section,
}
PACKAGES = ("duckdb", "polars", "pyarrow", "pandas", "numpy", "lifetimes")


def main() -> None:
    options = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    options.add_argument("--date", default="", help="date of the run, for the report")
    options.add_argument(
        "--only", choices=SECTIONS, action="append", help="run this part alone; may be repeated"
    )
    options.add_argument(
        "--quick", action="store_true", help="small data; the report is printed, not written"
    )
    options.add_argument(
        "--folder", type=Path, help="where data is made and kept; default: a temporary folder"
    )
    asked = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as temporary:
        folder = asked.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        for name in asked.only or SECTIONS:
            found = SECTIONS[name](folder, _say, quick=asked.quick)
            found = f"{found}\n{_facts(asked.date)}\n"
            if asked.quick:
                print(found)
            else:
                REPORT.write_text(_with_section(name, found), "utf-8")


def _with_section(name: str, text: str) -> str:
    """The report with one section replaced, or put at its end."""
    report = REPORT.read_text("utf-8") if REPORT.exists() else HEAD
    marked = f"<!-- {name} -->\n{text}<!-- /{name} -->\n"
    pattern = rf"<!-- {name} -->\n.*?<!-- /{name} -->\n"
    if re.search(pattern, report, re.DOTALL):
        return re.sub(pattern, lambda _: marked, report, flags=re.DOTALL)
    return f"{report.rstrip()}\n\n{marked}"


def _facts(date: str) -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES)
    when = f"{date}, " if date else ""
    return (
        f"Measured {when}on {os.cpu_count()} cores ({platform.machine()}), {memory:.0f} GB, load before it "
        f"{LOAD[0]:.1f}; Python {platform.python_version()}, {versions}."
    )


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


LOAD = os.getloadavg()
HEAD = """# Benchmarks

Written by `make bench` (`python -m benchmarks`), part by part. Times depend on the machine and on what else it
does; the ratios to peers in the same run are what the bars are about.
"""

if __name__ == "__main__":
    main()
