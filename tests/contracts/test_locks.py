"""The check of the locks finds what it is there to find."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture
def copy(project_root: Path, tmp_path: Path) -> Path:
    """A copy of the files that decide over the locks."""
    (tmp_path / "tools").mkdir()
    shutil.copy(project_root / "tools" / "lock.py", tmp_path / "tools")
    shutil.copy(project_root / "pyproject.toml", tmp_path)
    shutil.copytree(project_root / "requirements", tmp_path / "requirements")
    return tmp_path


def complaint(copy: Path) -> str:
    run = subprocess.run(
        [sys.executable, "tools/lock.py", "--check"], cwd=copy, capture_output=True, text=True, check=False
    )
    assert run.returncode in (0, 1), run.stderr
    return run.stderr


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_locks_as_they_are_pass(copy: Path) -> None:
    assert complaint(copy) == ""


@pytest.mark.parametrize(
    ("file", "old", "new", "says"),
    [
        ("pyproject.toml", '"jinja2>=3.1,<4"', '"jinja2>=99"', "base.txt has no pin that fits 'jinja2>=99'"),
        (
            "pyproject.toml",
            '"jinja2>=3.1,<4"',
            '"jinja2>=3.1,<5"',
            "base.txt was made from other requirements",
        ),
        ("requirements/base.txt", "duckdb==1.5.5", "duckdb==1.5.4", "pin duckdb differently"),
        ("requirements/plot.txt", "annotated-doc", "bare==1.0\nannotated-doc", "plot.txt: bare has no hash"),
        ("requirements/dev.txt", "annotated-doc", "--extra-index-url x\nannotated-doc", "names an index"),
    ],
)
def test_what_does_not_fit_is_named(copy: Path, file: str, old: str, new: str, says: str) -> None:
    edit(copy / file, old, new)
    assert says in complaint(copy)


def test_a_missing_and_a_stray_lock_are_named(copy: Path) -> None:
    (copy / "requirements" / "frames.txt").rename(copy / "requirements" / "frame.txt")
    assert "frames.txt is missing" in complaint(copy)
    assert "frame.txt belongs to no extra" in complaint(copy)
