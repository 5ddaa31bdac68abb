"""What a run takes over from the one before, and when it does without."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.projects import LINES, project, published, run_project

HEAD = "order,date,customer,amount\n"


class Told:
    """Progress that remembers."""

    def __init__(self) -> None:
        self.steps: list[str] = []
        self.warnings: list[str] = []

    def step(self, says: str, *, detail: str = "") -> None:
        self.steps.append(says)

    def doing(self, says: str) -> None: ...

    def warn(self, says: str) -> None:
        self.warnings.append(says)


def cut(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def empty(file: Path) -> None:
    file.write_bytes(b"")


@pytest.mark.parametrize("harm", [cut, empty, Path.unlink])
def test_a_damaged_snapshot_of_the_run_before_is_done_without(
    tmp_path: Path, harm: Callable[[Path], None]
) -> None:
    toml = LINES.replace("sales.csv", "sales*.csv")
    rows = "".join(f"{n},2024-01-0{1 + n % 9},c{n},10\n" for n in range(30))
    folder = project(tmp_path / "shop", {"sales1.csv": HEAD + rows}, toml)
    harm(run_project(folder).snapshot.path)
    (folder / "sales2.csv").write_text(HEAD + "new,2024-01-01,c1,7\n")
    told = Told()
    run_project(folder, progress=told)
    assert "Lines taken over" not in told.steps
    assert any("is damaged or gone, so all is built anew" in warning for warning in told.warnings)
    assert published(folder, "select count(*), sum(amount)::integer from curated.order_lines") == [(31, 307)]
    (folder / "sales3.csv").write_text(HEAD + "newer,2024-01-01,c2,3\n")
    run_project(folder, progress=(again := Told()))
    assert "Lines taken over" in again.steps
    assert published(folder, "select count(*), sum(amount)::integer from curated.order_lines") == [(32, 310)]
