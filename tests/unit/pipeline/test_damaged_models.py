"""Models of the run before that cannot be taken over, because a file is damaged or gone: fitted anew, and said."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from evervalue.core.progress import Silent
from evervalue.pipeline.settings import read_project
from evervalue.warehouse.publish import Publisher, Snapshot
from tests.support.projects import LINES, project, published, run_project

TOML = LINES + '[value]\nmodel = "bg-nbd"\nspend = "gamma-gamma"\n'


def shop(folder: Path) -> Path:
    """A project of 50 days, too few for a backtest, which makes its runs quick."""
    rng = random.Random(4)
    rows = ["order,date,customer,amount"]
    for n in range(60):
        day = rng.randrange(10)
        while day < 50 and rng.random() < 0.8:
            rows.append(
                f"{len(rows)},2024-{1 + day // 28:02}-{1 + day % 28:02},c{n},{rng.gammavariate(3, 9):.2f}"
            )
            day += 1 + int(rng.expovariate(0.15))
    return project(folder, {"sales.csv": "\n".join(rows) + "\n"}, TOML)


def current(folder: Path) -> Snapshot:
    return Publisher(read_project(folder).data_dir).current()


def cut(file: Path) -> None:
    file.write_text(file.read_text()[:-50])


def changed(file: Path) -> None:
    file.write_text(file.read_text().replace('"alpha": ', '"alpha": 1', 1))


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = shop(tmp_path_factory.mktemp("shop"))
    run_project(folder)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(
    ("harm", "what"), [(cut, "is damaged"), (changed, "is damaged"), (Path.unlink, "is gone")]
)
def test_a_file_that_cannot_be_read_is_said(once: Path, harm: Callable[[Path], None], what: str) -> None:
    before = current(once)
    harm(before.beside("models/orders.json"))
    progress = Silent()
    run_project(once, progress=progress)
    says = (
        f"models/orders.json of the run before ({before.run_id}) {what}: models are fitted anew, and not compared "
        "with it."
    )
    assert [w for w in progress.warnings if "run before" in w] == [says]
    assert published(
        once, "select role, is_reused, drift_says = $$" + says + "$$ from run.fits order by role"
    ) == [
        ("orders", False, True),
        ("spend", False, False),
    ]


@pytest.mark.slow
def test_a_run_before_that_cannot_be_read_is_said(once: Path) -> None:
    before = current(once)
    (before.path.parent / "manifest.json").write_text("{")
    progress = Silent()
    run_project(once, progress=progress)
    (says,) = [w for w in progress.warnings if "run before" in w]
    assert says.startswith(
        "The run before cannot be read: models are fitted anew, and not compared with it. "
    )


def test_whole_files_are_taken_over_without_a_word(once: Path) -> None:
    progress = Silent()
    run_project(once, progress=progress)
    assert not [w for w in progress.warnings if "run before" in w]
    assert published(once, "select distinct is_reused from run.fits") == [(True,)]
