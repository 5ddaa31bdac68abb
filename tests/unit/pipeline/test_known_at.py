"""What was known at an instant: runs over the past of the raw zone, and tables that do not hang on how data came."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from evervalue.core.clock import FixedClock
from evervalue.core.errors import InputError, NothingPublished
from evervalue.core.progress import Silent
from evervalue.pipeline.run import RunResult, run
from evervalue.pipeline.settings import read_project
from evervalue.pipeline.warehouse_view import replay_rows, warehouse
from evervalue.sources import quarantine
from evervalue.warehouse.publish import Publisher
from tests.support.projects import project, published

HEAD = "order,date,customer,amount\n"
SETTINGS = """
[sources.sales]
path = "in"
[sources.sales.columns]
order_id = "order"
ordered_at = "date"
customer_id = "customer"
amount = "amount"
"""
FIRST, SECOND, THIRD = (dt.datetime(2024, 3, day, 12) for day in (1, 2, 3))
ORDERS = "select order_id, customer_id, amount::varchar from curated.order_lines order by all"


def at(folder: Path, now: dt.datetime, **options: object) -> RunResult:
    clock = FixedClock(now.replace(tzinfo=dt.UTC))
    return run(read_project(folder), clock=clock, progress=Silent(), **options)  # type: ignore[arg-type]


def write(folder: Path, name: str, rows: str) -> None:
    (folder / "in").mkdir(exist_ok=True)
    (folder / "in" / name).write_text(HEAD + rows)


@pytest.fixture
def history(tmp_path: Path) -> Path:
    folder = project(tmp_path / "shop", {}, SETTINGS)
    write(folder, "a.csv", "1,2024-01-01,x,10\n2,2024-01-02,y,20\n")
    at(folder, FIRST)
    write(folder, "a.csv", "1,2024-01-01,x,11\n2,2024-01-02,y,20\n")
    write(folder, "b.csv", "3,2024-01-03,z,30\n")
    at(folder, SECOND)
    (folder / "in" / "b.csv").unlink()
    (folder / "evervalue.toml").write_text((folder / "evervalue.toml").read_text().replace('"in"', '"in/a*"'))
    write(folder, "a2.csv", "4,2024-01-04,z,40\n")
    at(folder, THIRD)
    return folder


def then(folder: Path, known_at: dt.datetime) -> list[tuple[str, ...]]:
    """Order lines of a run over what was known."""
    done = at(folder, THIRD + dt.timedelta(days=1), known_at=known_at)
    con = done.snapshot.open()
    try:
        return con.execute(ORDERS).fetchall()
    finally:
        con.close()


def test_every_state_can_be_told_again(history: Path) -> None:
    now = published(history, ORDERS)
    assert now == [("1", "x", "11.0000"), ("2", "y", "20.0000"), ("4", "z", "40.0000")]
    assert then(history, FIRST) == [("1", "x", "10.0000"), ("2", "y", "20.0000")]
    assert then(history, SECOND + dt.timedelta(hours=5)) == [
        ("1", "x", "11.0000"),
        ("2", "y", "20.0000"),
        ("3", "z", "30.0000"),
    ]
    assert then(history, THIRD) == now
    assert published(history, ORDERS) == now, "readers were moved to a run over the past"


@pytest.mark.slow
def test_a_mended_row_is_known_from_its_mending_on(tmp_path: Path) -> None:
    folder = project(tmp_path / "shop", {}, SETTINGS)
    write(folder, "a.csv", "1,2024-01-01,x,10\n2,2024-01-02,y,much\n3,2024-01-02,y,7\n")
    at(folder, FIRST)
    write(folder, "b.csv", "4,2024-01-03,z,30\n")  # read by the mending, for it reads what is there
    with warehouse(read_project(folder)) as con:
        quarantine.export(con, tmp_path / "mend.csv", "sales")
    (tmp_path / "mend.csv").write_text((tmp_path / "mend.csv").read_text().replace("much", "20"))
    clock = FixedClock(SECOND.replace(tzinfo=dt.UTC))
    replay_rows(read_project(folder), "sales", tmp_path / "mend.csv", clock=clock, progress=Silent())
    at(folder, THIRD)
    before = [("1", "x", "10.0000"), ("3", "y", "7.0000")]
    after = [before[0], ("2", "y", "20.0000"), before[1], ("4", "z", "30.0000")]
    assert published(folder, ORDERS) == after
    assert then(folder, FIRST) == before
    assert then(folder, SECOND) == after


def test_a_run_over_the_past_is_kept_and_can_be_shown(history: Path) -> None:
    done = at(history, THIRD + dt.timedelta(days=2), known_at=FIRST)
    publisher = Publisher(read_project(history).data_dir)
    assert done.snapshot.manifest["known_at"] == "2024-03-01T12:00:00"
    assert publisher.current_id() != done.snapshot.run_id
    publisher.rollback(done.snapshot.run_id)
    assert published(history, "select count(*) from curated.order_lines") == [(2,)]


def test_before_the_first_load_nothing_was_known(history: Path, tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match="Nothing had been read at 2024-02-01 .* the first load was at 2024-03-01 12:00"
    ):
        at(history, THIRD, known_at=dt.datetime(2024, 2, 1))
    empty = project(tmp_path / "empty", {}, SETTINGS)
    with pytest.raises(NothingPublished, match="Nothing was read yet"):
        at(empty, FIRST, known_at=FIRST)
