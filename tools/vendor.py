"""Refreshes the scripts and the font that the dashboard ships: `python tools/vendor.py`.

A maintainer runs it (with node and npm) after changing a version in package.json. Everything it makes is
committed, so that nobody needs node to install, test or run Evervalue. It writes

- `src/evervalue/dashboard/static/vendor/`: htmx, the ECharts bundle, Inter, their licences, and
VERSIONS.json; - `tests/browser/vendor/`: axe-core with its licence, which only the tests load.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SHIPPED = ROOT / "src" / "evervalue" / "dashboard" / "static" / "vendor"
TESTED = ROOT / "tests" / "browser" / "vendor"

# what lands where: (package, file inside it, target, licence file, licence name)
COPIES = [
    ("htmx.org", "dist/htmx.min.js", SHIPPED / "htmx.js", "LICENSE", "0BSD"),
    (
        "@fontsource-variable/inter",
        "files/inter-latin-wght-normal.woff2",
        SHIPPED / "inter.woff2",
        "LICENSE",
        "OFL-1.1",
    ),
    ("axe-core", "axe.min.js", TESTED / "axe.min.js", "LICENSE", "MPL-2.0"),
]
# bundled into charts.js
BUNDLED = [
    ("echarts", "LICENSE", "Apache-2.0"),
    ("zrender", "LICENSE", "BSD-3-Clause"),
    ("tslib", "LICENSE.txt", "0BSD"),
]


def main() -> None:
    """Installs the locked packages into a temporary folder, builds, copies and records."""
    SHIPPED.mkdir(parents=True, exist_ok=True)
    TESTED.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(ROOT / name, work / name)
        shutil.copy(ROOT / "tools" / "vendor_charts.js", work / "vendor_charts.js")
        _call(work, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
        modules = work / "node_modules"
        records: dict[Path, list[dict[str, str]]] = {SHIPPED: [], TESTED: []}
        for package, inside, target, licence, licence_name in COPIES:
            shutil.copy(modules / package / inside, target)
            records[target.parent].append(_record(modules, package, target, licence, licence_name))
        bundle = SHIPPED / "charts.js"
        _call(
            work,
            str(modules / ".bin" / "esbuild"),
            "vendor_charts.js",
            "--bundle",
            "--minify",
            "--format=iife",
            "--global-name=echarts",
            "--target=es2020",
            "--legal-comments=none",
            f"--outfile={bundle}",
        )
        for package, licence, licence_name in BUNDLED:
            records[SHIPPED].append(_record(modules, package, bundle, licence, licence_name))
        shutil.copy(modules / "echarts" / "NOTICE", SHIPPED / "licences" / "echarts.NOTICE.txt")
    for home, rows in records.items():
        (home / "VERSIONS.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
        for row in rows:
            print(f"{row['package']} {row['version']} ({row['licence']}) -> {row['file']}")


def _record(modules: Path, package: str, target: Path, licence: str, licence_name: str) -> dict[str, str]:
    home = target.parent / "licences"
    home.mkdir(exist_ok=True)
    short = package.split("/")[-1]
    shutil.copy(modules / package / licence, home / f"{short}.txt")
    version = json.loads((modules / package / "package.json").read_text("utf-8"))["version"]
    return {
        "package": package,
        "version": version,
        "licence": licence_name,
        "licence_file": f"licences/{short}.txt",
        "file": target.name,
        "sha256": hashlib.sha256(target.read_bytes()).hexdigest(),
    }


def _call(folder: Path, *command: str) -> None:
    subprocess.run(command, cwd=folder, check=True)


if __name__ == "__main__":
    main()
