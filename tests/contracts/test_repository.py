"""The repository keeps its promises to the person who clones it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import evervalue


def tracked(root: Path) -> list[str]:
    listed = subprocess.run(["git", "ls-files"], cwd=root, check=True, capture_output=True, text=True)
    return listed.stdout.splitlines()


@pytest.mark.parametrize(
    "command", [["tools/hosts.py"], ["tools/lock.py", "--check"]], ids=["hosts", "locks"]
)
def test_checks_of_the_repository_pass(project_root: Path, command: list[str]) -> None:
    """No tracked file names a package index; the locks fit pyproject.toml."""
    run = subprocess.run([sys.executable, *command], cwd=project_root, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


def test_a_named_host_is_found(project_root: Path) -> None:
    stray = project_root / "tests" / "contracts" / "stray_host_for_a_test.txt"
    stray.write_text("files." + "pythonhosted" + ".org\n")
    try:
        run = subprocess.run(
            [sys.executable, "tools/hosts.py"], cwd=project_root, capture_output=True, text=True, check=False
        )
    finally:
        stray.unlink()
    assert run.returncode == 1
    assert "stray_host_for_a_test.txt" in run.stderr


def test_every_extra_is_locked_with_hashes(project_root: Path) -> None:
    project = tomllib.loads((project_root / "pyproject.toml").read_text())["project"]
    for name in ["base", "build", *project["optional-dependencies"]]:
        assert "--hash=sha256:" in (project_root / "requirements" / f"{name}.txt").read_text(), name


def test_no_lock_that_names_hosts_is_tracked(project_root: Path) -> None:
    assert not [name for name in tracked(project_root) if Path(name).name in {"uv.lock", "poetry.lock"}]


def test_version_is_written_once(project_root: Path) -> None:
    project = tomllib.loads((project_root / "pyproject.toml").read_text())["project"]
    assert evervalue.__version__ == project["version"]


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_make_targets_named_in_a_page_exist(project_root: Path, page: str) -> None:
    targets = set(re.findall(r"^([a-z]+):", (project_root / "Makefile").read_text(), re.MULTILINE))
    asked = re.compile(r"`make ([a-z]+)|^make ([a-z]+)\s*(?:#|$)", re.MULTILINE)
    named = {first or second for first, second in asked.findall((project_root / page).read_text())}
    assert named <= targets


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_files_linked_from_a_page_exist(project_root: Path, page: str) -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", (project_root / page).read_text())
    assert links
    assert not [link for link in links if not (project_root / link).exists()]


def test_scripts_can_be_executed(project_root: Path) -> None:
    scripts = [".ci/run", ".ci/lint", "tools/chromium.sh", "tools/mariadb.sh", "tools/nats.sh"]
    assert not [name for name in scripts if not os.access(project_root / name, os.X_OK)]
