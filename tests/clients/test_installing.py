"""The SDKs of tests/clients are installed once, ask for no network after that, and come back from what was kept."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

NOWHERE = "http://127.0.0.1:9"

OFFLINE = {"http_proxy": NOWHERE, "https_proxy": NOWHERE, "npm_config_fetch_retries": "0"}


def installed(root: Path) -> subprocess.CompletedProcess[str]:
    """One call of the script that `make test` calls, without a network."""
    command: list[str | Path] = [sys.executable, root / "tools" / "sdks.py"]
    return subprocess.run(command, env={**os.environ, **OFFLINE}, capture_output=True, text=True, check=False)


def test_a_deleted_folder_comes_back_without_a_network_and_a_second_call_is_silent(
    project_root: Path, tmp_path: Path, sdks: Path
) -> None:
    home = tmp_path / "tests" / "clients" / "sdks"
    home.mkdir(parents=True)
    (tmp_path / "tools").mkdir()
    shutil.copy(project_root / "tools" / "sdks.py", tmp_path / "tools")
    for name in ("package.json", "package-lock.json"):
        shutil.copy(sdks.parent / name, home)
    shutil.copytree(project_root / ".wheels" / "npm", tmp_path / ".wheels" / "npm")
    first = installed(tmp_path)
    assert first.returncode == 0, first.stderr
    assert Path(first.stdout.strip()) == home / "node_modules"
    assert (home / "node_modules" / "@segment" / "analytics-node" / "package.json").exists()
    second = installed(tmp_path)
    assert (second.returncode, second.stderr) == (0, "")

    shutil.rmtree(tmp_path / ".wheels")
    shutil.rmtree(home / "node_modules")
    third = installed(tmp_path)
    assert third.returncode == 1
    assert "make test NODE=no" in third.stderr
