"""The built wheel and source distribution hold what they should, and the wheel works on its own."""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

NOT_SHIPPED = ("examples/", "tests/", "SaaS-Sales")
MEGABYTE = 1_000_000


@pytest.fixture(scope="session")
def built(project_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the source distribution, built without a network."""
    folder = tmp_path_factory.mktemp("dist")
    build: list[str | Path] = [
        sys.executable,
        "-m",
        "hatchling",
        "build",
        "-t",
        "wheel",
        "-t",
        "sdist",
        "-d",
        folder,
    ]
    subprocess.run(build, cwd=project_root, check=True)
    return folder


@pytest.fixture(scope="session")
def installed(project_root: Path, built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new environment that holds the wheel and the core lock, and nothing else."""
    home = tmp_path_factory.mktemp("empty") / "venv"
    venv.create(home, with_pip=False)
    pip: list[str | Path] = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        home / "bin" / "python",
        "install",
        "-q",
    ]
    locked: list[str | Path] = ["--require-hashes", "-r", project_root / "requirements" / "base.txt"]
    kept: list[str | Path] = ["--no-index", "--find-links", project_root / ".wheels"]
    # .wheels/ is what `make test` downloaded. Without it (another kind of environment) the index is asked.
    if subprocess.run([*pip, *kept, *locked], capture_output=True).returncode:
        subprocess.run([*pip, *locked], check=True)
    (wheel,) = built.glob("*.whl")
    subprocess.run([*pip, "--no-deps", "--no-index", wheel], check=True)
    return home


def shipped_sources(project_root: Path) -> set[str]:
    """Every file of the package that is under version control, as the wheel should name it."""
    listed = subprocess.run(
        ["git", "ls-files", "src/evervalue"], cwd=project_root, check=True, capture_output=True, text=True
    )
    return {name.removeprefix("src/") for name in listed.stdout.splitlines()}


def test_wheel_holds_the_package_and_no_data_of_others(project_root: Path, built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert not [name for name in names if any(word in name for word in NOT_SHIPPED)]
    assert shipped_sources(project_root) <= names
    for kind in (".sql", ".html", ".js", ".css", ".woff2", "py.typed"):
        assert any(name.endswith(kind) for name in names), kind
    assert {name.rsplit("/", 1)[1] for name in names if "/licenses/" in name} == {"LICENSE", "NOTICE"}


def test_source_distribution_holds_no_data_of_others(project_root: Path, built: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames() if "/" in name}
    assert not [name for name in names if any(word in name for word in NOT_SHIPPED)]
    assert {f"src/{name}" for name in shipped_sources(project_root)} <= names


def test_core_install_stays_small(installed: Path) -> None:
    size = sum(
        path.stat().st_size for path in installed.rglob("*") if path.is_file() and not path.is_symlink()
    )
    assert size < 500 * MEGABYTE


def test_lrfm_of_a_file_works_outside_the_repository(
    installed: Path, saas_sales: Path, data_dir: Path, tmp_path: Path
) -> None:
    sales = Path(shutil.copy(saas_sales, tmp_path))
    environment = {"PATH": os.defpath, "HOME": str(tmp_path), "TZ": "America/New_York"}
    columns = [
        "--customer",
        "Customer",
        "--order",
        "Order ID",
        "--date",
        "Order Date",
        "--monetary",
        "Profit",
    ]
    command: list[str | Path] = [
        installed / "bin" / "evervalue",
        "lrfm",
        sales.name,
        *columns,
        "--as-of",
        "2024-01-01",
    ]
    run = subprocess.run(
        [*command, "--format", "csv"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr

    scores = list(csv.DictReader(run.stdout.splitlines()))
    expected = list(csv.DictReader((data_dir / "saas_top10.csv").read_text().splitlines()))
    best = sorted(scores, key=lambda row: float(row["monetary"]), reverse=True)[: len(expected)]
    assert len(scores) == 99
    assert [{name: row[name] for name in expected[0]} for row in best] == expected
