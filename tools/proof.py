"""Run every test at full size and write what was found to docs/proof.md.

    python tools/proof.py [-- further pytest arguments]

`make check` runs the same tests with reduced sizes where the full ones take long; here EVERVALUE_PROOF=full
asks for all of them.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from collections import defaultdict
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "proof.md"


@dataclass
class Claim:
    """Results of the tests in one folder."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: float = 0.0


def claims(report: Path) -> dict[str, Claim]:
    """Results by folder of tests/ (by 'doctests' for examples in the source)."""
    found: dict[str, Claim] = defaultdict(Claim)
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        parts = case.get("classname", "").split(".")
        claim = found[parts[1] if parts[0] == "tests" and len(parts) > 1 else "doctests"]
        claim.seconds += float(case.get("time", "0"))
        if case.find("failure") is not None or case.find("error") is not None:
            claim.failed += 1
        elif case.find("skipped") is not None:
            claim.skipped += 1
        else:
            claim.passed += 1
    return dict(sorted(found.items()))


def page(found: dict[str, Claim], commit: str) -> str:
    """The results as a page."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    engines = ", ".join(f"{name} {version(name)}" for name in ("duckdb", "sqlglot", "polars", "pandas"))
    machine = f"Python {platform.python_version()}, {engines}; {os.cpu_count()} cores, {memory:.0f} GiB"
    lines = [
        "# Proof",
        "",
        "Written by `make proof`, which runs every test at full size.",
        "",
        f"Commit {commit}; {machine}.",
        "",
        "| claim | passed | failed | skipped | seconds |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    total = Claim()
    for name, claim in found.items():
        lines.append(f"| {name} | {claim.passed} | {claim.failed} | {claim.skipped} | {claim.seconds:.1f} |")
        total.passed += claim.passed
        total.failed += claim.failed
        total.skipped += claim.skipped
        total.seconds += claim.seconds
    lines.append(f"| **all** | {total.passed} | {total.failed} | {total.skipped} | {total.seconds:.1f} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    described = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True
    )
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", f"--junit-xml={report}", "-o", "junit_family=xunit1"]
        environment = {**os.environ, "EVERVALUE_PROOF": "full", "EVERVALUE_NO_SKIPPED_BROWSER_TESTS": "1"}
        run = subprocess.run(
            [*command, "-o", "timeout=7200", *sys.argv[1:]], cwd=ROOT, env=environment, check=False
        )
        PAGE.parent.mkdir(exist_ok=True)
        PAGE.write_text(page(claims(report), described.stdout.strip() or "unknown"))
    print(f"Written to {PAGE.relative_to(ROOT)}.")
    sys.exit(run.returncode)


if __name__ == "__main__":
    main()
