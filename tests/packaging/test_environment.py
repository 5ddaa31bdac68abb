"""`make` sets up its environment once, asks for no network after that, and mends what was cut short."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

# A network that refuses at once: every way pip could take leads to a closed port.
NOWHERE = "http://127.0.0.1:9"
OFFLINE = {"http_proxy": NOWHERE, "https_proxy": NOWHERE, "PIP_INDEX_URL": NOWHERE, "PIP_RETRIES": "0"}


def environment(project_root: Path, venv: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """One call of the script that `make` calls."""
    command: list[str | Path] = [
        sys.executable,
        project_root / "tools" / "environment.py",
        "base",
        "--venv",
        venv,
    ]
    return subprocess.run(
        command, env={**os.environ, **variables}, capture_output=True, text=True, check=False
    )


def works(venv: Path) -> bool:
    run = subprocess.run([venv / "bin" / "python", "-c", "import evervalue, duckdb"], check=False)
    return run.returncode == 0


def test_second_call_is_silent_and_offline_and_a_cut_install_is_mended(
    project_root: Path, tmp_path: Path
) -> None:
    venv = tmp_path / "venv"
    first = environment(project_root, venv)
    assert first.returncode == 0, first.stderr
    assert works(venv)

    second = environment(project_root, venv, **OFFLINE)
    assert (second.returncode, second.stdout, second.stderr) == (0, "", "")

    # Ctrl-C or a lost machine in the middle leaves the mark, and whatever was there by then.
    (venv / "installing").touch()
    next(venv.glob("lib/python*/site-packages/duckdb/__init__.py")).unlink()
    mended = environment(project_root, venv, **OFFLINE)
    assert mended.returncode == 0, mended.stderr
    assert "making it anew" in mended.stdout
    assert works(venv)

    moved = venv.rename(tmp_path / "moved")
    again = environment(project_root, moved, **OFFLINE)
    assert again.returncode == 0, again.stderr
    assert str(moved) in (moved / "bin" / "evervalue").read_text().splitlines()[0]


def test_without_network_and_wheels_nothing_that_worked_is_lost(project_root: Path, tmp_path: Path) -> None:
    # The script finds its project by its own path, so that this one has no kept wheels.
    (tmp_path / "tools").mkdir()
    script = Path(shutil.copy(project_root / "tools" / "environment.py", tmp_path / "tools"))
    shutil.copy(project_root / "pyproject.toml", tmp_path)
    shutil.copytree(project_root / "requirements", tmp_path / "requirements")

    run = subprocess.run(
        [sys.executable, script, "base"],
        env={**os.environ, **OFFLINE, "PIP_FIND_LINKS": "", "PIP_CONFIG_FILE": os.devnull},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1
    assert "could not be downloaded" in run.stderr
    assert "Nothing was changed" in run.stderr
    assert "Traceback" not in run.stderr
    assert not (tmp_path / ".venv" / "evervalue-base").exists()
    assert not (tmp_path / ".venv" / "installing").exists()
